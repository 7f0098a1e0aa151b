//! For whom heard posts are, as Erlang stores it: the state of a stream and the rows of its readers, as text;
//! and what the clocks and names of other servers are worth.
//!
//! Schedulers: what takes one bucket of some rows, or no list, is on a normal one.

use std::collections::BTreeMap;

use rustler::{Atom, Decoder, Encoder, Env, ErlOption, Error, NifResult, NifUnitEnum, Term};
use twitter_core::audience::{self, Bucket, Kind, Seq, State, Wrong};
use twitter_core::stream::Micros;
use twitter_core::{clock, peer};

use crate::term::{atoms, Arg, Jid, List};

/// The number of a bucket. What is larger is badarg: it must not become another one.
pub struct Number(u8);

impl<'a> Decoder<'a> for Number {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        let number = u8::try_from(term.decode::<u32>()?).map_err(|_| Error::BadArg)?;
        let is_bucket = number < audience::BUCKETS;
        is_bucket.then_some(Self(number)).ok_or(Error::BadArg)
    }
}

/// `[{Number, Bucket}]`
pub type Buckets<'a> = List<(Number, &'a str)>;

pub fn buckets(texts: Buckets<'_>) -> BTreeMap<u8, Bucket> {
    let decode = |(Number(number), text): (Number, &str)| (number, Bucket::decode(text));
    texts.0.into_iter().map(decode).collect()
}

/// `{State, [{Number, Bucket}]}`
type Changed = (String, Vec<(u8, String)>);

fn changed((state, buckets): (State, BTreeMap<u8, Bucket>)) -> Changed {
    let encode = |(number, bucket): (u8, Bucket)| (number, bucket.encode());
    (state.to_string(), buckets.into_iter().map(encode).collect())
}

/// `relay | single`
#[derive(Clone, Copy, NifUnitEnum)]
enum KindTerm {
    Relay,
    Single,
}

/// `{Seq, State} | {error, open | closed}`
struct Numbered(Result<(Seq, State), Wrong>);

impl Encoder for Numbered {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        let error = |reason: Atom| (rustler::types::atom::error(), reason).encode(env);
        match &self.0 {
            Ok((seq, state)) => (*seq, state.to_string()).encode(env),
            Err(Wrong::Open) => error(atoms::open()),
            Err(Wrong::Closed) => error(atoms::closed()),
        }
    }
}

#[rustler::nif]
fn audience_bucket(reader: Jid) -> u8 {
    audience::bucket_of(reader.0.as_str())
}

#[rustler::nif]
fn audience_digest(state: &str) -> ErlOption<String> {
    let state = State::decode(state);
    state.digest().map(str::to_owned).into()
}

#[rustler::nif]
fn audience_is_open(state: &str) -> bool {
    State::decode(state).is_open()
}

#[rustler::nif]
fn audience_unsure(state: &str) -> String {
    State::decode(state).unsure().to_string()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn audience_assume(state: &str, rows: Buckets<'_>, digest: &str, readers: List<Jid>) -> Changed {
    let readers: Vec<&str> = readers.0.iter().map(|reader| reader.0.as_str()).collect();
    changed(audience::assume(
        &State::decode(state),
        &buckets(rows),
        digest,
        &readers,
    ))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn audience_seal(state: &str, rows: Buckets<'_>) -> Changed {
    changed(audience::seal(&State::decode(state), &buckets(rows)))
}

#[rustler::nif]
fn audience_next(state: &str, kind: Arg<KindTerm>) -> Numbered {
    let kind = match kind.0 {
        KindTerm::Relay => Kind::Relay,
        KindTerm::Single => Kind::Single,
    };
    Numbered(State::decode(state).number(kind))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn audience_admit(bucket: &str, reader: Jid, seq: Seq) -> String {
    let mut bucket = Bucket::decode(bucket);
    bucket.admit(reader.0.as_str(), seq);
    bucket.encode()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn audience_dismiss(bucket: &str, reader: Jid) -> String {
    let mut bucket = Bucket::decode(bucket);
    bucket.dismiss(reader.0.as_str());
    bucket.encode()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn audience_readers(rows: Buckets<'_>, seq: Seq) -> Vec<String> {
    let buckets = buckets(rows);
    let readers = buckets.values().flat_map(|bucket| bucket.readers(seq));
    readers.map(str::to_owned).collect()
}

#[rustler::nif]
fn place_at(published: ErlOption<u64>, sent: ErlOption<u64>, received: u64) -> u64 {
    let micros = |moment: ErlOption<u64>| Option::from(moment).map(Micros);
    clock::place_at(micros(published), micros(sent), Micros(received)).0
}

#[rustler::nif(schedule = "DirtyCpu")]
fn speaks_for(service: &str, domain: &str, listed: List<&str>) -> bool {
    peer::speaks_for(service, domain, &listed.0)
}

#[rustler::nif]
fn retry_after(failures: u32) -> u64 {
    peer::retry_after(failures)
}
