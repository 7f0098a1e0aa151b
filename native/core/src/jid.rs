//! Bare JIDs (RFC 7622), checked once at the edge.

use std::borrow::Borrow;
use std::fmt;

/// The longest part (local or domain) of a JID, in bytes (RFC 7622, sections 3.2 and 3.3).
const MAX_PART: usize = 1023;
/// The longest bare JID, in bytes.
pub(crate) const MAX: usize = 2 * MAX_PART + 1;

/// A bare JID, `local@domain` or `domain`, as ejabberd has already normalised it.
///
/// Only the shape is checked here: string preparation is the server's business.
///
/// ```
/// use twitter_core::jid::BareJid;
/// let alice = BareJid::parse("alice@example.org")?;
/// assert_eq!((alice.local(), alice.domain()), (Some("alice"), "example.org"));
/// assert!(BareJid::parse("alice@example.org/phone").is_err());
/// # Ok::<(), twitter_core::jid::InvalidJid>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BareJid(Box<str>);

/// Why a string is no bare JID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidJid(Reason);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reason {
    Empty,
    TooLong,
    Resource,
    Character,
}

impl BareJid {
    /// Checks `text` and copies it.
    ///
    /// # Errors
    /// The string is empty, has an empty or overlong part, a resource, or a character that no JID
    /// part may have.
    pub fn parse(text: &str) -> Result<Self, InvalidJid> {
        match text.split_once('@') {
            Some((local, domain)) => check(local).and(check(domain)),
            None => check(text),
        }
        .map_err(InvalidJid)?;
        Ok(Self(text.into()))
    }

    /// Whether these parts make a bare JID; an empty `local` is none. Copies nothing.
    ///
    /// ```
    /// use twitter_core::jid::BareJid;
    /// assert!(BareJid::is_made_of("alice", "example.org"));
    /// assert!(!BareJid::is_made_of("", "alice@example.org"), "that is the JID, not its domain");
    /// ```
    #[must_use]
    pub fn is_made_of(local: &str, domain: &str) -> bool {
        (local.is_empty() || check(local).is_ok()) && check(domain).is_ok()
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`; a server or component has none.
    #[must_use]
    pub fn local(&self) -> Option<&str> {
        self.0.split_once('@').map(|(local, _)| local)
    }

    /// The part after the `@`, or everything.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0
            .split_once('@')
            .map_or(&*self.0, |(_, domain)| domain)
    }
}

/// One part of a bare JID.
fn check(part: &str) -> Result<(), Reason> {
    if part.is_empty() {
        return Err(Reason::Empty);
    }
    if part.len() > MAX_PART {
        return Err(Reason::TooLong);
    }
    let is_bad = |c: char| c == '@' || c.is_whitespace() || c.is_control();
    match part.chars().find(|c| *c == '/' || is_bad(*c)) {
        Some('/') => Err(Reason::Resource),
        Some(_) => Err(Reason::Character),
        None => Ok(()),
    }
}

impl Borrow<str> for BareJid {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BareJid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BareJid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for InvalidJid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Reason::Empty => "a JID or one of its parts is empty",
            Reason::TooLong => "a part of the JID is longer than 1023 bytes",
            Reason::Resource => "a bare JID has no resource",
            Reason::Character => "the JID has a character that is not allowed in one",
        })
    }
}

impl std::error::Error for InvalidJid {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        for good in ["a@b", "b", "a!%@b", "ü@münchen.example", "127.0.0.1"] {
            assert_eq!(BareJid::parse(good).map(|j| j.to_string()), Ok(good.into()));
        }
        for (bad, message) in [
            ("", "a JID or one of its parts is empty"),
            ("@b", "a JID or one of its parts is empty"),
            ("a@", "a JID or one of its parts is empty"),
            ("a@b/c", "a bare JID has no resource"),
            (
                "a@b@c",
                "the JID has a character that is not allowed in one",
            ),
            (
                "a b@c",
                "the JID has a character that is not allowed in one",
            ),
            (
                &"x".repeat(1024),
                "a part of the JID is longer than 1023 bytes",
            ),
        ] {
            assert_eq!(
                BareJid::parse(bad).map_err(|e| e.to_string()),
                Err(message.into())
            );
        }
    }
}
