//! What a reader has not read, and what he is sent of it when he comes online.

use crate::model::{jid, Model, Outcome, Post};
use crate::op::{Session, Who};
use crate::posts::{Delivery, Entry, FRIENDS};

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
                self.has_read(session.who);
            }
        }
        Outcome {
            answers: vec![],
            deliveries,
        }
    }

    /// He has seen all that there is.
    pub fn has_read(&mut self, who: Who) {
        self.marks.insert(who, self.now);
    }

    fn is_available(&self, who: Who) -> bool {
        let mut sessions = self.sessions.iter();
        sessions.any(|(session, is_available)| session.who == who && *is_available)
    }

    fn missed(&self, to: Session) -> Vec<Delivery> {
        let mark = self.marks.get(to.who).copied().unwrap_or_default();
        let mut posts = self.friends_stream(to.who);
        posts.retain(|post| post.at > mark);
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
