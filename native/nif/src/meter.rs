//! How long things take, as Erlang holds it, and the numbers of the service.

use rustler::{Atom, Error, NifResult, NifTuple, ResourceArc};
use twitter_core::meter::{Meter, Summary};
use twitter_core::metrics::{self, Numbers};

use crate::term::List;

struct MeterResource(Meter);

#[rustler::resource_impl]
impl rustler::Resource for MeterResource {}

// Numbers are added one by one: a panic in between costs one measurement.
impl std::panic::RefUnwindSafe for MeterResource {}

type MeterRef = ResourceArc<MeterResource>;

#[rustler::nif]
fn meter_new() -> NifResult<MeterRef> {
    let meter = Meter::new().ok_or(Error::RaiseAtom("no_memory"))?;
    Ok(ResourceArc::new(MeterResource(meter)))
}

#[rustler::nif]
fn record(meter: MeterRef, micros: u64, now: u64) -> Atom {
    meter.0.record(micros, now);
    rustler::types::atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn summary(meter: MeterRef, now: u64) -> SummaryTerm {
    meter.0.summary(now).into()
}

/// `{Host, [{Name, Value}], [{Of, Summary}]}`
type NumbersTerm<'a> = (&'a str, List<(&'a str, u64)>, List<(&'a str, SummaryTerm)>);

#[rustler::nif(schedule = "DirtyCpu")]
fn prometheus(all: List<NumbersTerm<'_>>) -> String {
    let all: Vec<Numbers<'_>> = all.0.into_iter().map(numbers).collect();
    metrics::prometheus(&all)
}

fn numbers<'a>((host, values, times): NumbersTerm<'a>) -> Numbers<'a> {
    let times = times.0.into_iter().map(|(of, term)| (of, term.into()));
    Numbers {
        host,
        values: values.0,
        times: times.collect(),
    }
}

/// `{Count, Sum, {P50, P90, P99, Max}}`
#[derive(NifTuple)]
struct SummaryTerm {
    count: u64,
    sum: u64,
    quantiles: (u64, u64, u64, u64),
}

impl From<Summary> for SummaryTerm {
    fn from(summary: Summary) -> Self {
        Self {
            count: summary.count,
            sum: summary.sum,
            quantiles: (summary.p50, summary.p90, summary.p99, summary.max),
        }
    }
}

impl From<SummaryTerm> for Summary {
    fn from(term: SummaryTerm) -> Self {
        let (p50, p90, p99, max) = term.quantiles;
        Self {
            count: term.count,
            sum: term.sum,
            p50,
            p90,
            p99,
            max,
        }
    }
}
