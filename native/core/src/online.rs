//! Who of a domain's users is online, and by which sessions.
//!
//! The server keeps sessions; this is a copy that can be asked at the price of a hash look-up, for the
//! fan-out asks it for every follower. Each session tells of its own coming and going, so two reports
//! about one session never overtake each other. Two sessions may have the same resource for a while:
//! one replaces or resumes the other, which has not ended yet. Then only the later one is reached.
//!
//! Each change is one step on a table or a list, so that a panic leaves nothing half done: to forget a
//! shard would keep posts from all who are in it, until the server's sessions are looked at again.

use std::collections::HashMap;

use ahash::RandomState;
use hashbrown::hash_table::{Entry, HashTable};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use smol_str::SmolStr;

use crate::failpoints::point;
use crate::unread::Departure;

/// So many parts, each with a lock: who logs in waits for nobody who looks elsewhere.
const SHARDS: usize = 16;

/// A session of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session<A> {
    /// Where it is reached; what that is, only the caller knows.
    pub address: A,
    /// The resource it has bound.
    pub resource: SmolStr,
}

#[derive(Debug)]
struct User<A> {
    /// Of the name: a table that grows or shrinks need not look at the names, which lie all over memory.
    hash: u64,
    name: Box<str>,
    sessions: Vec<Session<A>>,
}

type Shard<A> = HashTable<User<A>>;

/// The online users of one domain, by the local part of their address.
///
/// ```
/// use twitter_core::online::Online;
/// let online = Online::default();
/// assert!(online.arrive("bob", 7, "phone"));
/// assert!(!online.arrive("bob", 7, "phone"), "the same session again");
/// assert!(online.has("bob"));
/// assert!(online.leave("bob", 7));
/// assert!(!online.has("bob"));
/// ```
#[derive(Debug)]
pub struct Online<A> {
    shards: [RwLock<Shard<A>>; SHARDS],
    hasher: RandomState,
    /// How users left, until that is taken.
    departures: Mutex<HashMap<Box<str>, Departure, RandomState>>,
}

impl<A> Default for Online<A> {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::new(HashTable::new())),
            hasher: RandomState::new(),
            departures: Mutex::default(),
        }
    }
}

impl<A: Clone + PartialEq> Online<A> {
    /// A session can be reached from now on; `false` if that was known.
    pub fn arrive(&self, user: &str, address: A, resource: &str) -> bool {
        let hash = self.hasher.hash_one(user);
        let resource = resource.into();
        let session = Session { address, resource };
        let mut shard = shard_of(&self.shards, hash).write();
        match shard.entry(hash, |known| &*known.name == user, |known| known.hash) {
            Entry::Occupied(mut known) => {
                let sessions = &mut known.get_mut().sessions;
                if sessions.iter().any(|s| s.address == session.address) {
                    return false;
                }
                point!();
                sessions.push(session);
            }
            Entry::Vacant(place) => {
                let (name, sessions) = (user.into(), vec![session]);
                point!();
                place.insert(User {
                    hash,
                    name,
                    sessions,
                });
            }
        }
        point!();
        true
    }

    /// A session can no longer be reached; `false` if that was known.
    pub fn leave(&self, user: &str, address: A) -> bool {
        self.remove(user, address, None)
    }

    /// The same; and if it was the user's last session, whoever looks next at how he left finds this. Of what
    /// nobody has taken before that, the earlier moment stays.
    ///
    /// ```
    /// use twitter_core::{online::Online, stream::Micros, unread::Departure};
    /// let online = Online::default();
    /// online.arrive("bob", 1, "phone");
    /// online.arrive("bob", 2, "desk");
    /// let at = |after| Departure { after: Micros(after), ..Default::default() };
    /// online.depart("bob", 1, at(5));
    /// assert_eq!(online.take_departure("bob"), None, "he is still there");
    /// online.depart("bob", 2, at(6));
    /// assert_eq!(online.departed(), ["bob"]);
    /// assert_eq!(online.take_departure("bob"), Some(at(6)));
    /// assert_eq!(online.take_departure("bob"), None);
    /// ```
    pub fn depart(&self, user: &str, address: A, departure: Departure) -> bool {
        self.remove(user, address, Some(departure))
    }

    /// How the user left, if nobody has taken that yet. Cost: O(1).
    pub fn take_departure(&self, user: &str) -> Option<Departure> {
        let mut departures = self.departures.lock();
        let taken = departures.remove(user);
        if departures.len() < departures.capacity() / 4 {
            departures.shrink_to_fit();
        }
        taken
    }

    fn remove(&self, user: &str, address: A, departure: Option<Departure>) -> bool {
        let hash = self.hasher.hash_one(user);
        let mut shard = shard_of(&self.shards, hash).write();
        let rehash = |known: &User<A>| known.hash;
        let Entry::Occupied(mut entry) = shard.entry(hash, |known| &*known.name == user, rehash)
        else {
            return false;
        };
        let sessions = &mut entry.get_mut().sessions;
        let Some(index) = sessions.iter().position(|s| s.address == address) else {
            return false;
        };
        point!();
        if sessions.len() > 1 {
            sessions.remove(index);
        } else {
            // Before anybody can see that he is gone, and come in his name.
            if let Some(departure) = departure {
                self.note(user, departure);
            }
            entry.remove();
            point!();
            if shard.len() < shard.capacity() / 4 {
                shard.shrink_to_fit(rehash);
            }
        }
        point!();
        true
    }

    /// Whoever has taken how the user left could do nothing with it: the next one finds it again.
    pub fn return_departure(&self, user: &str, departure: Departure) {
        self.note(user, departure);
    }

    /// Whose departure nobody has taken yet, in no order. Cost: O(users who left).
    #[must_use]
    pub fn departed(&self) -> Vec<String> {
        let departures = self.departures.lock();
        departures
            .keys()
            .map(|user| String::from(&**user))
            .collect()
    }

    fn note(&self, user: &str, mut departure: Departure) {
        let mut departures = self.departures.lock();
        if let Some(earlier) = departures.get(user) {
            departure.after = departure.after.min(earlier.after);
        }
        departures.insert(user.into(), departure);
    }

    /// Whether the user has a session. Cost: one look-up.
    pub fn has(&self, user: &str) -> bool {
        let hash = self.hasher.hash_one(user);
        let shard = shard_of(&self.shards, hash).read();
        shard.find(hash, |known| &*known.name == user).is_some()
    }

    /// The same for many users. Nobody arrives or leaves while it is held.
    pub(crate) fn view(&self) -> View<'_, A> {
        View {
            shards: self.shards.each_ref().map(RwLock::read),
            hasher: &self.hasher,
        }
    }

    /// The sessions of a user, of each resource the one that arrived last. Waits for nobody but
    /// one who arrives or leaves at this moment.
    ///
    /// ```
    /// use twitter_core::online::Online;
    /// let online = Online::default();
    /// online.arrive("bob", 1, "phone");
    /// online.arrive("bob", 2, "phone");
    /// let addresses = || online.sessions("bob").iter().map(|s| s.address).collect::<Vec<_>>();
    /// assert_eq!(addresses(), [2]);
    /// online.leave("bob", 2);
    /// assert_eq!(addresses(), [1], "the former one has not ended");
    /// ```
    pub fn sessions(&self, user: &str) -> Vec<Session<A>> {
        let hash = self.hasher.hash_one(user);
        // Passes by those who wait until they may write. It is over at once; the long ones do not.
        let shard = shard_of(&self.shards, hash).read_recursive();
        let known = shard.find(hash, |known| &*known.name == user);
        let mut rest = known.map_or(&[][..], |known| known.sessions.as_slice());
        let mut sessions = Vec::with_capacity(rest.len());
        while let [session, later @ ..] = rest {
            rest = later;
            if !later.iter().any(|l| l.resource == session.resource) {
                sessions.push(session.clone());
            }
        }
        sessions
    }

    /// How many users are online; about, if some come or go meanwhile. Cost: O(1).
    pub fn users(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    /// All sessions, with their users, also those that another one replaces; what comes or goes
    /// meanwhile may be missing or not.
    /// Cost: O(sessions).
    pub fn all(&self) -> Vec<(Box<str>, Session<A>)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            for User { name, sessions, .. } in shard.read().iter() {
                all.extend(
                    sessions
                        .iter()
                        .map(|session| (name.clone(), session.clone())),
                );
            }
        }
        all
    }
}

/// Who is online, for as long as this is held.
pub(crate) struct View<'o, A> {
    shards: [RwLockReadGuard<'o, Shard<A>>; SHARDS],
    hasher: &'o RandomState,
}

impl<A> View<'_, A> {
    /// See [`Online::has`].
    pub(crate) fn has(&self, user: &str) -> bool {
        let hash = self.hasher.hash_one(user);
        shard_of(&self.shards, hash)
            .find(hash, |known| &*known.name == user)
            .is_some()
    }
}

/// Four bits of the hash choose one of sixteen; the table uses others.
fn shard_of<T>(shards: &[T; SHARDS], hash: u64) -> &T {
    let [first, rest @ ..] = shards;
    usize::try_from((hash >> 32) & 15)
        .ok()
        .and_then(|part| rest.get(part.checked_sub(1)?))
        .unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    proptest! {
        #[test]
        fn like_a_list_of_sessions(
            ops in prop::collection::vec((0u8..20, 0u8..4, 0u8..2, any::<bool>()), 0..200)
        ) {
            let online = Online::default();
            // In the order of arrival.
            let mut model: Vec<(String, u8, String)> = Vec::new();
            for (user, address, resource, arrives) in ops {
                let (name, resource) = (user.to_string(), resource.to_string());
                let known = model.iter().position(|(n, a, _)| *n == name && *a == address);
                if arrives {
                    prop_assert_eq!(online.arrive(&name, address, &resource), known.is_none());
                    if known.is_none() {
                        model.push((name, address, resource));
                    }
                } else {
                    prop_assert_eq!(online.leave(&name, address), known.is_some());
                    known.map(|known| model.remove(known));
                }
            }
            let session = |s: Session<u8>| (s.resource.to_string(), s.address);
            let all: BTreeSet<_> = online.all().into_iter().map(|(u, s)| (u.to_string(), session(s))).collect();
            let known: BTreeSet<_> = model.iter().map(|(n, a, r)| (n.clone(), (r.clone(), *a))).collect();
            prop_assert_eq!(all, known);
            for user in 0..20u8 {
                let name = user.to_string();
                let of: BTreeSet<_> = online.sessions(&name).into_iter().map(session).collect();
                let last: BTreeMap<_, _> =
                    model.iter().filter(|(n, ..)| *n == name).map(|(_, a, r)| (r.clone(), *a)).collect();
                prop_assert_eq!(online.has(&name), !last.is_empty());
                prop_assert_eq!(of, last.into_iter().collect::<BTreeSet<_>>());
            }
        }
    }
}
