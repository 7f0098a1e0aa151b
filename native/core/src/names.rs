//! Addresses as numbers.

use ahash::RandomState;
use hashbrown::HashTable;

use crate::failpoints::point;

/// The number of an address: 31 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NameId(u32);

impl NameId {
    /// The number with a bit beside it.
    pub(crate) fn with(self, bit: bool) -> u32 {
        self.0 << 1 | u32::from(bit)
    }
}

/// Addresses, numbered in the order in which they were first seen. Nothing is ever taken out: who
/// wants the room back drops all of it. Memory: about 16 bytes for each, and the text.
#[derive(Debug, Default)]
pub(crate) struct Names {
    text: String,
    ends: Vec<u32>,
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Names {
    /// The number of an address; `None` once there are 2^31, or their texts fill 4 GiB. Cost: one
    /// look-up.
    pub(crate) fn number(&mut self, name: &str) -> Option<NameId> {
        if let Some(known) = self.find(name) {
            return Some(known);
        }
        let end = u32::try_from(self.text.len().checked_add(name.len())?).ok()?;
        let number = u32::try_from(self.ends.len()).ok()?;
        if number > u32::MAX >> 1 {
            return None;
        }
        self.text.push_str(name);
        point!();
        self.ends.push(end);
        point!();
        let Self {
            text,
            ends,
            table,
            hasher,
        } = self;
        let hash = hasher.hash_one(name);
        table.insert_unique(hash, number, |other| {
            hasher.hash_one(at(text, ends, *other))
        });
        Some(NameId(number))
    }

    /// The number of an address that is known.
    pub(crate) fn find(&self, name: &str) -> Option<NameId> {
        let hash = self.hasher.hash_one(name);
        let same = |number: &u32| at(&self.text, &self.ends, *number) == name;
        self.table.find(hash, same).copied().map(NameId)
    }

    /// The address with this number.
    pub(crate) fn name(&self, id: NameId) -> &str {
        at(&self.text, &self.ends, id.0)
    }

    /// What all this takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let table = self.table.capacity().saturating_mul(5);
        let ends = self.ends.capacity().saturating_mul(4);
        self.text
            .capacity()
            .saturating_add(ends)
            .saturating_add(table)
    }
}

fn at<'t>(text: &'t str, ends: &[u32], number: u32) -> &'t str {
    let number = number as usize;
    let end = ends.get(number).copied().unwrap_or_default();
    let start = number
        .checked_sub(1)
        .and_then(|before| ends.get(before))
        .copied();
    text.get(start.unwrap_or_default() as usize..end as usize)
        .unwrap_or_default()
}
