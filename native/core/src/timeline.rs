//! Many streams merged into one list, and pages of it.
//!
//! The order and its cursors are in [`crate::cursor`].

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::cursor::{Cursor, Key};
use crate::stream::{ItemId, Micros, Stream};

/// Which end of the timeline the list begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As items are read.
    OldestFirst,
    /// As a person reads rows.
    NewestFirst,
}

/// Where a page begins or ends, in the list's own order (XEP-0059, sections 2.2 to 2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// The first page.
    Start,
    /// The last page.
    End,
    /// The page that follows the cursor.
    After(Cursor),
    /// The page that precedes the cursor.
    Before(Cursor),
    /// The page whose first post has this index, counted from 0.
    Index(usize),
}

/// Which page of which list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The order of the list and of the page.
    pub order: Order,
    /// Where the page stands.
    pub anchor: Anchor,
    /// At most so many posts.
    pub limit: usize,
}

/// A post as a page names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostRef {
    /// Whose.
    pub author: String,
    /// Which.
    pub id: ItemId,
    /// When it was first published.
    pub at: Micros,
}

impl PostRef {
    /// The cursor that stands on this post.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor::on(self.at, &self.author, &self.id)
    }
}

/// One page of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The posts, in the order asked for.
    pub posts: Vec<PostRef>,
    /// The index of the first post in the whole list, counted from 0.
    pub index: usize,
    /// The length of the whole list.
    pub count: usize,
}

/// The streams of several authors, as one list.
#[derive(Debug)]
pub struct Timeline<'a> {
    streams: Vec<(&'a str, &'a Stream)>,
}

impl<'a> Timeline<'a> {
    /// Each author at most once.
    #[must_use]
    pub fn new(streams: Vec<(&'a str, &'a Stream)>) -> Self {
        Self { streams }
    }

    /// One page. Cost: O(F log n + L log F) for F streams of n posts and a page of L; by index
    /// O(F + (i + L) log F), with i counted from the nearer end.
    #[must_use]
    pub fn page(&self, request: &Request) -> Page {
        let Request {
            order,
            anchor,
            limit,
        } = request;
        let count = self
            .streams
            .iter()
            .map(|(_, s)| s.places().len())
            .sum::<usize>();
        // A list newest first is the other one read backwards: its "after" is our "before".
        let forward = *order == Order::OldestFirst;
        let (cut, older) = match anchor {
            Anchor::Start => (self.cut_at_end(!forward), !forward),
            Anchor::End => (self.cut_at_end(forward), forward),
            Anchor::After(cursor) => (self.cut_at(&cursor.key(), forward), !forward),
            Anchor::Before(cursor) => (self.cut_at(&cursor.key(), !forward), forward),
            Anchor::Index(index) => {
                let index = (*index).min(count);
                let rank = if forward {
                    index
                } else {
                    count.saturating_sub(index)
                };
                (self.cut_at_rank(rank, count), !forward)
            }
        };
        let rank = cut.iter().sum::<usize>();
        let mut posts = if older {
            self.backward(cut, *limit)
        } else {
            self.forward(cut, *limit)
        };
        let oldest = if older {
            rank.saturating_sub(posts.len())
        } else {
            rank
        };
        let index = if forward {
            oldest
        } else {
            count.saturating_sub(oldest).saturating_sub(posts.len())
        };
        // `forward` gives oldest first, `backward` newest first.
        if older == forward {
            posts.reverse();
        }
        Page {
            posts,
            index,
            count,
        }
    }

    /// All posts with this id, newest first. Cost: O(posts).
    #[must_use]
    pub fn find(&self, id: &str) -> Vec<PostRef> {
        let mut found: Vec<PostRef> = self
            .streams
            .iter()
            .filter_map(|(author, stream)| {
                let place = stream.find(id)?;
                Some(PostRef {
                    author: (*author).to_owned(),
                    id: ItemId::clone(&place.id),
                    at: place.at,
                })
            })
            .collect();
        found.sort_by(|a, b| (b.at, &b.author).cmp(&(a.at, &a.author)));
        found
    }

    /// A cut tells for each stream how many of its posts lie before it.
    fn cut_at_end(&self, end: bool) -> Vec<usize> {
        self.streams
            .iter()
            .map(|(_, stream)| if end { stream.places().len() } else { 0 })
            .collect()
    }

    fn cut_at(&self, key: &Key<'_>, inclusive: bool) -> Vec<usize> {
        self.streams
            .iter()
            .map(|(author, stream)| {
                stream.places().partition_point(|place| {
                    let order = Key {
                        at: place.at,
                        author,
                        id: &place.id,
                    }
                    .cmp(key);
                    order == Ordering::Less || (inclusive && order == Ordering::Equal)
                })
            })
            .collect()
    }

    fn cut_at_rank(&self, rank: usize, count: usize) -> Vec<usize> {
        let from_end = count.saturating_sub(rank);
        if rank <= from_end {
            let mut merge = Merge::new(self, self.cut_at_end(false), Direction::Newer);
            merge.by_ref().take(rank).for_each(drop);
            merge.cut
        } else {
            let mut merge = Merge::new(self, self.cut_at_end(true), Direction::Older);
            merge.by_ref().take(from_end).for_each(drop);
            merge.cut
        }
    }

    fn forward(&self, cut: Vec<usize>, limit: usize) -> Vec<PostRef> {
        Merge::new(self, cut, Direction::Newer)
            .take(limit)
            .collect()
    }

    fn backward(&self, cut: Vec<usize>, limit: usize) -> Vec<PostRef> {
        Merge::new(self, cut, Direction::Older)
            .take(limit)
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Older,
    Newer,
}

/// A k-way merge that starts at a cut and moves it along.
struct Merge<'t, 'a> {
    timeline: &'t Timeline<'a>,
    cut: Vec<usize>,
    direction: Direction,
    heap: BinaryHeap<Head<'a>>,
}

/// The next post of one stream; the heap's greatest is the next of all.
#[derive(PartialEq, Eq)]
struct Head<'a> {
    key: Key<'a>,
    stream: usize,
    direction: Direction,
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.direction {
            Direction::Older => self.key.cmp(&other.key),
            Direction::Newer => other.key.cmp(&self.key),
        }
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'t, 'a> Merge<'t, 'a> {
    fn new(timeline: &'t Timeline<'a>, cut: Vec<usize>, direction: Direction) -> Self {
        let mut merge = Self {
            timeline,
            cut,
            direction,
            heap: BinaryHeap::new(),
        };
        merge.heap = (0..timeline.streams.len())
            .filter_map(|i| merge.head(i))
            .collect();
        merge
    }

    fn head(&self, stream: usize) -> Option<Head<'a>> {
        let (author, posts) = *self.timeline.streams.get(stream)?;
        let cut = *self.cut.get(stream)?;
        let place = match self.direction {
            Direction::Newer => posts.places().get(cut)?,
            Direction::Older => posts.places().get(cut.checked_sub(1)?)?,
        };
        let key = Key {
            at: place.at,
            author,
            id: &place.id,
        };
        Some(Head {
            key,
            stream,
            direction: self.direction,
        })
    }
}

impl Iterator for Merge<'_, '_> {
    type Item = PostRef;

    fn next(&mut self) -> Option<PostRef> {
        let Head { key, stream, .. } = self.heap.pop()?;
        let post = PostRef {
            author: key.author.to_owned(),
            id: key.id.into(),
            at: key.at,
        };
        if let Some(cut) = self.cut.get_mut(stream) {
            *cut = match self.direction {
                Direction::Newer => cut.saturating_add(1),
                Direction::Older => cut.saturating_sub(1),
            };
        }
        self.heap.extend(self.head(stream));
        Some(post)
    }
}
