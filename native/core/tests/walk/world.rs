//! What the core is told, and what it remembers.

use std::collections::BTreeSet;

use twitter_core::friends::Subscription;
use twitter_core::jid::BareJid;
use twitter_core::online::Online;
use twitter_core::rosters::Rosters;
use twitter_core::service::{Offer, Service};
use twitter_core::stream::{Micros, Place};
use twitter_model::model::{self, Model, Post};
use twitter_model::op::{Op, Session, Who, PEOPLE};

use crate::payloads::bytes;

const MAX_POSTS: usize = 3;

/// What the core is told and what it remembers, beside the truth: the model stands for ejabberd's
/// rosters, sessions and storage too.
pub struct World {
    pub model: Model,
    pub rosters: Rosters,
    pub online: Online<Session>,
    pub service: Service,
    budget: usize,
}

pub fn jid(who: Who) -> BareJid {
    let text = model::jid(who);
    BareJid::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

pub fn place(post: &Post) -> Place {
    Place {
        at: Micros(post.at),
        id: post.id.into(),
    }
}

impl World {
    pub fn new(people: usize, budget: usize) -> Self {
        let people: Vec<Who> = PEOPLE.into_iter().take(people).collect();
        Self {
            model: Model::new(&people, MAX_POSTS, 0),
            rosters: Rosters::new(budget),
            online: Online::default(),
            service: Service::new(budget, budget),
            budget,
        }
    }

    pub fn step(&mut self, op: &Op) {
        self.play(op);
        self.check_pages();
    }

    fn play(&mut self, op: &Op) {
        match op {
            Op::Burst(ops) | Op::Several(ops) => ops.iter().for_each(|op| self.play(op)),
            // Nobody hears of what happens meanwhile; what was remembered is lost.
            Op::Restart(..) | Op::Reboot { .. } => {
                let before = self.model.clone();
                self.model.apply(op);
                self.rosters = Rosters::new(self.budget);
                self.service = Service::new(self.budget, self.budget);
                self.sessions_changed(&before);
            }
            _ => {
                let before = self.model.clone();
                let mut after = before.clone();
                let outcome = after.apply(op);
                let people = before.people.iter().copied();
                let roster = |model: &Model, who: Who| {
                    model
                        .people
                        .iter()
                        .map(|contact| model.line(who, contact))
                        .collect::<Vec<_>>()
                };
                let changed: Vec<BareJid> = people
                    .filter(|who| roster(&before, who) != roster(&after, who))
                    .map(jid)
                    .collect();
                changed
                    .iter()
                    .for_each(|owner| self.rosters.begin_change(owner));
                self.model = after;
                changed
                    .iter()
                    .for_each(|owner| self.rosters.end_change(owner));
                self.sessions_changed(&before);
                self.posts_changed(op, &before);
                self.check_deliveries(op, &outcome);
            }
        }
    }

    fn sessions_changed(&self, before: &Model) {
        let available = |model: &Model| -> BTreeSet<Session> {
            let sessions = model
                .sessions
                .iter()
                .filter(|(_, is_available)| **is_available);
            sessions.map(|(session, _)| *session).collect()
        };
        let (old, new) = (available(before), available(&self.model));
        for session in old.difference(&new) {
            assert!(self.online.leave(session.who, *session));
        }
        for session in new.difference(&old) {
            assert!(self.online.arrive(session.who, *session, session.resource));
        }
    }

    fn posts_changed(&self, op: &Op, before: &Model) {
        match op {
            Op::Purge(Session { who, .. }) | Op::Unregister(who) => self.service.forget(&jid(who)),
            _ => {
                for post in self
                    .model
                    .posts
                    .iter()
                    .filter(|post| !before.posts.contains(post))
                {
                    let author = jid(post.author);
                    let version = self.service.version(&author);
                    let offer = self.service.put(&author, version, place(post), bytes(post));
                    assert_eq!(offer, Offer::Taken);
                }
                let is_there = |post: &Post| {
                    self.model
                        .posts
                        .iter()
                        .any(|now| now.author == post.author && now.id == post.id)
                };
                for post in before.posts.iter().filter(|post| !is_there(post)) {
                    let author = jid(post.author);
                    let version = self.service.version(&author);
                    assert_eq!(self.service.remove(&author, version, post.id), Offer::Taken);
                }
            }
        }
    }

    pub fn subscription(&self, owner: Who, contact: Who) -> Subscription {
        let line = self.model.line(owner, contact);
        match (line.to, line.from) {
            (false, false) => Subscription::None,
            (true, false) => Subscription::To,
            (false, true) => Subscription::From,
            (true, true) => Subscription::Both,
        }
    }
}
