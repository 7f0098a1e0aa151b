//! Who sees whom, as one user's roster tells it.
//!
//! A roster is a snapshot that the server gave at this moment. It says what its *owner* agreed to;
//! blocks (XEP-0191) and the other side's roster are asked where the server keeps them.

use std::collections::BTreeMap;

use crate::jid::BareJid;
use crate::title::one_line;

/// The state of a presence subscription, from the roster owner's side (RFC 6121, section 2.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscription {
    /// Nobody sees anybody.
    None,
    /// The owner sees the contact.
    To,
    /// The contact sees the owner.
    From,
    /// Both.
    Both,
}

impl Subscription {
    /// The owner sees the contact's presence.
    #[must_use]
    pub fn sees(self) -> bool {
        matches!(self, Self::To | Self::Both)
    }

    /// The contact sees the owner's presence.
    #[must_use]
    pub fn is_seen(self) -> bool {
        matches!(self, Self::From | Self::Both)
    }

    fn or(self, other: Self) -> Self {
        match (
            self.sees() || other.sees(),
            self.is_seen() || other.is_seen(),
        ) {
            (false, false) => Self::None,
            (true, false) => Self::To,
            (false, true) => Self::From,
            (true, true) => Self::Both,
        }
    }
}

/// One line of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Who.
    pub jid: BareJid,
    /// The nickname that the roster's owner gave; empty if none.
    pub name: String,
    /// Who sees whom.
    pub subscription: Subscription,
}

/// A contact whose presence the reader may see, under the name the reader knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Friend {
    /// The nickname in the reader's roster as one clean line, else the JID.
    pub name: String,
    /// Who.
    pub jid: BareJid,
}

/// One user's roster: each contact once, never the owner himself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    contacts: BTreeMap<BareJid, (String, Subscription)>,
}

impl Roster {
    /// Takes the server's lines. A contact that stands in several of them (shared groups, JIDs that
    /// differ in the resource only) has every right that one of them gives. Cost: O(n log n).
    #[must_use]
    pub fn new(owner: &BareJid, lines: impl IntoIterator<Item = Contact>) -> Self {
        let mut contacts: BTreeMap<BareJid, (String, Subscription)> = BTreeMap::new();
        for line in lines.into_iter().filter(|line| line.jid != *owner) {
            let entry = contacts
                .entry(line.jid)
                .or_insert_with(|| (String::new(), Subscription::None));
            entry.1 = entry.1.or(line.subscription);
            // Of the names that show something, the first.
            if one_line(&entry.0).is_empty() {
                entry.0 = line.name;
            }
        }
        Self { contacts }
    }

    /// The contacts whose presence the owner may see, sorted by name, then by JID.
    #[must_use]
    pub fn friends(&self) -> Vec<Friend> {
        let mut friends: Vec<Friend> = self
            .contacts
            .iter()
            .filter(|(_, (_, subscription))| subscription.sees())
            .map(|(jid, (name, _))| Friend {
                name: match one_line(name) {
                    name if name.is_empty() => jid.to_string(),
                    name => name,
                },
                jid: jid.clone(),
            })
            .collect();
        friends.sort_by(|a, b| (&a.name, &a.jid).cmp(&(&b.name, &b.jid)));
        friends
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Subscription::{Both, From, None, To};

    fn contact(jid: &str, name: &str, subscription: Subscription) -> Contact {
        Contact {
            jid: BareJid::parse(jid).unwrap_or_else(|e| unreachable!("{jid}: {e}")),
            name: name.into(),
            subscription,
        }
    }

    #[test]
    fn rights_follow_the_subscription() -> Result<(), crate::jid::InvalidJid> {
        let alice = BareJid::parse("alice@h")?;
        let roster = Roster::new(
            &alice,
            [
                contact("none@h", "None", None),
                contact("to@h", "To\n\u{202e}", To),
                contact("from@h", "From", From),
                contact("both@h", " ", Both),
                contact("alice@h", "Myself", Both),
                contact("twice@h", "", To),
                contact("twice@h", "\u{200b}", From),
                contact("twice@h", "Twice", From),
                contact("twice@h", "Thrice", From),
            ],
        );
        let friends: Vec<_> = roster
            .friends()
            .into_iter()
            .map(|f| (f.name, f.jid.to_string()))
            .collect();
        assert_eq!(
            friends,
            [("To", "to@h"), ("Twice", "twice@h"), ("both@h", "both@h")]
                .map(|(n, j)| (n.to_owned(), j.to_owned()))
        );
        Ok(())
    }
}
