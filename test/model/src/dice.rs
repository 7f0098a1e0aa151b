//! Random numbers, from a seed or from a list.

/// Something that can be rolled.
pub trait Dice {
    /// Any number.
    fn next(&mut self) -> u64;

    /// A number below `sides`; 0 if there are none.
    fn roll(&mut self, sides: usize) -> usize {
        let sides = u64::try_from(sides).unwrap_or(u64::MAX);
        let rolled = self.next().checked_rem(sides).unwrap_or(0);
        usize::try_from(rolled).unwrap_or(0)
    }

    /// Once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.roll(times) == times.saturating_sub(1)
    }

    /// One of them.
    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let rolled = self.roll(of.len());
        of.get(rolled).copied()
    }
}

/// The same numbers for the same seed: `SplitMix64`.
#[derive(Debug, Clone)]
pub struct Seeded(pub u64);

impl Dice for Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The numbers of a list, then zeros: the smaller they are, the simpler is what is chosen by them.
#[derive(Debug, Clone)]
pub struct Listed<'a>(pub &'a [u16]);

impl Dice for Listed<'_> {
    fn next(&mut self) -> u64 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        u64::from(*first)
    }
}
