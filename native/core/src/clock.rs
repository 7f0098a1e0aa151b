//! Where a post stands in time that comes from another server.
//!
//! Clocks disagree. A post stands at the moment that its author's server names, also when it comes late;
//! but never later than it came, or one "from next year" would be on top for a year.

use crate::stream::Micros;

/// Clocks that differ by no more than this are taken to agree: posts keep the order that their times give
/// them, whatever time each spends on its way.
const AGREES: u64 = 30_000_000;

/// The moment at which a post stands that came at `received`, was `published` by its author's server, and
/// `sent` by that server, as far as it says so; the last two by its own clock. If the clocks disagree, the post is
/// as old as that server says. Cost: O(1).
///
/// ```
/// use twitter_core::{clock::place_at, stream::Micros};
/// let at = |s: u64| Micros(s * 1_000_000);
/// // A second on its way; a day late; from a clock that is an hour ahead, and five minutes old.
/// assert_eq!(place_at(Some(at(99)), Some(at(99)), at(100)), at(99));
/// assert_eq!(place_at(Some(at(10)), Some(at(86_410)), at(86_411)), at(10));
/// assert_eq!(place_at(Some(at(3_600)), Some(at(3_900)), at(300)), at(0));
/// assert_eq!(place_at(Some(at(9_999)), None, at(100)), at(100));
/// assert_eq!(place_at(None, None, at(100)), at(100));
/// ```
#[must_use]
pub fn place_at(published: Option<Micros>, sent: Option<Micros>, received: Micros) -> Micros {
    let Some(published) = published else {
        return received;
    };
    let at = match sent {
        Some(sent) if sent.0.abs_diff(received.0) > AGREES => {
            let age = sent.0.saturating_sub(published.0);
            Micros(received.0.saturating_sub(age))
        }
        _ => published,
    };
    at.min(received)
}
