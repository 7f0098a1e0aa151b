//! Other servers.

/// The first time that a server which does not answer is left alone, in milliseconds; each time it is twice as
/// long,
const FIRST_MS: u64 = 1_000;
/// but no longer than this.
const LONGEST_MS: u64 = 300_000;

/// Whether a service may speak for the users of a domain: it is the domain, or a subdomain of it that the domain
/// itself lists among its services. Both are in normal form. Cost: O(listed).
///
/// ```
/// use twitter_core::peer::speaks_for;
/// let listed = ["pubsub.a.test", "other.org"];
/// assert!(speaks_for("a.test", "a.test", &[]));
/// assert!(speaks_for("pubsub.a.test", "a.test", &listed));
/// for other in ["chat.a.test", "other.org", "nota.test", "pubsub.b.test", ".a.test", ""] {
///     assert!(!speaks_for(other, "a.test", &["nota.test", ".a.test", "", "other.org"]), "{other}");
/// }
/// ```
#[must_use]
pub fn speaks_for(service: &str, domain: &str, listed: &[&str]) -> bool {
    let is_below = |service: &str| {
        let label = service
            .strip_suffix(domain)
            .and_then(|rest| rest.strip_suffix('.'));
        label.is_some_and(|label| !label.is_empty())
    };
    !domain.is_empty() && (service == domain || (is_below(service) && listed.contains(&service)))
}

/// How long to leave a server alone that did not answer so many times in a row, in milliseconds.
///
/// ```
/// use twitter_core::peer::retry_after;
/// assert_eq!([0, 1, 2, 5, 100].map(retry_after), [0, 1_000, 2_000, 16_000, 300_000]);
/// ```
#[must_use]
pub fn retry_after(failures: u32) -> u64 {
    match failures.checked_sub(1) {
        None => 0,
        Some(doublings) => {
            let factor = 1_u64.checked_shl(doublings.min(32)).unwrap_or(u64::MAX);
            FIRST_MS.saturating_mul(factor).min(LONGEST_MS)
        }
    }
}
