//! Long lists cut into lists that one message can carry.

/// Cuts a list of ids that one message would carry into lists for several, each of at most `max_bytes`
/// of ids, or of one id that is longer. Keeps the order. Cost: O(ids).
///
/// ```
/// use twitter_core::portions::batches;
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
