//! Many streams merged into one list, and pages of it.
//!
//! The order and its cursors are in [`crate::cursor`].

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use ahash::AHashMap;

use crate::cursor::{Cursor, Key};
use crate::stream::{ItemId, Micros, Place, Stream};
use crate::unread::Gap;

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

impl Anchor {
    /// Whether the page ends there: else it begins there.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::End | Self::Before(_))
    }
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
    fn new(author: &str, place: &Place) -> Self {
        Self {
            author: author.to_owned(),
            id: ItemId::clone(&place.id),
            at: place.at,
        }
    }

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
    /// the first term once for each bit of the time between the ends, and as many steps more as
    /// posts share the moment.
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
        let direction = if older {
            Direction::Older
        } else {
            Direction::Newer
        };
        let mut posts = self.merge(cut, direction, *limit);
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
        // The merge gives what is nearest to the cut first.
        if older == forward {
            posts.reverse();
        }
        Page {
            posts,
            index,
            count,
        }
    }

    /// All posts with one of these ids: in the order of the ids, each id once, and of the posts that
    /// share one the newest first. Cost: O(posts + ids).
    #[must_use]
    pub fn find(&self, ids: &[&str]) -> Vec<PostRef> {
        let mut ranks: AHashMap<&str, usize> = AHashMap::with_capacity(ids.len());
        for (rank, id) in ids.iter().enumerate() {
            ranks.entry(id).or_insert(rank);
        }
        let mut found: Vec<(usize, PostRef)> = Vec::new();
        for (author, stream) in &self.streams {
            found.extend(stream.places().iter().filter_map(|place| {
                let rank = ranks.get(&*place.id)?;
                Some((*rank, PostRef::new(author, place)))
            }));
        }
        found.sort_by(|(a_rank, a), (b_rank, b)| {
            a_rank
                .cmp(b_rank)
                .then((b.at, &b.author).cmp(&(a.at, &a.author)))
        });
        found.into_iter().map(|(_, post)| post).collect()
    }

    /// How many posts lie in these gaps, which do not touch each other and come oldest first; and the newest
    /// of them, newest first. Cost: O(F G log n + L log F) for F streams of n posts, G gaps and L posts.
    #[must_use]
    pub fn missed(&self, gaps: &[Gap], limit: usize) -> (Vec<PostRef>, usize) {
        let mut posts = Vec::new();
        let mut count = 0usize;
        for gap in gaps.iter().rev() {
            let end = self.cut_after(gap.until());
            let start = self.cut_after(Some(gap.after()));
            let within = end.iter().sum::<usize>().saturating_sub(start.iter().sum());
            let wanted = within.min(limit.saturating_sub(posts.len()));
            posts.extend(self.merge(end, Direction::Older, wanted));
            count = count.saturating_add(within);
        }
        (posts, count)
    }

    /// Before it lies what is not later than a moment.
    fn cut_after(&self, until: Option<Micros>) -> Vec<usize> {
        let Some(until) = until else {
            return self.cut_at_end(true);
        };
        let streams = self.streams.iter().map(|(_, stream)| stream.places());
        streams
            .map(|places| places.partition_point(|place| place.at <= until))
            .collect()
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

    /// The cut that has `rank` posts before it: found by time, then counted among the posts that
    /// share that moment.
    fn cut_at_rank(&self, rank: usize, count: usize) -> Vec<usize> {
        if rank >= count {
            return self.cut_at_end(true);
        }
        let before = |at: Micros| -> Vec<usize> {
            self.streams
                .iter()
                .map(|(_, stream)| stream.places().partition_point(|place| place.at < at))
                .collect()
        };
        // The latest moment with at most `rank` posts before it: the one of the post at `rank`.
        let times = |end: fn(&[Place]) -> Option<&Place>| {
            let ends = self.streams.iter().map(move |(_, s)| end(s.places()));
            ends.flatten().map(|place| place.at.0)
        };
        let mut low = times(<[Place]>::first).min().unwrap_or_default();
        let mut high = times(<[Place]>::last).max().unwrap_or_default();
        while low < high {
            let middle = low.midpoint(high).saturating_add(1).min(high);
            if before(Micros(middle)).iter().sum::<usize>() <= rank {
                low = middle;
            } else {
                high = middle.saturating_sub(1);
            }
        }
        let cut = before(Micros(low));
        let shared = rank.saturating_sub(cut.iter().sum());
        let mut merge = Merge::new(self, cut, Direction::Newer);
        merge.by_ref().take(shared).for_each(drop);
        merge.cut
    }

    fn merge(&self, cut: Vec<usize>, direction: Direction, limit: usize) -> Vec<PostRef> {
        Merge::new(self, cut, direction)
            .take(limit)
            .map(|(author, place)| PostRef::new(author, place))
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
struct Head<'a> {
    author: &'a str,
    place: &'a Place,
    stream: usize,
    direction: Direction,
}

impl<'a> Head<'a> {
    fn key(&self) -> Key<'a> {
        Key {
            at: self.place.at,
            author: self.author,
            id: &self.place.id,
        }
    }
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.direction {
            Direction::Older => self.key().cmp(&other.key()),
            Direction::Newer => other.key().cmp(&self.key()),
        }
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head<'_> {}

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
        Some(Head {
            author,
            place,
            stream,
            direction: self.direction,
        })
    }
}

impl<'a> Iterator for Merge<'_, 'a> {
    type Item = (&'a str, &'a Place);

    fn next(&mut self) -> Option<(&'a str, &'a Place)> {
        let head = self.heap.pop()?;
        if let Some(cut) = self.cut.get_mut(head.stream) {
            *cut = match self.direction {
                Direction::Newer => cut.saturating_add(1),
                Direction::Older => cut.saturating_sub(1),
            };
        }
        self.heap.extend(self.head(head.stream));
        Some((head.author, head.place))
    }
}
