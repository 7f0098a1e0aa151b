//! What a reader has not read of the posts of his friends: a few stretches of time, and whether he is online.
//!
//! While he is online, posts are pushed to him; from the moment he leaves, whatever is posted is unread, until he
//! is sent it, or shown it. So what he has not read is kept as gaps in time, not as a list of posts: a gap costs
//! the same however much is posted in it, and posts that come and go, and friends too, change nothing that is
//! stored.
//!
//! The mark is stored when he comes, leaves and reads. A server that is killed stores nothing: so it also says in
//! which run of the service he came. In a later run he was pushed everything that was posted in that one, and
//! nothing since the next one began.

use std::fmt::{self, Display};
use std::str::FromStr;

use crate::stream::Micros;

/// With more, the oldest gap counts as read.
pub const MAX_GAPS: usize = 100;
/// No longer text is a mark.
const MAX_BYTES: usize = 4096;
/// So many gaps at most are made when somebody leaves; else more of what he was sent counts as unread.
const MAX_LOST: usize = 80;

/// A stretch of time: later than one moment, and not later than another one, if it has ended. Never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    after: Micros,
    until: Option<Micros>,
}

impl Gap {
    /// `None` if it would be empty.
    #[must_use]
    pub fn new(after: Micros, until: Option<Micros>) -> Option<Self> {
        let is_empty = until.is_some_and(|until| until <= after);
        (!is_empty).then_some(Self { after, until })
    }

    /// Posts of that moment are not in it.
    #[must_use]
    pub fn after(&self) -> Micros {
        self.after
    }

    /// Posts of that moment are the last in it; `None` while it is open.
    #[must_use]
    pub fn until(&self) -> Option<Micros> {
        self.until
    }

    fn end(&self) -> Micros {
        self.until.unwrap_or(Micros(u64::MAX))
    }

    /// What is left of it before and behind another one.
    fn without(self, other: Self) -> impl Iterator<Item = Self> {
        let (before, behind) = if self.end() <= other.after || other.end() <= self.after {
            (Some(self), None)
        } else {
            let rest = other.until.filter(|until| *until < self.end());
            (
                Self::new(self.after, Some(other.after)),
                rest.and_then(|until| Self::new(until, self.until)),
            )
        };
        before.into_iter().chain(behind)
    }
}

/// Whether posts are pushed to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// He has no session since that moment, or about then: there are gaps that begin earlier, but only of posts
    /// that were still on their way.
    Offline { since: Micros },
    /// He has one since that moment, in the run of the service that began at that other one.
    Online { run: Micros, since: Micros },
}

/// How a reader comes online.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// How he left before that, if it has not been told yet.
    pub departure: Option<Departure>,
    /// When this run of the service began: no other run began then.
    pub run: Micros,
    /// He can be reached at least since this moment.
    pub now: Micros,
    /// The session that says so was there when an earlier run ended.
    pub was_there: bool,
    /// Whether he wants posts to be pushed to him. Otherwise what is posted from now on is unread.
    pub wants_pushes: bool,
}

/// How a reader leaves. All are moments at which posts were published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Departure {
    /// What was published later may not have been sent to him.
    pub after: Micros,
    /// These were sent, and have not arrived.
    pub lost: Vec<Micros>,
    /// These are on their way to somebody: to him too, unless he has them.
    pub on_way: Vec<Micros>,
    /// These have arrived, as far as is known.
    pub received: Vec<Micros>,
}

impl Departure {
    fn has(&self, at: &Micros) -> bool {
        self.received.contains(at) && !self.lost.contains(at)
    }

    /// What he has not got, oldest first: single posts, those next to each other in one gap; then all that
    /// is posted later.
    fn gaps(&self) -> Vec<Gap> {
        let on_way = self.on_way.iter().filter(|at| !self.has(at));
        let missing = self.lost.iter().chain(on_way).map(|at| (*at, false));
        let received = self.received.iter().filter(|at| self.has(at));
        let mut known: Vec<(Micros, bool)> =
            missing.chain(received.map(|at| (*at, true))).collect();
        known.sort_unstable();
        let mut gaps: Vec<Gap> = Vec::new();
        let mut is_next = false;
        for (at, is_here) in known.iter().filter(|(at, _)| *at <= self.after) {
            if !is_here {
                let last = gaps.pop_if(|_| is_next);
                let after = last.map_or(before(*at), |gap| gap.after);
                gaps.extend(Gap::new(after, Some(*at)));
            }
            is_next = !is_here;
        }
        let mut after = self.after;
        for (at, _) in known
            .iter()
            .filter(|(at, is_here)| *is_here && *at > self.after)
        {
            gaps.extend(Gap::new(after, Some(before(*at))));
            after = *at;
        }
        let many = gaps.len().saturating_sub(MAX_LOST);
        let oldest = gaps.first().map(|gap| gap.after);
        gaps.drain(..many);
        if let (Some(first), Some(oldest)) = (gaps.first_mut(), oldest) {
            first.after = oldest;
        }
        gaps.extend(Gap::new(after, None));
        gaps
    }
}

fn before(at: Micros) -> Micros {
    Micros(at.0.saturating_sub(1))
}

/// What a reader has not read, and whether he is online.
///
/// ```
/// use twitter_core::stream::Micros;
/// use twitter_core::unread::{Arrival, Departure, Mark};
/// let mut mark: Mark = "offline 70 70-".parse()?;
/// let (run, now) = (Micros(1), Micros(90));
/// let arrival = Arrival { departure: None, run, now, was_there: false, wants_pushes: true };
/// let missed = mark.arrive(&arrival).expect("he was away");
/// assert_eq!((missed[0].after(), missed[0].until()), (Micros(70), Some(Micros(90))));
/// mark.seen(Micros(81), Micros(90));
/// mark.leave(&Departure { after: Micros(100), received: vec![Micros(102)], ..Default::default() });
/// assert_eq!(mark.to_string(), "offline 100 70-80 100-101 102-");
/// # Ok::<(), twitter_core::unread::NoMark>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    presence: Presence,
    /// In their order, none touching the next. Only the last may be open.
    gaps: Vec<Gap>,
}

impl Default for Mark {
    /// Of somebody who has never been online.
    fn default() -> Self {
        let all = Gap::new(Micros(0), None);
        Self {
            presence: Presence::Offline { since: Micros(0) },
            gaps: all.into_iter().collect(),
        }
    }
}

impl Mark {
    /// What is stored for a reader. His clients can write there too: what is no mark counts as none.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        text.parse().unwrap_or_default()
    }

    /// The reader has a session. If he had none before, what he missed meanwhile, oldest first: it is still
    /// unread.
    pub fn arrive(&mut self, arrival: &Arrival) -> Option<Vec<Gap>> {
        if let Some(departure) = &arrival.departure {
            self.leave(departure);
        }
        match self.presence {
            Presence::Online { run, .. } if run == arrival.run => return None,
            Presence::Online { since, .. } if arrival.was_there => {
                let run = arrival.run;
                self.presence = Presence::Online { run, since };
                return None;
            }
            _ => self.settle(arrival.run, false),
        }
        let Presence::Offline { since } = self.presence else {
            return None;
        };
        self.presence = Presence::Online {
            run: arrival.run,
            since: arrival.now,
        };
        self.close(arrival.now);
        let gaps = self.gaps.iter();
        let missed = gaps.filter_map(|gap| Gap::new(gap.after.max(since), gap.until));
        let missed = missed.collect();
        if !arrival.wants_pushes {
            self.open(arrival.now);
        }
        Some(missed)
    }

    /// The reader has no session any more. What is posted from now on is unread; `false` if it was before.
    pub fn leave(&mut self, departure: &Departure) -> bool {
        if matches!(self.presence, Presence::Offline { .. }) {
            return false;
        }
        let since = match self.gaps.last() {
            // Whoever wants no pushes has not been sent anything.
            Some(Gap { after, until: None }) => *after,
            _ => {
                for at in departure.received.iter().filter(|at| departure.has(at)) {
                    self.seen(*at, *at);
                }
                let gaps = departure.gaps();
                let since = gaps.first().map_or(departure.after, Gap::after);
                gaps.into_iter().for_each(|gap| self.add(gap));
                self.bound();
                since
            }
        };
        self.presence = Presence::Offline { since };
        true
    }

    /// From now on posts are pushed to a reader who is online, or no longer; `false` if that changes nothing.
    pub fn push(&mut self, wants_pushes: bool, now: Micros) -> bool {
        match (self.presence, wants_pushes) {
            (Presence::Offline { .. }, _) => false,
            (Presence::Online { .. }, true) => {
                let is_open = self.is_open();
                self.close(now);
                is_open
            }
            (Presence::Online { .. }, false) => self.open(now),
        }
    }

    /// The reader was shown the posts of these moments, and all between them; `false` if that changes nothing.
    pub fn seen(&mut self, oldest: Micros, newest: Micros) -> bool {
        let shown = Gap::new(before(oldest), Some(newest));
        let Some(shown) = shown else { return false };
        let left = self.gaps.iter().flat_map(|gap| gap.without(shown));
        let left: Vec<Gap> = left.collect();
        let changes = left != self.gaps;
        self.gaps = left;
        self.bound();
        changes
    }

    /// What is unread, oldest first.
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// If he was online when an earlier run of the service ended, and is not now, he has been offline since this
    /// one began.
    pub fn settle(&mut self, run: Micros, is_online: bool) {
        match self.presence {
            Presence::Online { run: other, since } if other != run && !is_online => {
                let after = since.max(run);
                self.leave(&Departure {
                    after,
                    ..Departure::default()
                });
            }
            _ => {}
        }
    }

    /// In which run he came, if he is online.
    ///
    /// ```
    /// use twitter_core::stream::Micros;
    /// use twitter_core::unread::Mark;
    /// let mark: Mark = "online 10 12".parse()?;
    /// assert_eq!(mark.run(), Some(Micros(10)));
    /// let mark: Mark = "offline 20 20-".parse()?;
    /// assert_eq!(mark.run(), None);
    /// # Ok::<(), twitter_core::unread::NoMark>(())
    /// ```
    #[must_use]
    pub fn run(&self) -> Option<Micros> {
        match self.presence {
            Presence::Online { run, .. } => Some(run),
            Presence::Offline { .. } => None,
        }
    }

    /// The service has run several times: `runs` says when each run began, the present one last. Who was online in
    /// one of them and was not noted in the next, though that has ended too, has been offline since that began.
    ///
    /// ```
    /// use twitter_core::stream::Micros;
    /// use twitter_core::unread::Mark;
    /// let mut mark: Mark = "online 10 12".parse()?;
    /// mark.pass(&[Micros(10), Micros(20)]);
    /// assert_eq!(mark.to_string(), "online 10 12");
    /// mark.pass(&[Micros(10), Micros(20), Micros(30)]);
    /// assert_eq!(mark.to_string(), "offline 20 20-");
    /// # Ok::<(), twitter_core::unread::NoMark>(())
    /// ```
    pub fn pass(&mut self, runs: &[Micros]) {
        let Presence::Online { run, .. } = self.presence else {
            return;
        };
        let next = runs.iter().copied().filter(|began| *began > run).min();
        if let Some(next) = next.filter(|next| runs.last() != Some(next)) {
            self.settle(next, false);
        }
    }

    fn is_open(&self) -> bool {
        self.gaps.last().is_some_and(|gap| gap.until.is_none())
    }

    /// Opens a gap, unless one is open; `false` then.
    fn open(&mut self, after: Micros) -> bool {
        if self.is_open() {
            return false;
        }
        Gap::new(after, None)
            .into_iter()
            .for_each(|gap| self.add(gap));
        self.bound();
        true
    }

    /// Adds a gap, which takes in those that it touches.
    fn add(&mut self, mut new: Gap) {
        self.gaps.retain(|gap| {
            let is_apart = gap.end() < new.after || new.end() < gap.after;
            if !is_apart {
                new.after = new.after.min(gap.after);
                new.until = match (new.until, gap.until) {
                    (Some(one), Some(other)) => Some(one.max(other)),
                    _ => None,
                };
            }
            is_apart
        });
        let index = self.gaps.partition_point(|gap| gap.after < new.after);
        self.gaps.insert(index, new);
    }

    /// Ends the open gap.
    fn close(&mut self, now: Micros) {
        if let Some(open) = self.gaps.pop_if(|gap| gap.until.is_none()) {
            self.gaps.extend(Gap::new(open.after, Some(now)));
        }
    }

    fn bound(&mut self) {
        let many = self.gaps.len().saturating_sub(MAX_GAPS);
        self.gaps.drain(..many);
    }
}

/// A text that is no mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMark;

impl Display for NoMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no mark of what is read")
    }
}

impl std::error::Error for NoMark {}

impl FromStr for Mark {
    type Err = NoMark;

    /// Reads what a mark is written as, and nothing else.
    fn from_str(text: &str) -> Result<Self, NoMark> {
        if text.len() > MAX_BYTES {
            return Err(NoMark);
        }
        let mut words = text.split(' ');
        let presence = match words.next() {
            Some("offline") => Presence::Offline {
                since: micros(words.next())?,
            },
            Some("online") => Presence::Online {
                run: micros(words.next())?,
                since: micros(words.next())?,
            },
            _ => return Err(NoMark),
        };
        let gaps: Vec<Gap> = words.map(gap).collect::<Result<_, _>>()?;
        let is_apart = |pair: &[Gap]| match pair {
            [one, other] => one.until.is_some_and(|until| until < other.after),
            _ => false,
        };
        let mark = Self { presence, gaps };
        let is_whole = mark.gaps.len() <= MAX_GAPS
            && mark.gaps.windows(2).all(is_apart)
            && mark.to_string() == text;
        is_whole.then_some(mark).ok_or(NoMark)
    }
}

fn micros(word: Option<&str>) -> Result<Micros, NoMark> {
    let number = word.and_then(|word| word.parse().ok());
    number.map(Micros).ok_or(NoMark)
}

fn gap(word: &str) -> Result<Gap, NoMark> {
    let (after, until) = word.split_once('-').ok_or(NoMark)?;
    let until = match until {
        "" => None,
        until => Some(micros(Some(until))?),
    };
    Gap::new(micros(Some(after))?, until).ok_or(NoMark)
}

impl Display for Mark {
    /// As it is stored: `offline SINCE 5-9 12-`, or `online RUN SINCE 5-9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.presence {
            Presence::Offline { since } => write!(f, "offline {}", since.0)?,
            Presence::Online { run, since } => write!(f, "online {} {}", run.0, since.0)?,
        }
        for gap in &self.gaps {
            write!(f, " {}-", gap.after.0)?;
            if let Some(until) = gap.until {
                write!(f, "{}", until.0)?;
            }
        }
        Ok(())
    }
}
