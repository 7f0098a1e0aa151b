//! What a heard stream knows beside its posts and rows.

use std::fmt;

use super::Seq;

/// How a post came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// For the audience that is in force.
    Relay,
    /// For one reader.
    Single,
}

/// Why a post gets no seq now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is for one reader, and others would see it: seal first.
    Open,
    /// It is for an audience, and none is in force: assume one first.
    Closed,
}

/// The state of a heard stream; as text, empty at first.
///
/// ```
/// use twitter_core::audience::{Kind, State};
/// let state = State::decode("");
/// let (seq, state) = state.number(Kind::Single).unwrap();
/// assert_eq!((seq, state.to_string().as_str()), (1, "2 -"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    next: Seq,
    force: Force,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Force {
    /// No row is open.
    Nothing,
    /// Rows may be open, for nobody knows whom.
    Unsure,
    /// What is open is for this audience.
    Audience(Box<str>),
}

/// A digest is made of hexadecimal digits.
fn force(digest: &str) -> Force {
    let is_digest = !digest.is_empty() && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest {
        Force::Audience(digest.into())
    } else {
        Force::Unsure
    }
}

impl State {
    /// Reads its text form. Of one that is damaged nobody knows how far it had come: no number is given out
    /// any more.
    #[must_use]
    pub fn decode(text: &str) -> Self {
        let first = Self {
            next: 1,
            force: Force::Nothing,
        };
        let damaged = Self {
            next: Seq::MAX,
            force: Force::Unsure,
        };
        if text.is_empty() {
            return first;
        }
        let Some((next, digest)) = text.split_once(' ') else {
            return damaged;
        };
        let Some(next) = next.parse().ok().filter(|next| *next > 0) else {
            return damaged;
        };
        let force = match digest {
            "-" => Force::Nothing,
            digest => force(digest),
        };
        Self { next, force }
    }

    /// The seq that comes next.
    #[must_use]
    pub fn next(&self) -> Seq {
        self.next
    }

    /// Which audience is in force.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        match &self.force {
            Force::Audience(digest) => Some(digest),
            Force::Nothing | Force::Unsure => None,
        }
    }

    /// Whether rows may be open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.force != Force::Nothing
    }

    /// While rows are changed: rows may be open, and no audience is in force.
    #[must_use]
    pub fn unsure(&self) -> Self {
        Self {
            next: self.next,
            force: Force::Unsure,
        }
    }

    /// What is no digest tells nothing from anything.
    pub(super) fn in_force(&self, digest: &str) -> Self {
        Self {
            next: self.next,
            force: force(digest),
        }
    }

    pub(super) fn sealed(&self) -> Self {
        Self {
            next: self.next,
            force: Force::Nothing,
        }
    }

    /// The next seq, for a post that came in this way, and the state from then on, which has to be stored
    /// before the post is: no seq is given twice.
    ///
    /// # Errors
    /// As [`Wrong`] says; and if there are no numbers left, after four thousand million, a post is as wrong as
    /// can be.
    pub fn number(&self, kind: Kind) -> Result<(Seq, Self), Wrong> {
        let wrong = match kind {
            Kind::Relay => Wrong::Closed,
            Kind::Single => Wrong::Open,
        };
        let fits = match kind {
            Kind::Relay => self.digest().is_some(),
            Kind::Single => !self.is_open(),
        };
        let next = self.next.checked_add(1).filter(|_| fits).ok_or(wrong)?;
        let state = Self {
            next,
            force: self.force.clone(),
        };
        Ok((self.next, state))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let force = match &self.force {
            Force::Nothing => "-",
            Force::Unsure => "?",
            Force::Audience(digest) => digest,
        };
        write!(f, "{} {force}", self.next)
    }
}
