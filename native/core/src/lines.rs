//! The lines of a roster, as the server gives them.
//!
//! Rosters can be written past XMPP, so a line may hold any bytes. One whose address is none is left
//! out, for nobody lives there; a bad name must not cost the right.

use crate::fanout;
use crate::friends::{Contact, Subscription};
use crate::jid::BareJid;

/// A line of which nothing is known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// The part of the contact's address before the `@`; empty if there is none.
    pub local: &'a [u8],
    /// The part after it.
    pub domain: &'a [u8],
    /// The nickname that the roster's owner gave; empty if none.
    pub name: &'a [u8],
    /// Who sees whom.
    pub subscription: Subscription,
}

impl<'a> RawLine<'a> {
    /// The contact; `None` if there is no such address. Copies address and name.
    ///
    /// ```
    /// use twitter_core::{friends::Subscription::Both, lines::RawLine};
    /// let line = RawLine { local: b"bob", domain: b"a.org", name: b"B\xffb", subscription: Both };
    /// let contact = line.contact().expect("an address");
    /// assert_eq!((contact.jid.as_str(), &*contact.name), ("bob@a.org", "B\u{fffd}b"));
    /// assert_eq!(RawLine { domain: b"a/b", ..line }.contact(), None);
    /// ```
    #[must_use]
    pub fn contact(&self) -> Option<Contact> {
        let (local, domain) = self.address()?;
        let jid = match local {
            "" => BareJid::parse(domain),
            local => BareJid::parse(&format!("{local}@{domain}")),
        };
        Some(Contact {
            jid: jid.ok()?,
            name: String::from_utf8_lossy(self.name).into_owned(),
            subscription: self.subscription,
        })
    }

    /// The same people for a fan-out, which needs no more of them. Copies nothing.
    ///
    /// ```
    /// use twitter_core::{friends::Subscription::Both, lines::RawLine};
    /// let line = RawLine { local: b"", domain: b"a.org", name: b"", subscription: Both };
    /// assert_eq!(line.for_fanout().map(|to| (to.local, to.domain)), Some(("", "a.org")));
    /// // Nobody gets into a roster by a line that only looks like him when it is written down.
    /// assert_eq!(RawLine { domain: b"bob@a.org", ..line }.for_fanout(), None);
    /// ```
    #[must_use]
    pub fn for_fanout(&self) -> Option<fanout::Line<'a>> {
        let (local, domain) = self.address()?;
        Some(fanout::Line {
            local,
            domain,
            subscription: self.subscription,
        })
    }

    fn address(&self) -> Option<(&'a str, &'a str)> {
        let local = std::str::from_utf8(self.local).ok()?;
        let domain = std::str::from_utf8(self.domain).ok()?;
        BareJid::is_made_of(local, domain).then_some((local, domain))
    }
}
