//! What a reader has not read, as Erlang stores it: a text, empty of whom nothing is stored.
//!
//! Schedulers: a mark has few gaps, and its text is short, else it is none: these are on a normal one, but for the
//! one that takes a list of any length.

use rustler::{Decoder, Encoder, Env, ErlOption, NifResult, NifTuple, Term};
use twitter_core::stream::Micros;
use twitter_core::unread::{Arrival, Departure, Gap, Mark};

use crate::term::{atoms, Arg, List};

/// `{After, Lost, OnWay, Received}`
pub struct DepartureTerm(Departure);

impl<'a> Decoder<'a> for DepartureTerm {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        type Moments = List<u64>;
        let (after, lost, on_way, received): (u64, Moments, Moments, Moments) = term.decode()?;
        let moments = |list: Moments| list.0.into_iter().map(Micros).collect();
        Ok(Self(Departure {
            after: Micros(after),
            lost: moments(lost),
            on_way: moments(on_way),
            received: moments(received),
        }))
    }
}

impl Encoder for DepartureTerm {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        let moments = |list: &[Micros]| list.iter().map(|at| at.0).collect::<Vec<_>>();
        let Departure {
            after,
            lost,
            on_way,
            received,
        } = &self.0;
        (after.0, moments(lost), moments(on_way), moments(received)).encode(env)
    }
}

impl From<Departure> for DepartureTerm {
    fn from(departure: Departure) -> Self {
        Self(departure)
    }
}

impl From<DepartureTerm> for Departure {
    fn from(term: DepartureTerm) -> Self {
        term.0
    }
}

/// `{Run, Now, WasThere, WantsPushes}`
#[derive(NifTuple)]
struct ArrivalTuple {
    run: u64,
    now: u64,
    was_there: bool,
    wants_pushes: bool,
}

/// `{After, Until | open}`
pub struct GapTerm(Gap);

impl<'a> Decoder<'a> for GapTerm {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        let (after, until): (u64, Term<'a>) = term.decode()?;
        let until = match atoms::open() == until {
            true => None,
            false => Some(Micros(until.decode()?)),
        };
        Gap::new(Micros(after), until)
            .map(Self)
            .ok_or(rustler::Error::BadArg)
    }
}

impl Encoder for GapTerm {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        let after = self.0.after().0;
        match self.0.until() {
            Some(Micros(until)) => (after, until).encode(env),
            None => (after, atoms::open()).encode(env),
        }
    }
}

impl From<GapTerm> for Gap {
    fn from(term: GapTerm) -> Self {
        term.0
    }
}

#[rustler::nif(schedule = "DirtyCpu")]
fn mark_pass(mark: &str, runs: List<u64>) -> String {
    if mark.is_empty() {
        return String::new();
    }
    let runs: Vec<Micros> = runs.0.into_iter().map(Micros).collect();
    let mut mark = Mark::stored(mark);
    mark.pass(&runs);
    mark.to_string()
}

#[rustler::nif]
fn mark_run(mark: &str) -> ErlOption<u64> {
    ErlOption::from(Mark::stored(mark).run().map(|Micros(run)| run))
}

#[rustler::nif]
fn mark_gaps(mark: &str, run: u64, is_online: bool) -> Vec<GapTerm> {
    let mut mark = Mark::stored(mark);
    mark.settle(Micros(run), is_online);
    mark.gaps().iter().copied().map(GapTerm).collect()
}

#[rustler::nif]
fn mark_arrive(
    mark: &str,
    departure: Arg<ErlOption<DepartureTerm>>,
    arrival: Arg<ArrivalTuple>,
) -> (String, ErlOption<Vec<GapTerm>>) {
    let departure = Option::from(departure.0).map(|DepartureTerm(departure)| departure);
    let mut mark = Mark::stored(mark);
    let missed = mark.arrive(&Arrival {
        departure,
        run: Micros(arrival.0.run),
        now: Micros(arrival.0.now),
        was_there: arrival.0.was_there,
        wants_pushes: arrival.0.wants_pushes,
    });
    let missed = missed.map(|gaps| gaps.into_iter().map(GapTerm).collect());
    (mark.to_string(), ErlOption::from(missed))
}

#[rustler::nif]
fn mark_leave(mark: &str, departure: Arg<DepartureTerm>) -> String {
    let mut mark = Mark::stored(mark);
    mark.leave(&departure.0 .0);
    mark.to_string()
}

#[rustler::nif]
fn mark_push(mark: &str, wants_pushes: bool, now: u64) -> String {
    let mut mark = Mark::stored(mark);
    mark.push(wants_pushes, Micros(now));
    mark.to_string()
}

#[rustler::nif]
fn mark_seen(mark: &str, run: u64, is_online: bool, oldest: u64, newest: u64) -> String {
    let mut mark = Mark::stored(mark);
    mark.settle(Micros(run), is_online);
    mark.seen(Micros(oldest), Micros(newest));
    mark.to_string()
}
