//! How fast each author may post: so many posts at once, and then so many a minute.
//!
//! This is a token bucket, kept as one number for each author (the generic cell rate algorithm): the
//! time at which his bucket will be full again. Whose bucket is full has no entry.

use std::collections::HashMap;

use ahash::RandomState;
use parking_lot::Mutex;

use crate::jid::BareJid;

const MINUTE: u64 = 60_000_000;
/// With fewer entries nobody looks for those that have become needless.
const FEW: usize = 1024;

/// A limit: the posts that fill a bucket, and how many of them come back in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Posts at once; one at least.
    pub burst: u32,
    /// Posts a minute after that; one at least.
    pub refill: u32,
}

impl Rate {
    /// Microseconds until there is room for one post more.
    fn interval(self) -> u64 {
        MINUTE.checked_div(self.refill.into()).unwrap_or(MINUTE)
    }

    /// Microseconds in which an empty bucket becomes full.
    fn depth(self) -> u64 {
        self.interval().saturating_mul(u64::from(self.burst).max(1))
    }
}

/// The author has posted too fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFast {
    /// Microseconds after which he may post again.
    pub wait: u64,
}

/// The buckets of all authors. Memory: about twice as many entries as there are authors whose bucket is
/// not full, and a thousand.
#[derive(Debug, Default)]
pub struct Rates(Mutex<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    full_at: HashMap<BareJid, u64, RandomState>,
    look_at: usize,
}

impl Rates {
    /// Takes one post out of an author's bucket. `now` is in microseconds, of any clock that does not
    /// go back; if it does, nobody waits longer than for a full bucket. Cost: O(1), amortized.
    ///
    /// # Errors
    /// The bucket is empty; that costs the author nothing.
    ///
    /// ```
    /// use twitter_core::jid::BareJid;
    /// use twitter_core::rate::{Rate, Rates, TooFast};
    /// let (rates, alice) = (Rates::default(), BareJid::parse("alice@example.org")?);
    /// let rate = Rate { burst: 1, refill: 60 };
    /// assert_eq!(rates.take(&alice, rate, 0), Ok(()));
    /// assert_eq!(rates.take(&alice, rate, 400_000), Err(TooFast { wait: 600_000 }));
    /// assert_eq!(rates.take(&alice, rate, 1_000_000), Ok(()));
    /// # Ok::<(), twitter_core::jid::InvalidJid>(())
    /// ```
    pub fn take(&self, author: &BareJid, rate: Rate, now: u64) -> Result<(), TooFast> {
        let latest = now.saturating_add(rate.depth());
        let mut buckets = self.0.lock();
        let full_at = match buckets.full_at.get_mut(author) {
            Some(full_at) => {
                // The limit may have become narrower since, or the clock may have gone back.
                *full_at = (*full_at).clamp(now, latest);
                full_at
            }
            None => buckets.insert(author, now),
        };
        let next = full_at.saturating_add(rate.interval());
        if next > latest {
            return Err(TooFast {
                wait: next.saturating_sub(latest),
            });
        }
        *full_at = next;
        Ok(())
    }

    /// How many authors have an entry.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().full_at.len()
    }

    /// Whether nobody has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Buckets {
    /// A full bucket; before that those go which have become full.
    fn insert(&mut self, author: &BareJid, now: u64) -> &mut u64 {
        if self.full_at.len() > self.look_at.max(FEW) {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.full_at.shrink_to(FEW);
            self.look_at = self.full_at.len().saturating_mul(2);
        }
        self.full_at.entry(author.clone()).or_insert(now)
    }
}

#[cfg(test)]
// The numbers are small.
#[allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn author(n: usize) -> BareJid {
        BareJid::parse(&format!("author{n}@example.org")).unwrap()
    }

    #[test]
    fn authors_do_not_share() {
        let rates = Rates::default();
        let rate = Rate {
            burst: 2,
            refill: 1,
        };
        for n in 0..3 {
            assert_eq!(rates.take(&author(n), rate, 0), Ok(()));
            assert_eq!(rates.take(&author(n), rate, 0), Ok(()));
            let wait = MINUTE;
            assert_eq!(rates.take(&author(n), rate, 0), Err(TooFast { wait }));
        }
    }

    #[test]
    fn another_limit_holds_at_once() {
        let rates = Rates::default();
        let (wide, narrow) = (
            Rate {
                burst: 1000,
                refill: 1,
            },
            Rate {
                burst: 1,
                refill: 60,
            },
        );
        for _ in 0..1000 {
            assert_eq!(rates.take(&author(0), wide, 0), Ok(()));
        }
        let wait = 1_000_000;
        assert_eq!(rates.take(&author(0), narrow, 0), Err(TooFast { wait }));
        assert_eq!(rates.take(&author(0), narrow, wait), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_shuts_nobody_out() {
        let rates = Rates::default();
        let rate = Rate {
            burst: 2,
            refill: 60,
        };
        assert_eq!(rates.take(&author(0), rate, u64::MAX / 2), Ok(()));
        let wait = 1_000_000;
        assert_eq!(rates.take(&author(0), rate, 5), Err(TooFast { wait }));
        assert_eq!(rates.take(&author(0), rate, 5 + wait), Ok(()));
    }

    #[test]
    fn full_buckets_take_no_room() {
        let rates = Rates::default();
        let rate = Rate {
            burst: 5,
            refill: 60,
        };
        for n in 0..200_000 {
            // A thousand authors a second, each once.
            assert_eq!(rates.take(&author(n), rate, n as u64 * 1000), Ok(()));
        }
        assert!(rates.len() <= 2 * FEW + 1, "{}", rates.len());
    }

    proptest! {
        /// As a bucket that is filled drop by drop, and whoever waits as long as he was told may post.
        #[test]
        fn like_a_bucket(
            burst in 1u32..6,
            refill in 1u32..5000,
            pauses in prop::collection::vec(0u64..MINUTE / 20, 1..200),
        ) {
            let (rate, rates) = (Rate { burst, refill }, Rates::default());
            let full = u64::from(burst) * rate.interval();
            let (mut now, mut content) = (0, full);
            for pause in pauses {
                now += pause;
                content = full.min(content + pause);
                let missing = rate.interval().saturating_sub(content);
                let answer = rates.take(&author(0), rate, now);
                if missing == 0 {
                    content -= rate.interval();
                    prop_assert_eq!(answer, Ok(()));
                } else {
                    prop_assert_eq!(answer, Err(TooFast { wait: missing }));
                }
            }
        }
    }
}
