//! Publishing, and who is sent what.

use crate::model::{jid, Model, Outcome, Post};
use crate::op::{Payload, Session, Who};

/// Where a friend finds the posts of all friends.
pub const FRIENDS: &str = "/twitter/FriendsStream";
/// Where an author finds his own.
pub const MINE: &str = "/twitter/MyStream";

/// A message as a session receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// To which session.
    pub to: Session,
    /// The node that it comes from.
    pub node: &'static str,
    /// The plain text.
    pub body: Option<String>,
    /// What it tells, in its order.
    pub entries: Vec<Entry>,
}

/// What an event tells of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It is there, or is another now.
    Item(Who, &'static str, Payload),
    /// It is gone.
    Retract(Who, &'static str),
}

impl Payload {
    /// What a person reads in it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Entry(text) => text.clone(),
            Self::Tune(artist, title) => format!("{artist} {title}"),
        }
    }
}

impl Model {
    pub(crate) fn publish(&mut self, by: Session, id: &'static str, payload: &Payload) -> Outcome {
        let author = by.who;
        let mut all = self.posts.iter_mut();
        match all.find(|post| post.author == author && post.id == id) {
            // It keeps its place.
            Some(post) => post.payload = payload.clone(),
            None => {
                self.now = self.now.saturating_add(1);
                let payload = payload.clone();
                self.posts.push(Post {
                    author,
                    id,
                    payload,
                    at: self.now,
                });
            }
        }
        // The oldest go, and nobody is told.
        while self
            .posts
            .iter()
            .filter(|post| post.author == author)
            .count()
            > self.max_posts
        {
            let oldest = self.posts.iter().position(|post| post.author == author);
            oldest.map(|oldest| self.posts.remove(oldest));
        }
        let body = format!("{}: {}", jid(author), payload.text());
        let entry = Entry::Item(author, id, payload.clone());
        self.deliver(by, Some(&body), &[entry])
    }

    pub(crate) fn retract(&mut self, by: Session, id: &'static str) -> Outcome {
        let before = self.posts.len();
        self.posts
            .retain(|post| post.author != by.who || post.id != id);
        if self.posts.len() == before {
            return Outcome {
                answers: vec![Some("item-not-found")],
                deliveries: vec![],
            };
        }
        self.deliver(by, None, &[Entry::Retract(by.who, id)])
    }

    pub(crate) fn purge(&mut self, by: Session) -> Outcome {
        let (gone, kept): (Vec<Post>, Vec<Post>) =
            self.posts.drain(..).partition(|post| post.author == by.who);
        self.posts = kept;
        let entries: Vec<Entry> = gone
            .iter()
            .map(|post| Entry::Retract(by.who, post.id))
            .collect();
        self.deliver(by, None, &entries)
    }

    /// To every available session of everybody entitled, and to the author's others.
    fn deliver(&self, by: Session, body: Option<&String>, entries: &[Entry]) -> Outcome {
        let mut deliveries = vec![];
        for (to, is_available) in &self.sessions {
            let is_own = to.who == by.who;
            let gets_it = if is_own {
                *to != by
            } else {
                self.is_entitled(to.who, by.who)
            };
            if *is_available && gets_it && !entries.is_empty() {
                deliveries.push(Delivery {
                    to: *to,
                    node: if is_own { MINE } else { FRIENDS },
                    body: body.filter(|_| !is_own).cloned(),
                    entries: entries.to_vec(),
                });
            }
        }
        Outcome {
            answers: vec![None],
            deliveries,
        }
    }
}
