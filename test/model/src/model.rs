//! The world: accounts, sessions, rosters, blocks, posts.

use std::collections::{BTreeMap, BTreeSet};

use crate::missed::Mark;
use crate::op::{Availability, Op, Part, Payload, Session, Who};
use crate::posts::Delivery;
use crate::roster::Line;

/// Everything that the server keeps.
#[derive(Debug, Clone)]
pub struct Model {
    /// All people of this walk, with or without an account.
    pub people: Vec<Who>,
    /// How many posts of one author are kept.
    pub max_posts: usize,
    /// How many posts that he missed somebody is sent who comes online.
    pub catch_up: usize,
    /// Whether the server knows approvals that come before the request, as ejabberd does since 26.03.
    pub pre_approves: bool,
    /// Whether the plugin and `mod_pubsub` run.
    pub is_served: bool,
    /// Who has an account.
    pub accounts: BTreeSet<Who>,
    /// Sessions, and whether each is available.
    pub sessions: BTreeMap<Session, bool>,
    /// Rosters: owner and contact, and what stands there.
    pub lines: BTreeMap<(Who, Who), Line>,
    /// Who blocks whom.
    pub blocks: BTreeSet<(Who, Who)>,
    /// All posts of all authors, oldest first.
    pub posts: Vec<Post>,
    /// How many posts there ever were: the time.
    pub now: u64,
    /// What each has read.
    pub marks: BTreeMap<Who, Mark>,
}

/// A post as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Whose.
    pub author: Who,
    /// Unique among the posts of the author.
    pub id: &'static str,
    /// As last published.
    pub payload: Payload,
    /// When it was first published.
    pub at: u64,
}

/// What an op leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The answer to each request of a client that can be refused: a condition, or none.
    pub answers: Vec<Option<&'static str>>,
    /// What is sent, in its order.
    pub deliveries: Vec<Delivery>,
}

impl Model {
    /// Nobody has an account yet.
    #[must_use]
    pub fn new(people: &[Who], max_posts: usize, catch_up: usize) -> Self {
        Self {
            people: people.to_vec(),
            max_posts,
            catch_up,
            pre_approves: false,
            is_served: true,
            accounts: BTreeSet::new(),
            sessions: BTreeMap::new(),
            lines: BTreeMap::new(),
            blocks: BTreeSet::new(),
            posts: Vec::new(),
            now: 0,
            marks: BTreeMap::new(),
        }
    }

    /// Lets it happen.
    pub fn apply(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Publish(session, id, payload) => return self.publish(*session, id, payload),
            Op::Retract(session, id) => return self.retract(*session, id),
            Op::Purge(session) => return self.purge(*session),
            Op::Send(session, whom, kind) => self.send(session.who, whom, *kind),
            Op::Rename(session, contact, name) => self.rename(session.who, contact, name),
            Op::Remove(Session { who: owner, .. }, contact) | Op::Delete(owner, contact) => {
                self.remove(owner, contact);
            }
            Op::Set(owner, contact, subscription, name) => {
                let line = Line::new(*subscription, name);
                self.lines.insert((owner, contact), line);
            }
            Op::Erase(owner, contact) => drop(self.lines.remove(&(*owner, *contact))),
            Op::Block(session, whom) => drop(self.blocks.insert((session.who, whom))),
            Op::Unblock(session, whom) => drop(self.blocks.remove(&(session.who, *whom))),
            Op::UnblockAll(session) => self.blocks.retain(|(who, _)| *who != session.who),
            Op::Login(session, Availability::None) | Op::Hide(session) => {
                self.presence(*session, Some(false));
            }
            Op::Login(session, Availability::Priority(_)) | Op::Appear(session) => {
                return self.presence(*session, Some(true));
            }
            Op::Logout(session) | Op::Cut(session) => drop(self.presence(*session, None)),
            Op::Register(who) => drop(self.accounts.insert(who)),
            Op::Unregister(who) => self.unregister(who),
            Op::Reboot { .. } => {
                for session in self.sessions.clone().into_keys() {
                    self.presence(session, None);
                }
            }
            Op::Restart(part, ops) => {
                self.is_served = matches!(part, Part::Process(_));
                let outcome = self.all(ops);
                self.is_served = true;
                return outcome;
            }
            Op::Burst(ops) | Op::Several(ops) => return self.all(ops),
        }
        Outcome::default()
    }

    fn all(&mut self, ops: &[Op]) -> Outcome {
        let mut all = Outcome::default();
        for op in ops {
            let Outcome {
                answers,
                deliveries,
            } = self.apply(op);
            all.answers.extend(answers);
            all.deliveries.extend(deliveries);
        }
        all
    }

    /// All that is somebody's goes; what others have noted about him stays, but for what his server
    /// tells them.
    fn unregister(&mut self, who: Who) {
        self.accounts.remove(who);
        for contact in self.people.clone() {
            self.remove(who, contact);
        }
        self.lines.retain(|(owner, _), _| *owner != who);
        self.blocks.retain(|(owner, _)| *owner != who);
        self.posts.retain(|post| post.author != who);
        self.sessions.retain(|session, _| session.who != who);
        self.marks.remove(who);
    }

    /// Whether one of them blocks the other.
    #[must_use]
    pub fn is_blocked(&self, one: Who, other: Who) -> bool {
        self.blocks.contains(&(one, other)) || self.blocks.contains(&(other, one))
    }

    /// Whether a post of the author goes to the reader: the author's roster says `from` or `both`, and
    /// neither blocks the other.
    #[must_use]
    pub fn is_entitled(&self, reader: Who, author: Who) -> bool {
        self.accounts.contains(author)
            && self.line(author, reader).from
            && !self.is_blocked(reader, author)
    }

    /// Whether the author is a friend of the reader: he is entitled, and his own roster says `to` or
    /// `both`.
    #[must_use]
    pub fn is_friend(&self, reader: Who, author: Who) -> bool {
        self.is_entitled(reader, author) && self.line(reader, author).to
    }
}

/// The bare address.
#[must_use]
pub fn jid(who: Who) -> String {
    format!("{who}@localhost")
}
