//! For whom the posts are that were heard of an author on another server.
//!
//! His server says for whom each is, and nobody else may find it. Every version of a post that is
//! recorded gets a *seq*, the next number of its stream. Of each reader it is noted which seqs he may
//! see: closed intervals, and possibly an open one. Open is what was *relayed*: a relay says that a
//! post is for a whole audience, so as long as that stays the same nothing has to be written for it but
//! the post. Who is not in the next audience any more loses everything, as he would at home. A *single*
//! post is for one reader, and before it is recorded all that is open has to be closed.
//!
//! It is stored as text: the state of the stream, and the rows of the readers in [`BUCKETS`] parts, so
//! that a change for one reader rewrites little.

mod row;
mod state;

use std::collections::BTreeMap;

pub use row::Row;
pub use state::{Kind, State, Wrong};

/// Into so many parts the rows are divided.
pub const BUCKETS: u8 = 64;

/// The number of a recorded version of a post within its stream. None has 0.
pub type Seq = u32;

/// The part in which a reader's row is, below [`BUCKETS`]: the same for ever, since it is stored.
/// Cost: O(bytes).
#[must_use]
pub fn bucket_of(reader: &str) -> u8 {
    // FNV-1a, whose low bits are good enough.
    let hash = reader.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    u8::try_from(hash.checked_rem(u32::from(BUCKETS)).unwrap_or(0)).unwrap_or(0)
}

/// The rows of some readers, by their bare addresses.
///
/// ```
/// use twitter_core::audience::Bucket;
/// let mut bucket = Bucket::default();
/// bucket.admit("bob@b.test", 3);
/// bucket.admit("bob@b.test", 4);
/// assert_eq!(bucket.encode(), "bob@b.test 3-4\n");
/// assert_eq!(Bucket::decode("bob@b.test 3-4\n"), bucket);
/// assert!(bucket.row("bob@b.test").is_some_and(|row| row.sees(4) && !row.sees(5)));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bucket(Vec<(Box<str>, Row)>);

impl Bucket {
    /// Reads what [`Bucket::encode`] wrote. A line that is damaged admits nobody to anything.
    #[must_use]
    pub fn decode(text: &str) -> Self {
        let rows = text.lines().filter_map(|line| {
            let (reader, row) = line.split_once(' ')?;
            Some((reader.into(), Row::decode(row)?))
        });
        let mut rows: Vec<(Box<str>, Row)> = rows.collect();
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        // Of a reader who comes twice nobody knows which line is right: he sees nothing.
        rows.dedup_by(|(reader, _), (same, row)| {
            let is_twice = reader == same;
            if is_twice {
                *row = Row::default();
            }
            is_twice
        });
        rows.retain(|(_, row)| *row != Row::default());
        rows.shrink_to_fit();
        Self(rows)
    }

    /// A line for each reader.
    #[must_use]
    pub fn encode(&self) -> String {
        let lines = self.0.iter();
        lines
            .map(|(reader, row)| format!("{reader} {row}\n"))
            .collect()
    }

    /// What this reader may see, if anything.
    #[must_use]
    pub fn row(&self, reader: &str) -> Option<&Row> {
        let (_, row) = self.0.get(self.find(reader).ok()?)?;
        Some(row)
    }

    /// Where the reader's row is, or would be.
    fn find(&self, reader: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| (**other).cmp(reader))
    }

    /// All readers who may see this version of a post.
    pub fn readers(&self, seq: Seq) -> impl Iterator<Item = &str> {
        let rows = self.0.iter();
        rows.filter_map(move |(reader, row)| row.sees(seq).then_some(&**reader))
    }

    /// This reader may see this version of a post.
    pub fn admit(&mut self, reader: &str, seq: Seq) {
        match self.find(reader) {
            Ok(at) => {
                if let Some((_, row)) = self.0.get_mut(at) {
                    row.admit(seq);
                }
            }
            Err(at) => {
                let mut row = Row::default();
                row.admit(seq);
                self.0.insert(at, (reader.into(), row));
            }
        }
    }

    /// This reader may see nothing any more.
    pub fn dismiss(&mut self, reader: &str) {
        if let Ok(at) = self.find(reader) {
            self.0.remove(at);
        }
    }

    /// What comes from `next` on is for these readers and for nobody else.
    fn assume(&mut self, readers: &[&str], next: Seq) {
        let row = |reader: &str| {
            let mut row = self.row(reader).cloned().unwrap_or_default();
            row.open(next);
            (reader.into(), row)
        };
        let mut rows: Vec<(Box<str>, Row)> = readers.iter().map(|reader| row(reader)).collect();
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        rows.dedup_by(|(a, _), (b, _)| a == b);
        self.0 = rows;
    }

    /// Nothing that comes from `next` on is for anybody.
    fn seal(&mut self, next: Seq) {
        self.0.retain_mut(|(_, row)| row.close(next));
    }

    /// The memory it takes beside its own size, in bytes. Cost: O(rows).
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let slots = self.0.capacity();
        let slots = slots.saturating_mul(size_of::<(Box<str>, Row)>());
        let rows = self.0.iter();
        rows.map(|(reader, row)| reader.len().saturating_add(row.heap_bytes()))
            .fold(slots, usize::saturating_add)
    }
}

/// What changes when what is relayed from now on is for these readers: the new state, and the parts that
/// are others than before. `digest` tells that audience from all others. Cost: O(rows + readers).
///
/// While the changes are written the state has to be [`State::unsure`].
#[must_use]
pub fn assume(
    state: &State,
    buckets: &BTreeMap<u8, Bucket>,
    digest: &str,
    readers: &[&str],
) -> (State, BTreeMap<u8, Bucket>) {
    let mut members: BTreeMap<u8, Vec<&str>> = BTreeMap::new();
    for number in buckets.keys() {
        members.entry(*number).or_default();
    }
    for reader in readers {
        members.entry(bucket_of(reader)).or_default().push(reader);
    }
    let nobody = Bucket::default();
    let changed = members.into_iter().filter_map(|(number, readers)| {
        let before = buckets.get(&number).unwrap_or(&nobody);
        let mut bucket = before.clone();
        bucket.assume(&readers, state.next());
        (bucket != *before).then_some((number, bucket))
    });
    (state.in_force(digest), changed.collect())
}

/// What changes when no audience is in force any more; as [`assume()`]. Cost: O(rows).
#[must_use]
pub fn seal(state: &State, buckets: &BTreeMap<u8, Bucket>) -> (State, BTreeMap<u8, Bucket>) {
    let changed = buckets.iter().filter_map(|(number, before)| {
        let mut bucket = before.clone();
        bucket.seal(state.next());
        (bucket != *before).then_some((*number, bucket))
    });
    (state.sealed(), changed.collect())
}

#[cfg(test)]
mod tests;
