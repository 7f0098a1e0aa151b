//! What a reader has not read, and what he is sent of it when he comes online.

use std::ops::RangeInclusive;

use crate::model::{jid, Model, Outcome, Post};
use crate::op::{Session, Who};
use crate::posts::{Delivery, Entry, FRIENDS};

/// What somebody has read: everything that was posted until then, since it was sent to him; and what was posted
/// later between two posts that he was shown, both included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    until: u64,
    shown: Vec<RangeInclusive<u64>>,
}

impl Mark {
    fn until(now: u64) -> Self {
        Self {
            until: now,
            shown: vec![],
        }
    }

    fn has(&self, at: u64) -> bool {
        at <= self.until || self.shown.iter().any(|shown| shown.contains(&at))
    }
}

impl Model {
    /// A session is there, available or not, or is there no more. Who was not available in any is sent
    /// the newest posts that he has not read, and has read everything then.
    pub(crate) fn presence(&mut self, session: Session, now: Option<bool>) -> Outcome {
        let was_available = self.is_available(session.who);
        match now {
            Some(is_available) => self.sessions.insert(session, is_available),
            None => self.sessions.remove(&session),
        };
        let is_available = self.is_available(session.who);
        let mut deliveries = vec![];
        // While nothing is served nobody notices; nor is there anything new.
        if self.is_served {
            if !was_available && is_available {
                deliveries = self.missed(session);
            }
            if was_available || is_available {
                self.marks.insert(session.who, Mark::until(self.now));
            }
        }
        Outcome {
            answers: vec![],
            deliveries,
        }
    }

    /// He is shown FriendsStream as it is now. To whom posts are pushed, he has read also those that are not in it
    /// any more, or not yet.
    pub fn has_read(&mut self, who: Who) {
        let (is_available, now) = (self.is_available(who), self.now);
        let stream = self.friends_stream(who);
        let mark = self.marks.entry(who).or_default();
        if is_available {
            *mark = Mark::until(now);
        } else if let [oldest, .., newest] | [oldest @ newest] = stream.as_slice() {
            mark.shown.push(oldest.at..=newest.at);
        }
    }

    fn is_available(&self, who: Who) -> bool {
        let mut sessions = self.sessions.iter();
        sessions.any(|(session, is_available)| session.who == who && *is_available)
    }

    fn missed(&self, to: Session) -> Vec<Delivery> {
        let mark = self.marks.get(to.who).cloned().unwrap_or_default();
        let mut posts = self.friends_stream(to.who);
        posts.retain(|post| !mark.has(post.at));
        let newest = posts.len().saturating_sub(self.catch_up);
        let delivery = |post: &Post| Delivery {
            to,
            node: FRIENDS,
            body: Some(format!("{}: {}", jid(post.author), post.payload.text())),
            entries: vec![Entry::Item(post.author, post.id, post.payload.clone())],
        };
        posts.iter().skip(newest).map(delivery).collect()
    }
}
