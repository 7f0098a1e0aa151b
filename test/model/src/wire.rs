//! Ops, and what is expected after them, as terms: `twitter_play` and `twitter_walk` read them.

use crate::model::{jid, Post};
use crate::op::{Availability, Kind, Op, Part, Payload, Session, Subscription};
use crate::pages::Row;
use crate::posts::{Delivery, Entry};
use crate::term::{tagged, Term, ToTerm};
use crate::walk::{Contact, Look, Step};

impl ToTerm for Step {
    fn to_term(&self) -> Term {
        let answers = self.outcome.answers.to_term();
        let streams = self
            .streams
            .iter()
            .map(|(who, posts)| pair(who.to_term(), posts.to_term()));
        let looks = self
            .looks
            .iter()
            .map(|(who, look)| pair(who.to_term(), look.to_term()));
        let rosters = self
            .rosters
            .iter()
            .map(|(who, contacts)| pair(who.to_term(), contacts.to_term()));
        Term::Tuple(vec![
            Term::Number(i32::try_from(self.number).unwrap_or(i32::MAX)),
            self.op.to_term(),
            answers,
            self.outcome.deliveries.to_term(),
            Term::List(streams.collect()),
            Term::List(looks.collect()),
            Term::List(rosters.collect()),
        ])
    }
}

fn pair(one: Term, other: Term) -> Term {
    Term::Tuple(vec![one, other])
}

impl ToTerm for Session {
    fn to_term(&self) -> Term {
        pair(self.who.to_term(), self.resource.to_term())
    }
}

impl ToTerm for Subscription {
    fn to_term(&self) -> Term {
        Term::Atom(match (self.to, self.from) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        })
    }
}

impl ToTerm for Contact {
    fn to_term(&self) -> Term {
        pair(jid(self.0).to_term(), self.1.to_term())
    }
}

impl ToTerm for Kind {
    fn to_term(&self) -> Term {
        Term::Text(
            match self {
                Self::Subscribe => "subscribe",
                Self::Subscribed => "subscribed",
                Self::Unsubscribe => "unsubscribe",
                Self::Unsubscribed => "unsubscribed",
            }
            .to_owned(),
        )
    }
}

impl ToTerm for Availability {
    fn to_term(&self) -> Term {
        match self {
            Self::None => Term::Atom("none"),
            Self::Priority(priority) => Term::Number((*priority).into()),
        }
    }
}

impl ToTerm for Payload {
    fn to_term(&self) -> Term {
        match self {
            Self::Text(text) => tagged("text", [text.to_term()]),
            Self::Entry(title) => tagged("entry", [title.to_term()]),
            Self::Tune(artist, title) => tagged("tune", [artist.to_term(), title.to_term()]),
        }
    }
}

impl ToTerm for Post {
    fn to_term(&self) -> Term {
        Term::Tuple(vec![
            jid(self.author).to_term(),
            self.id.to_term(),
            self.payload.to_term(),
        ])
    }
}

impl ToTerm for Entry {
    fn to_term(&self) -> Term {
        match self {
            Self::Item(author, id, payload) => tagged(
                "item",
                [jid(author).to_term(), id.to_term(), payload.to_term()],
            ),
            Self::Retract(author, id) => tagged("retract", [jid(author).to_term(), id.to_term()]),
        }
    }
}

impl ToTerm for Delivery {
    fn to_term(&self) -> Term {
        let message = [
            self.node.to_term(),
            self.body.to_term(),
            self.entries.to_term(),
        ];
        pair(self.to.to_term(), Term::Tuple(message.to_vec()))
    }
}

impl ToTerm for Row {
    fn to_term(&self) -> Term {
        pair(self.node.to_term(), self.name.to_term())
    }
}

impl ToTerm for Look {
    fn to_term(&self) -> Term {
        match self {
            Self::MyFriends(rows) => tagged("my_friends", [rows.to_term()]),
            Self::Friend(author, posts) => {
                tagged("friend", [jid(author).to_term(), posts.to_term()])
            }
            Self::MyStream(posts) => tagged("my_stream", [posts.to_term()]),
            Self::MyRows(rows) => tagged("my_rows", [rows.to_term()]),
            Self::Pages(max, backward, posts) => {
                let direction = Term::Atom(if *backward { "backward" } else { "forward" });
                tagged("pages", [Term::Number(*max), direction, posts.to_term()])
            }
            Self::Rows(rows) => tagged("rows", [rows.to_term()]),
            Self::Post(id, post) => tagged("post", [id.to_term(), post.to_term()]),
        }
    }
}

impl ToTerm for Op {
    fn to_term(&self) -> Term {
        let text = ToTerm::to_term;
        match self {
            Self::Publish(session, id, payload) => {
                tagged("publish", [session.to_term(), text(id), payload.to_term()])
            }
            Self::Retract(session, id) => tagged("retract", [session.to_term(), text(id)]),
            Self::Purge(session) => tagged("purge", [session.to_term()]),
            Self::Send(session, whom, kind) => {
                tagged("send", [session.to_term(), text(whom), kind.to_term()])
            }
            Self::Rename(session, contact, name) => {
                tagged("rename", [session.to_term(), text(contact), text(name)])
            }
            Self::Remove(session, contact) => tagged("remove", [session.to_term(), text(contact)]),
            Self::Set(owner, contact, subscription, name) => tagged(
                "set",
                [
                    text(owner),
                    text(contact),
                    subscription.to_term(),
                    text(name),
                ],
            ),
            Self::Delete(owner, contact) => tagged("delete", [text(owner), text(contact)]),
            Self::Erase(owner, contact) => tagged("erase", [text(owner), text(contact)]),
            Self::Block(session, whom) => tagged("block", [session.to_term(), text(whom)]),
            Self::Unblock(session, whom) => tagged("unblock", [session.to_term(), text(whom)]),
            Self::UnblockAll(session) => tagged("unblock_all", [session.to_term()]),
            Self::Login(session, availability) => {
                tagged("login", [session.to_term(), availability.to_term()])
            }
            Self::Appear(session) => tagged("appear", [session.to_term()]),
            Self::Hide(session) => tagged("hide", [session.to_term()]),
            Self::Logout(session) => tagged("logout", [session.to_term()]),
            Self::Cut(session) => tagged("cut", [session.to_term()]),
            Self::Unregister(who) => tagged("unregister", [text(who)]),
            Self::Register(who) => tagged("register", [text(who)]),
            Self::Restart(part, ops) => tagged("restart", [part.to_term(), ops.to_term()]),
            Self::Reboot { killed } => tagged(
                "reboot",
                [Term::Atom(if *killed { "killed" } else { "stopped" })],
            ),
            Self::Burst(ops) => tagged("burst", [ops.to_term()]),
            Self::Several(ops) => tagged("several", [ops.to_term()]),
        }
    }
}

impl ToTerm for Part {
    fn to_term(&self) -> Term {
        match self {
            Self::Plugin => Term::Atom("plugin"),
            Self::Pubsub => Term::Atom("pubsub"),
            Self::Process(name) => Term::Atom(name),
        }
    }
}
