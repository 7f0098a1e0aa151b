//! What one reader may see of an author.

use std::fmt;

use super::Seq;

/// So many intervals a row has at most; the oldest go. Whoever is sent every other post only, for ever,
/// loses the oldest ones.
const MAX_INTERVALS: usize = 1000;

/// The seqs that a reader may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// From the first of each to the last, in order; between two there is at least one seq.
    closed: Vec<(Seq, Seq)>,
    /// From there on everything.
    open: Option<Seq>,
}

impl Row {
    /// Reads what its text form says; `None` if that is damaged.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let mut row = Self::default();
        for interval in text.split(',') {
            let (first, last) = interval.split_once('-')?;
            let first = first.parse().ok().filter(|first| *first > 0)?;
            let after = row.closed.last().map_or(0, |(_, last)| *last);
            if first <= after || row.open.is_some() {
                return None;
            }
            if last.is_empty() {
                row.open = Some(first);
            } else {
                let last = last.parse().ok().filter(|last| *last >= first)?;
                row.closed.push((first, last));
            }
        }
        row.closed.shrink_to_fit();
        Some(row)
    }

    /// Whether this version of a post is for the reader. Cost: O(log intervals).
    #[must_use]
    pub fn sees(&self, seq: Seq) -> bool {
        // Mostly it is open.
        self.open.is_some_and(|from| from <= seq) || {
            let at = self.closed.partition_point(|(_, last)| *last < seq);
            self.closed.get(at).is_some_and(|(first, _)| *first <= seq)
        }
    }

    /// This one, too.
    pub(super) fn admit(&mut self, seq: Seq) {
        if self.sees(seq) {
            return;
        }
        let at = self.closed.partition_point(|(_, last)| *last < seq);
        self.closed.insert(at, (seq, seq));
        self.tidy();
    }

    /// Everything from `next` on.
    pub(super) fn open(&mut self, next: Seq) {
        self.open = Some(self.open.map_or(next, |from| from.min(next)));
    }

    /// Nothing from `next` on. Tells whether there is anything to see at all.
    pub(super) fn close(&mut self, next: Seq) -> bool {
        if let Some(from) = self.open.take() {
            let last = next.saturating_sub(1);
            if from <= last {
                self.closed.push((from, last));
                self.tidy();
            }
        }
        !self.closed.is_empty()
    }

    /// Joins what touches, and keeps to the bound.
    fn tidy(&mut self) {
        let mut tidy: Vec<(Seq, Seq)> = Vec::with_capacity(self.closed.len());
        self.closed.sort_unstable();
        for (first, last) in self.closed.drain(..) {
            match tidy.last_mut() {
                Some((_, before)) if first <= before.saturating_add(1) => {
                    *before = (*before).max(last);
                }
                _ => tidy.push((first, last)),
            }
        }
        let too_many = tidy.len().saturating_sub(MAX_INTERVALS);
        tidy.drain(..too_many);
        self.closed = tidy;
    }

    /// The memory it takes beside its own size, in bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        let closed = self.closed.capacity();
        closed.saturating_mul(size_of::<(Seq, Seq)>())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (first, last) in &self.closed {
            write!(f, "{comma}{first}-{last}")?;
            comma = ",";
        }
        match self.open {
            Some(from) => write!(f, "{comma}{from}-"),
            None => Ok(()),
        }
    }
}
