//! `Mark` against the obvious model: all posts there are, each read or not.
// A panic in a test is a failed test, and the model is short enough to be seen not to overflow.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used
)]

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use twitter_core::stream::{Micros, Place, Stream};
use twitter_core::timeline::Timeline;
use twitter_core::unread::{Arrival, Departure, Gap, Mark, MAX_GAPS};

/// One post at each of these moments, for as long as the model runs.
const END: u64 = 60;

#[derive(Debug, Clone)]
enum Op {
    /// Time passes: posts are published, and pushed to who is online and wants that.
    Pass(u64),
    Arrive,
    /// How long ago all of these were published.
    Leave {
        after: u64,
        lost: Vec<u64>,
        on_way: Vec<u64>,
        received: Vec<u64>,
    },
    Push(bool),
    Seen(u64, u64),
    /// The service ends and begins again; the reader's session, if he has one, goes on or not.
    Restart {
        was_there: bool,
    },
}

#[derive(Debug)]
struct World {
    mark: Mark,
    now: u64,
    run: u64,
    is_online: bool,
    wants_pushes: bool,
    /// He was there when the run before ended, and nobody has said anything since.
    is_untold: bool,
    /// When he left last, or when the first was posted that was on its way to him then.
    since: u64,
    /// Of each moment, whether its post is read; of those to come, not yet.
    read: Vec<bool>,
}

impl World {
    fn new() -> Self {
        Self {
            mark: Mark::default(),
            now: 0,
            run: 0,
            is_online: false,
            wants_pushes: true,
            is_untold: false,
            since: 0,
            read: vec![true],
        }
    }

    fn unread(&self, after: u64, until: u64) -> Vec<u64> {
        let all = (after + 1)..=until;
        all.filter(|at| !self.read[usize::try_from(*at).unwrap()])
            .collect()
    }

    fn last_read(&self) -> u64 {
        let last = self.read.iter().rposition(|is_read| *is_read);
        u64::try_from(last.unwrap()).unwrap()
    }

    /// The moments in these gaps.
    fn within(&self, gaps: &[Gap]) -> Vec<u64> {
        let is_in = |at: u64, gap: &Gap| {
            at > gap.after().0 && gap.until().is_none_or(|until| at <= until.0)
        };
        (1..=self.now)
            .filter(|at| gaps.iter().any(|gap| is_in(*at, gap)))
            .collect()
    }

    fn set(&mut self, at: u64, is_read: bool) {
        if let Some(read) = self.read.get_mut(usize::try_from(at).unwrap()) {
            *read = is_read;
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Pass(moments) => {
                for _ in 0..*moments {
                    self.now += 1;
                    self.read.push(self.is_online && self.wants_pushes);
                }
            }
            Op::Arrive => {
                let missed = self.mark.arrive(&Arrival {
                    departure: None,
                    run: Micros(self.run),
                    now: Micros(self.now),
                    was_there: self.is_untold && self.is_online,
                    wants_pushes: self.wants_pushes,
                });
                // All that is unread since he left.
                let expected = (!self.is_online).then(|| self.unread(self.since, self.now));
                assert_eq!(missed.map(|gaps| self.within(&gaps)), expected);
                self.is_online = true;
                self.is_untold = false;
            }
            Op::Leave {
                after,
                lost,
                on_way,
                received,
            } => {
                // A session of an earlier run tells first that it goes on.
                if self.is_untold {
                    self.apply(&Op::Arrive);
                }
                let after = self.now.saturating_sub(*after);
                let [lost, on_way, received] = [lost, on_way, received].map(|all| {
                    all.iter()
                        .map(|ago| self.now.saturating_sub(*ago))
                        .collect::<Vec<_>>()
                });
                let micros = |all: &[u64]| all.iter().copied().map(Micros).collect();
                let told = self.mark.leave(&Departure {
                    after: Micros(after),
                    lost: micros(&lost),
                    on_way: micros(&on_way),
                    received: micros(&received),
                });
                assert_eq!(told, self.is_online);
                if self.is_online && self.wants_pushes {
                    let has = |at: u64| received.contains(&at) && !lost.contains(&at);
                    let lacks = |at: u64| {
                        at > 0
                            && at <= after
                            && (lost.contains(&at) || (on_way.contains(&at) && !has(at)))
                    };
                    self.since = (1..=after).find(|at| lacks(*at)).map_or(after, |at| at - 1);
                    for at in 1..=self.now {
                        // Nothing is known to have arrived between two that have not.
                        let is_between = (0..=at).rev().take_while(|at| !has(*at)).any(lacks)
                            && (at..=after).take_while(|at| !has(*at)).any(lacks);
                        match at > after {
                            true => self.set(at, has(at)),
                            false if has(at) => self.set(at, true),
                            false if is_between => self.set(at, false),
                            false => {}
                        }
                    }
                } else if self.is_online {
                    self.since = self.last_read();
                }
                self.is_online = false;
            }
            Op::Push(wants) => {
                // What he wants while he is away he says when he comes.
                if self.is_online && !self.is_untold {
                    let changes = self.mark.push(*wants, Micros(self.now));
                    assert_eq!(changes, *wants != self.wants_pushes);
                }
                if !self.is_untold {
                    self.wants_pushes = *wants;
                }
            }
            Op::Seen(ago, length) => {
                let newest = self.now.saturating_sub(*ago);
                let oldest = newest.saturating_sub(*length);
                let before = self.mark.clone();
                let changes = self.mark.seen(Micros(oldest), Micros(newest));
                assert_eq!(changes, self.mark != before);
                (oldest..=newest).for_each(|at| self.set(at, true));
            }
            Op::Restart { was_there } => {
                // No two runs begin at one moment.
                self.apply(&Op::Pass(1));
                self.run = self.now;
                if self.is_online && !*was_there {
                    // Of what is posted from now on he gets nothing, though no mark says so.
                    self.is_online = false;
                    self.mark = settled(&self.mark, self.run);
                    self.since = match self.wants_pushes {
                        true => self.run,
                        false => self.last_read(),
                    };
                } else {
                    self.is_untold = self.is_online;
                }
            }
        }
    }

    fn check(&mut self) {
        let text = self.mark.to_string();
        assert_eq!(text.parse::<Mark>().as_ref(), Ok(&self.mark), "{text}");
        assert_eq!(Mark::stored(&text), self.mark);
        let mut mark = self.mark.clone();
        mark.settle(Micros(self.run), self.is_online);
        let gaps = mark.gaps();
        if let (MAX_GAPS, Some(oldest)) = (gaps.len(), gaps.first()) {
            (0..=oldest.after().0).for_each(|at| self.set(at, true));
        }
        let unread = self.within(gaps);
        assert_eq!(unread, self.unread(0, self.now), "{text}");
        for (gap, next) in gaps.iter().zip(gaps.iter().skip(1)) {
            assert!(gap.until().unwrap() < next.after(), "{text}");
        }
        let last = gaps.last().is_some_and(|gap| gap.until().is_none());
        assert_eq!(last, !self.is_online || !self.wants_pushes, "{text}");
    }
}

fn settled(mark: &Mark, run: u64) -> Mark {
    let mut mark = mark.clone();
    mark.settle(Micros(run), false);
    mark
}

fn ago() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(0u64..9, 0..4)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1u64..8).prop_map(Op::Pass),
        3 => Just(Op::Arrive),
        3 => (0u64..6, ago(), ago(), ago())
            .prop_map(|(after, lost, on_way, received)| Op::Leave { after, lost, on_way, received }),
        1 => any::<bool>().prop_map(Op::Push),
        3 => (0u64..20, 0u64..10).prop_map(|(ago, length)| Op::Seen(ago, length)),
        1 => any::<bool>().prop_map(|was_there| Op::Restart { was_there }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    /// Whatever happens, what is unread is what was neither pushed nor shown.
    #[test]
    fn what_was_neither_pushed_nor_shown(ops in prop::collection::vec(op(), 0..40)) {
        let mut world = World::new();
        world.check();
        for op in &ops {
            world.apply(op);
            world.check();
        }
    }

    /// Two that come and leave at once tell it in any order.
    #[test]
    fn a_departure_that_is_told_late(after in 0u64..30, received in prop::collection::vec(0u64..30, 0..4), now in 30u64..40) {
        let received = received.into_iter().map(Micros).collect();
        let departure = Departure { after: Micros(after), received, ..Departure::default() };
        let arrival = |departure| Arrival { departure, run: Micros(1), now: Micros(now), was_there: false, wants_pushes: true };
        let mut in_order: Mark = "online 1 2".parse().unwrap();
        let mut late = in_order.clone();
        in_order.leave(&departure);
        let missed = in_order.arrive(&arrival(None));
        prop_assert_eq!(late.arrive(&arrival(Some(departure.clone()))), missed);
        prop_assert_eq!(&late, &in_order);
        // Whoever left finds that it was told.
        prop_assert_eq!(late.arrive(&arrival(None)), None);
    }

    /// However one reads, a mark stays small: then the oldest gaps count as read.
    #[test]
    fn few_gaps(shown in prop::collection::vec((0u64..500, 0u64..3), 0..100)) {
        let mut mark = Mark::default();
        let mut all = vec![false; 504];
        for (at, length) in shown {
            mark.seen(Micros(at), Micros(at + length));
            (at..=at + length).for_each(|at| all[usize::try_from(at).unwrap()] = true);
        }
        prop_assert!(mark.gaps().len() <= MAX_GAPS);
        prop_assert!(mark.to_string().parse::<Mark>().is_ok());
        let first = mark.gaps().first().unwrap().after().0;
        let is_in = |at: u64| mark.gaps().iter().any(|gap| at > gap.after().0 && gap.until().is_none_or(|until| at <= until.0));
        for at in 1..504u64 {
            prop_assert_eq!(is_in(at), at > first && !all[usize::try_from(at).unwrap()]);
        }
    }

    /// Anything may be stored there.
    #[test]
    fn any_text(text in prop_oneof![".{0,40}", "(offline [0-9]{1,21}|online [0-9]{1,21} [0-9]{1,21})( [0-9]{0,21}-[0-9]{0,3}){0,20}"]) {
        match text.parse::<Mark>() {
            Ok(mark) => prop_assert_eq!(mark.to_string(), text),
            Err(_) => prop_assert_eq!(Mark::stored(&text), Mark::default()),
        }
    }

    /// The count and the newest posts, as by looking at each post.
    #[test]
    fn missed_posts(
        posts in prop::collection::vec((0u64..END, select(vec!["a@h", "b@h", "c@h"])), 0..40),
        shown in prop::collection::vec((0u64..END, 0u64..9), 0..6),
        limit in 0usize..12,
    ) {
        let mut mark = Mark::default();
        for (at, length) in &shown {
            mark.seen(Micros(*at), Micros(at + length));
        }
        let mut streams = ["a@h", "b@h", "c@h"].map(|author| (author, Stream::default()));
        let mut unread = Vec::new();
        for (number, (at, author)) in posts.iter().enumerate() {
            let id = format!("{number:03}");
            for (name, stream) in &mut streams {
                if name == author {
                    stream.put(Place { at: Micros(*at), id: id.as_str().into() });
                }
            }
            let is_shown = shown.iter().any(|(from, length)| (*from..=from + length).contains(at));
            if *at > 0 && !is_shown {
                unread.push((*at, (*author).to_owned(), id));
            }
        }
        unread.sort();
        unread.reverse();
        let timeline = Timeline::new(streams.iter().map(|(author, stream)| (*author, stream)).collect());
        let (found, count) = timeline.missed(mark.gaps(), limit);
        prop_assert_eq!(count, unread.len());
        let found: Vec<_> = found.into_iter().map(|post| (post.at.0, post.author, post.id.to_string())).collect();
        unread.truncate(limit);
        prop_assert_eq!(found, unread);
    }
}
