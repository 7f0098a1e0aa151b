//! The index of a pubsub host, as Erlang holds it, and its functions.
//!
//! Schedulers: all that take a lock are on a dirty one, since whoever has it may be at work on a
//! stream of any length. The two that make something empty take a few microseconds.

use std::sync::Arc;

use rustler::{Atom, Binary, Encoder, Env, NewBinary, NifTuple, ResourceArc, Term};
use twitter_core::audience::Seq;
use twitter_core::service::{Cached, Hold, Memory, NotLoaded, Service, Version};
use twitter_core::stream::{Micros, Place};
use twitter_core::timeline::{Page, PostRef};
use twitter_core::unread::Gap;

use crate::aside::drop_aside;
use crate::audience::{buckets, Buckets};
use crate::term::{taken, Arg, Failure, Jid, List, Reader, RequestTerm};
use crate::unread::GapTerm;

/// The index of one pubsub host, as Erlang holds it.
struct IndexResource(Service);

#[rustler::resource_impl]
impl rustler::Resource for IndexResource {
    const IMPLEMENTS_DESTRUCTOR: bool = true;

    fn destructor(self, _env: Env<'_>) {
        drop_aside(self.0);
    }
}

// What a panic leaves half changed, the core forgets before anybody sees it.
impl std::panic::RefUnwindSafe for IndexResource {}

type Index = ResourceArc<IndexResource>;

/// Streams that one request has in its hand.
struct HoldResource(Hold);

#[rustler::resource_impl]
impl rustler::Resource for HoldResource {
    const IMPLEMENTS_DESTRUCTOR: bool = true;

    fn destructor(self, _env: Env<'_>) {
        // Whoever ends in good order has released it.
        if !self.0.is_empty() {
            drop_aside(self.0);
        }
    }
}

impl std::panic::RefUnwindSafe for HoldResource {}

type HoldRef = ResourceArc<HoldResource>;

#[rustler::nif]
fn index_new(index_size: usize, cache_size: usize) -> Index {
    ResourceArc::new(IndexResource(Service::new(index_size, cache_size)))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn set_budgets(index: Index, index_size: usize, cache_size: usize) -> Atom {
    index.0.set_budgets(index_size, cache_size);
    rustler::types::atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn memory(index: Index) -> MemoryTerm {
    index.0.memory().into()
}

#[rustler::nif]
fn hold_new() -> HoldRef {
    ResourceArc::new(HoldResource(Hold::default()))
}

#[rustler::nif(schedule = "DirtyCpu", name = "hold")]
fn hold_stream(index: Index, hold: HoldRef, author: Jid) -> bool {
    index.0.hold(&author.0, &hold.0)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn release(hold: HoldRef) -> Atom {
    hold.0.release();
    rustler::types::atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn version(index: Index, author: Jid) -> u64 {
    index.0.version(&author.0).0
}

#[rustler::nif(schedule = "DirtyCpu")]
fn load(
    index: Index,
    hold: HoldRef,
    author: Jid,
    read_under: u64,
    posts: List<(u64, &str)>,
) -> Atom {
    let places = posts.0.into_iter().map(|(at, id)| place(at, id)).collect();
    taken(
        index
            .0
            .load(&author.0, Version(read_under), places, &hold.0),
    )
}

#[rustler::nif(schedule = "DirtyCpu")]
fn put(index: Index, author: Jid, read_under: u64, at: u64, id: &str, payload: Binary<'_>) -> Atom {
    let (place, payload) = (place(at, id), Arc::from(payload.as_slice()));
    taken(index.0.put(&author.0, Version(read_under), place, payload))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn load_heard(
    index: Index,
    hold: HoldRef,
    author: Jid,
    read_under: u64,
    posts: List<(u64, &str, Seq)>,
    rows: Buckets<'_>,
) -> Atom {
    let posts = posts.0.into_iter();
    let posts = posts.map(|(at, id, seq)| (place(at, id), seq)).collect();
    let (version, rows) = (Version(read_under), buckets(rows));
    taken(index.0.load_heard(&author.0, version, posts, rows, &hold.0))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn put_heard(
    index: Index,
    author: Jid,
    read_under: u64,
    (at, id, seq): (u64, &str, Seq),
    payload: Binary<'_>,
    changed: Buckets<'_>,
) -> Atom {
    let (post, payload) = ((place(at, id), seq), Arc::from(payload.as_slice()));
    let (version, changed) = (Version(read_under), buckets(changed));
    taken(
        index
            .0
            .put_heard(&author.0, version, post, payload, changed),
    )
}

#[rustler::nif(schedule = "DirtyCpu")]
fn set_heard(index: Index, author: Jid, read_under: u64, changed: Buckets<'_>) -> Atom {
    let (version, changed) = (Version(read_under), buckets(changed));
    taken(index.0.set_heard(&author.0, version, changed))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn remove(index: Index, author: Jid, read_under: u64, id: &str) -> Atom {
    taken(index.0.remove(&author.0, Version(read_under), id))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn keep_payloads(index: Index, payloads: List<(Jid, u64, &str, Binary<'_>)>) -> Atom {
    for (author, read_under, id, payload) in payloads.0 {
        // What is stale is not kept: it is read again by whoever wants it.
        let _ = index.0.keep_payload(
            &author.0,
            Version(read_under),
            &id.into(),
            Arc::from(payload.as_slice()),
        );
    }
    rustler::types::atom::ok()
}

fn place(at: u64, id: &str) -> Place {
    Place {
        at: Micros(at),
        id: id.into(),
    }
}

#[rustler::nif(schedule = "DirtyCpu")]
fn forget(index: Index, author: Jid) -> Atom {
    index.0.forget(&author.0);
    rustler::types::atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn forget_all(index: Index) -> Atom {
    index.0.forget_all();
    rustler::types::atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn page(
    index: Index,
    hold: HoldRef,
    authors: List<Jid>,
    reader: Reader,
    request: Arg<RequestTerm>,
    max_bytes: usize,
) -> Result<PageTerm, Failure> {
    let request = request.0.as_core().ok_or(Failure::BadCursor)?;
    let authors: Vec<_> = authors.0.into_iter().map(|Jid(jid)| jid).collect();
    match index
        .0
        .page(&authors, reader.as_str(), &request, &hold.0, max_bytes)
    {
        Ok((page, cached)) => Ok(PageTerm::new(page, cached)),
        Err(NotLoaded(missing)) => Err(Failure::NotLoaded(missing)),
    }
}

#[rustler::nif(schedule = "DirtyCpu")]
fn find(
    index: Index,
    hold: HoldRef,
    authors: List<Jid>,
    reader: Reader,
    ids: List<&str>,
    max_bytes: usize,
) -> Result<Vec<Post>, Failure> {
    let authors: Vec<_> = authors.0.into_iter().map(|Jid(jid)| jid).collect();
    match index
        .0
        .find(&authors, reader.as_str(), &ids.0, &hold.0, max_bytes)
    {
        Ok((found, cached)) => Ok(posts(found, cached)),
        Err(NotLoaded(missing)) => Err(Failure::NotLoaded(missing)),
    }
}

#[rustler::nif(schedule = "DirtyCpu")]
fn missed(
    index: Index,
    hold: HoldRef,
    authors: List<Jid>,
    reader: Reader,
    gaps: List<GapTerm>,
    limit: u32,
    max_bytes: usize,
) -> Result<(Vec<Post>, usize), Failure> {
    let authors: Vec<_> = authors.0.into_iter().map(|Jid(jid)| jid).collect();
    let gaps: Vec<_> = gaps.0.into_iter().map(Gap::from).collect();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match index
        .0
        .missed(&authors, reader.as_str(), &gaps, limit, &hold.0, max_bytes)
    {
        Ok((found, cached, count)) => Ok((posts(found, cached), count)),
        Err(NotLoaded(missing)) => Err(Failure::NotLoaded(missing)),
    }
}

/// A payload, or the version under which to offer it: `binary() | non_neg_integer()`
struct CachedTerm(Cached);

impl Encoder for CachedTerm {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        match &self.0 {
            Cached::Payload(payload) => {
                let mut binary = NewBinary::new(env, payload.len());
                binary.as_mut_slice().copy_from_slice(payload);
                binary.into()
            }
            Cached::Unread(Version(version)) => version.encode(env),
        }
    }
}

/// `{Author, Id, PayloadOrVersion}`
#[derive(NifTuple)]
#[rustler(encode)]
struct Post {
    author: String,
    id: String,
    cached: CachedTerm,
}

fn posts(posts: Vec<PostRef>, cached: Vec<Cached>) -> Vec<Post> {
    let both = posts.into_iter().zip(cached);
    both.map(|(post, cached)| Post {
        id: post.id.to_string(),
        author: post.author,
        cached: CachedTerm(cached),
    })
    .collect()
}

/// `{Posts, FirstCursor, LastCursor, Index, Count}`; the cursors of an empty page are empty.
#[derive(NifTuple)]
#[rustler(encode)]
struct PageTerm {
    posts: Vec<Post>,
    first: String,
    last: String,
    index: usize,
    count: usize,
}

impl PageTerm {
    fn new(page: Page, cached: Vec<Cached>) -> Self {
        let cursor =
            |post: Option<&PostRef>| post.map_or_else(String::new, |p| p.cursor().encode());
        Self {
            first: cursor(page.posts.first()),
            last: cursor(page.posts.last()),
            index: page.index,
            count: page.count,
            posts: posts(page.posts, cached),
        }
    }
}

/// `{StreamBytes, PayloadBytes, Authors, Posts, Payloads}`
#[derive(NifTuple)]
#[rustler(encode)]
struct MemoryTerm {
    stream_bytes: usize,
    payload_bytes: usize,
    authors: usize,
    posts: usize,
    payloads: usize,
}

impl From<Memory> for MemoryTerm {
    fn from(memory: Memory) -> Self {
        Self {
            stream_bytes: memory.stream_bytes,
            payload_bytes: memory.payload_bytes,
            authors: memory.authors,
            posts: memory.posts,
            payloads: memory.payloads,
        }
    }
}
