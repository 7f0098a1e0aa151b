//! Which posts a follower got: each once, in order?

/// What went wrong with deliveries, to one follower or to all.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Faults {
    /// Deliveries that did not come.
    pub missing: usize,
    /// Deliveries of what had been delivered.
    pub twice: usize,
    /// Deliveries after those of later posts.
    pub disordered: usize,
}

impl Faults {
    /// Adds those of another follower.
    pub fn add(&mut self, other: Self) {
        self.missing = self.missing.saturating_add(other.missing);
        self.twice = self.twice.saturating_add(other.twice);
        self.disordered = self.disordered.saturating_add(other.disordered);
    }
}

/// The posts of one series that one follower got. Posts are numbered.
#[derive(Default)]
pub struct Tally {
    next: u32,
    end: u32,
    /// Posts that later ones have overtaken: few.
    overtaken: Vec<u32>,
    faults: Faults,
}

impl Tally {
    /// Begins a series of posts.
    pub fn begin(&mut self, first: u32, posts: u32) {
        *self = Self {
            next: first,
            end: first.saturating_add(posts),
            ..Self::default()
        };
    }

    /// A delivery. True if it is one that was wanted.
    pub fn delivered(&mut self, post: u32) -> bool {
        if post == self.next && post < self.end {
            self.next = self.next.saturating_add(1);
            return true;
        }
        if post >= self.end {
            self.faults.twice = self.faults.twice.saturating_add(1);
            return false;
        }
        if post > self.next {
            self.overtaken.extend(self.next..post);
            self.next = post.saturating_add(1);
            return true;
        }
        match self.overtaken.iter().position(|late| *late == post) {
            Some(place) => {
                self.overtaken.swap_remove(place);
                self.faults.disordered = self.faults.disordered.saturating_add(1);
                true
            }
            None => {
                self.faults.twice = self.faults.twice.saturating_add(1);
                false
            }
        }
    }

    /// The faults, if nothing more comes of the posts before `end`.
    pub fn faults(&self, end: u32) -> Faults {
        let after = end.saturating_sub(self.next);
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        Faults {
            missing: self.overtaken.len().saturating_add(after),
            ..self.faults
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Faults, Tally};

    fn faults(deliveries: &[u32]) -> Faults {
        let mut tally = Tally::default();
        tally.begin(10, 4);
        for post in deliveries {
            tally.delivered(*post);
        }
        tally.faults(14)
    }

    #[test]
    fn what_went_wrong() {
        let cases: [(&[u32], usize, usize, usize); 6] = [
            (&[10, 11, 12, 13], 0, 0, 0),
            (&[10, 11], 2, 0, 0),
            (&[10, 12, 13], 1, 0, 0),
            (&[11, 10, 12, 13], 0, 0, 1),
            (&[10, 11, 11, 12, 13, 10], 0, 2, 0),
            (&[9, 10, 11, 12, 13, 14], 0, 2, 0),
        ];
        for (deliveries, missing, twice, disordered) in cases {
            let expected = Faults {
                missing,
                twice,
                disordered,
            };
            assert_eq!(faults(deliveries), expected, "{deliveries:?}");
        }
    }
}
