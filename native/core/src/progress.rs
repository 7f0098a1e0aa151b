//! How far a fan-out has come: whoever sends may be stopped at any moment, and somebody else goes on.

/// A place in a list of recipients, who are served one after the other and in portions; and of the one
/// who is being served, which of his sessions have got all.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// So many have got all.
    served: usize,
    /// So many have got all or stand in the portion that was given out last.
    given: usize,
    /// The resources of the one after those who are served, if he has got something.
    handed: Vec<Box<str>>,
    /// Those of the author, who comes before all others.
    own: Vec<Box<str>>,
    begun: bool,
}

impl Progress {
    /// Those who were given out are served; returns where the next portion begins.
    pub(crate) fn next(&mut self) -> usize {
        self.begun = true;
        if self.given > self.served {
            self.served = self.given;
            self.handed.clear();
        }
        self.given
    }

    /// A portion was given out; it ends before this one.
    pub(crate) fn give(&mut self, end: usize) {
        self.given = end;
    }

    pub(crate) fn given(&self) -> usize {
        self.given
    }

    /// Whether a session of that recipient has got nothing so far: from now on it has. Whoever stands
    /// before him is served.
    pub(crate) fn hand(&mut self, number: usize, resource: &str) -> bool {
        if number > self.served {
            self.served = number;
            self.handed.clear();
        }
        number == self.served && add(&mut self.handed, resource)
    }

    /// The same for a session of the author; his turn is over when the first portion is given out.
    pub(crate) fn hand_to_author(&mut self, resource: &str) -> bool {
        !self.begun && add(&mut self.own, resource)
    }

    /// Nothing more comes from the one who sent so far: what he has not served is given out again.
    pub(crate) fn resume(&mut self) {
        self.given = self.served;
    }

    /// Those who were given out are no longer in the list. `stays` says whether the one who is the
    /// first now was the first before.
    pub(crate) fn restart(&mut self, stays: bool) {
        if !stays || self.given > self.served {
            self.handed.clear();
        }
        self.served = 0;
        self.given = 0;
    }
}

fn add(known: &mut Vec<Box<str>>, resource: &str) -> bool {
    let is_new = !known.iter().any(|one| **one == *resource);
    if is_new {
        known.push(resource.into());
    }
    is_new
}
