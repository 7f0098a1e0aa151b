//! Whom a post is sent to, and in what portions.

use std::collections::BTreeMap;

use crate::friends::Roster;
use crate::jid::BareJid;

/// Everybody who may see an author's presence, by where he lives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recipients {
    /// Users of this server.
    pub local: Vec<BareJid>,
    /// Users of other servers, grouped by domain, each domain once.
    pub remote: Vec<(String, Vec<BareJid>)>,
}

impl Recipients {
    /// Groups the readers of `roster`; `is_local` tells the domains that this server hosts.
    /// Each recipient appears once. Cost: O(n log d) for n readers on d other domains.
    ///
    /// ```
    /// use twitter_core::{fanout::Recipients, jid::BareJid};
    /// use twitter_core::friends::{Contact, Roster, Subscription};
    /// let line = |jid, subscription| BareJid::parse(jid)
    ///     .map(|jid| Contact { jid, name: String::new(), subscription });
    /// let roster = Roster::new(&BareJid::parse("alice@a.org")?, [
    ///     line("bob@a.org", Subscription::Both)?,
    ///     line("carol@c.org", Subscription::From)?,
    ///     line("dave@a.org", Subscription::To)?,
    /// ]);
    /// let to = Recipients::of(&roster, |domain| domain == "a.org");
    /// assert_eq!(to.local, [BareJid::parse("bob@a.org")?]);
    /// assert_eq!(to.remote, [("c.org".to_owned(), vec![BareJid::parse("carol@c.org")?])]);
    /// # Ok::<(), twitter_core::jid::InvalidJid>(())
    /// ```
    #[must_use]
    pub fn of(roster: &Roster, is_local: impl Fn(&str) -> bool) -> Self {
        let mut local = Vec::new();
        let mut remote: BTreeMap<&str, Vec<BareJid>> = BTreeMap::new();
        for reader in roster.readers() {
            if is_local(reader.domain()) {
                local.push(reader.clone());
            } else {
                remote
                    .entry(reader.domain())
                    .or_default()
                    .push(reader.clone());
            }
        }
        let remote = remote
            .into_iter()
            .map(|(domain, readers)| (domain.to_owned(), readers))
            .collect();
        Self { local, remote }
    }
}

/// Cuts a list of ids that one message would carry into lists for several, each of at most `max_bytes`
/// of ids, or of one id that is longer. Keeps the order. Cost: O(ids).
///
/// ```
/// use twitter_core::fanout::batches;
/// assert_eq!(batches(&["aa", "bb", "cccccc", "d"], 4), [&["aa", "bb"][..], &["cccccc"], &["d"]]);
/// ```
#[must_use]
pub fn batches<'i, 's>(ids: &'i [&'s str], max_bytes: usize) -> Vec<&'i [&'s str]> {
    let mut bytes: usize = 0;
    let mut lists = Vec::new();
    let mut rest = ids;
    let mut taken: usize = 0;
    for id in ids {
        bytes = bytes.saturating_add(id.len());
        if bytes > max_bytes && taken > 0 {
            let (list, others) = rest.split_at(taken);
            lists.push(list);
            (rest, taken, bytes) = (others, 0, id.len());
        }
        taken = taken.saturating_add(1);
    }
    if !rest.is_empty() {
        lists.push(rest);
    }
    lists
}
