//! Subscriptions, as RFC 6121 (appendix A) has them.
//!
//! Where servers are free to differ, this follows ejabberd: an approval that nobody has asked for
//! counts if the other direction stands; or, where servers know pre-approval (section 3.4), as soon as somebody asks.

use crate::model::Model;
use crate::op::{Kind, Subscription, Who};

/// What one person's roster says of another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line {
    /// The nickname that the owner gave.
    pub name: &'static str,
    /// The owner sees the contact.
    pub to: bool,
    /// The contact sees the owner.
    pub from: bool,
    /// The owner has asked to see the contact, and waits.
    pub asks: bool,
    /// The contact has asked to see the owner, and waits.
    pub asked: bool,
    /// The owner has said yes before the contact asks.
    pub approved: bool,
}

impl Line {
    /// As an admin writes it.
    #[must_use]
    pub fn new(subscription: Subscription, name: &'static str) -> Self {
        let Subscription { to, from } = subscription;
        Self {
            name,
            to,
            from,
            ..Self::default()
        }
    }

    /// Whether a request is open. What remains of it when an admin writes over it differs from server to
    /// server, so in a walk admins leave such lines alone.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.asks || self.asked
    }

    /// Nothing but a request of the contact: no line that its owner is shown.
    fn is_hidden(&self) -> bool {
        self.asked && !self.asks && !self.to && !self.from
    }

    fn sent(&mut self, kind: Kind) {
        match kind {
            Kind::Subscribe => self.asks = !self.to,
            Kind::Subscribed if self.asked || self.to => (self.from, self.asked) = (true, false),
            Kind::Subscribed => {}
            Kind::Unsubscribe => (self.to, self.asks) = (false, false),
            Kind::Unsubscribed => {
                (self.from, self.asked, self.approved) = (false, false, false);
            }
        }
    }

    fn received(&mut self, kind: Kind) {
        match kind {
            Kind::Subscribe if self.approved => self.from = true,
            Kind::Subscribe => self.asked = !self.from,
            Kind::Subscribed if self.asks || self.from => (self.to, self.asks) = (true, false),
            Kind::Subscribed => {}
            Kind::Unsubscribe => (self.from, self.asked) = (false, false),
            Kind::Unsubscribed => (self.to, self.asks) = (false, false),
        }
    }

    /// What the server answers in the owner's name.
    fn reply(&self, received: Kind) -> Option<Kind> {
        match received {
            // ejabberd does not answer him again whom it has answered in that way.
            Kind::Subscribe if self.approved => (!self.from).then_some(Kind::Subscribed),
            Kind::Subscribe if self.from => Some(Kind::Subscribed),
            Kind::Unsubscribe if self.from || self.asked => Some(Kind::Unsubscribed),
            _ => None,
        }
    }
}

impl Model {
    /// What a roster says of a contact; a line that says nothing if he is not in it.
    #[must_use]
    pub fn line(&self, owner: Who, contact: Who) -> Line {
        self.lines
            .get(&(owner, contact))
            .copied()
            .unwrap_or_default()
    }

    fn change(&mut self, owner: Who, contact: Who, change: impl FnOnce(&mut Line)) {
        let old = self.line(owner, contact);
        let mut new = old;
        change(&mut new);
        if old.is_hidden() && !new.is_pending() && !new.to && !new.from {
            self.lines.remove(&(owner, contact));
        } else if new != old {
            self.lines.insert((owner, contact), new);
        }
    }

    /// A client sends a subscription stanza. To whom its user blocks it does not get.
    pub(crate) fn send(&mut self, from: Who, to: Who, kind: Kind) {
        let line = self.line(from, to);
        if self.pre_approves && kind == Kind::Subscribed && !line.asked {
            // The contact is not told before he asks.
            self.change(from, to, |line| line.approved |= !line.from);
            return;
        }
        self.change(from, to, |line| line.sent(kind));
        if !self.blocks.contains(&(from, to)) {
            self.arrive(from, to, kind);
        }
    }

    fn arrive(&mut self, from: Who, to: Who, kind: Kind) {
        if !self.accounts.contains(to) || self.blocks.contains(&(to, from)) {
            return;
        }
        let reply = self.line(to, from).reply(kind);
        self.change(to, from, |line| line.received(kind));
        if let Some(reply) = reply {
            self.arrive(to, from, reply);
        }
    }

    pub(crate) fn rename(&mut self, owner: Who, contact: Who, name: &'static str) {
        let line = self.lines.entry((owner, contact)).or_default();
        line.name = name;
        // As the client does not say it again.
        line.approved = false;
    }

    /// A contact goes; the server takes back what both could see.
    pub(crate) fn remove(&mut self, owner: Who, contact: Who) {
        let Some(line) = self.lines.remove(&(owner, contact)) else {
            return;
        };
        if line.to {
            self.arrive(owner, contact, Kind::Unsubscribe);
        }
        if line.from {
            self.arrive(owner, contact, Kind::Unsubscribed);
        }
    }
}
