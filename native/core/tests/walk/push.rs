//! Whom a post goes to.

use std::collections::BTreeSet;

use twitter_core::fanout::{self, Next, Recipients};
use twitter_core::jid::BareJid;
use twitter_model::model::Outcome;
use twitter_model::op::{Op, Session, Who};
use twitter_model::posts::{FRIENDS, MINE};

use crate::payloads::read;
use crate::world::{jid, World};

/// As often as the Erlang layer.
const MAX_READS: usize = 3;
const DOMAIN: &str = "localhost";

impl World {
    pub fn check_deliveries(&self, op: &Op, outcome: &Outcome) {
        let (Op::Publish(by, ..) | Op::Retract(by, _) | Op::Purge(by)) = op else {
            assert!(outcome.deliveries.is_empty());
            return;
        };
        if let Op::Publish(_, _, payload) = op {
            let text = read(payload, |payload| {
                format!("{}: {}", jid(by.who), payload.text())
            });
            assert!(outcome
                .deliveries
                .iter()
                .filter_map(|to| to.body.as_ref())
                .all(|body| *body == text));
        }
        let expected = |node| -> BTreeSet<Session> {
            let of = outcome
                .deliveries
                .iter()
                .filter(|delivery| delivery.node == node);
            of.map(|delivery| delivery.to).collect()
        };
        let tells = matches!(outcome.answers.as_slice(), [None])
            && (!matches!(op, Op::Purge(_)) || !outcome.deliveries.is_empty());
        if tells {
            assert_eq!(self.friends_sessions(by.who), expected(FRIENDS));
            let own = self
                .online
                .sessions(by.who)
                .into_iter()
                .map(|session| session.address);
            assert_eq!(
                own.filter(|session| session != by).collect::<BTreeSet<_>>(),
                expected(MINE)
            );
        }
    }

    /// To whom a post goes.
    fn friends_sessions(&self, author: Who) -> BTreeSet<Session> {
        let here = [(DOMAIN, &self.online)];
        let name = jid(author);
        let mut recipients = self.recipients(author);
        let mut got = BTreeSet::new();
        loop {
            match recipients.next(&here) {
                Next::Portion(portion) => {
                    for session in portion.into_iter().filter_map(|to| to.sessions).flatten() {
                        // The core knows nothing of blocks: they are asked for each session.
                        let is_blocked = self.model.is_blocked(session.address.who, author);
                        assert!(
                            is_blocked || got.insert(session.address),
                            "it gets it twice"
                        );
                    }
                }
                Next::Recheck => assert!(self.rosters.recheck(&name, &mut recipients)),
                Next::Done => return got,
            }
        }
    }

    fn recipients(&self, author: Who) -> Recipients {
        let here = [(DOMAIN, &self.online)];
        let name = jid(author);
        for _ in 0..=MAX_READS {
            if let Some(recipients) = self.rosters.recipients(&name, &here, &[DOMAIN]) {
                return recipients;
            }
            let version = self.rosters.version(&name);
            let readers = self
                .model
                .people
                .iter()
                .filter(|reader| self.model.line(author, reader).from);
            let readers: Vec<BareJid> = readers.map(|reader| jid(reader)).collect();
            self.rosters
                .load(&name, version, readers.iter().map(BareJid::as_str));
        }
        let lines = self.model.people.iter().map(|contact| fanout::Line {
            local: contact,
            domain: DOMAIN,
            subscription: self.subscription(author, contact),
        });
        Recipients::of(&name, lines, &here, &[DOMAIN])
    }
}
