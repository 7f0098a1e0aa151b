//! `twitter_core` for the BEAM. Each function decodes its arguments, calls the core once and
//! encodes the answer; `erlang_src/twitter_nif.erl` has their specs.
//!
//! Schedulers: what takes a few microseconds whatever it is given runs on a normal one; what walks
//! a list, a stream or a payload runs on a dirty CPU scheduler, because its caller sets the size; so
//! does what only waits for the lock that such a walk holds.

mod term;

use parking_lot::Mutex;
use rustler::{Atom, Binary, LocalPid, NifResult, ResourceArc};
use twitter_core::fanout::Recipients;
use twitter_core::friends::Roster;
use twitter_core::online::Online;
use twitter_core::path;
use twitter_core::portions;
use twitter_core::post::{self, Draft};
use twitter_core::rosters::Rosters;
use twitter_core::service::{NotLoaded, Offer, Service, Version};
use twitter_core::stream::{Micros, Place};

use term::{
    atoms, sessions_of, Arg, Failure, Jid, Line, List, NextTerm, NodeTerm, PageTerm, PayloadTerm,
    Post, RequestTerm, SessionTerm,
};

/// The index of one pubsub host, as Erlang holds it.
struct IndexResource(Service);

/// Who is online in a domain, as Erlang holds it.
struct OnlineResource(Online<LocalPid>);

/// The recipients of a post, as Erlang holds them.
struct FanoutResource(Mutex<Recipients>);

#[rustler::resource_impl]
impl rustler::Resource for OnlineResource {}

#[rustler::resource_impl]
impl rustler::Resource for FanoutResource {}

/// Who may see whom, as Erlang holds it.
struct RostersResource(Rosters);

#[rustler::resource_impl]
impl rustler::Resource for RostersResource {}

// A panic releases the locks, and leaves at worst a session too many or a recipient too few.
impl std::panic::RefUnwindSafe for OnlineResource {}
impl std::panic::RefUnwindSafe for FanoutResource {}
impl std::panic::RefUnwindSafe for RostersResource {}

type OnlineArc = ResourceArc<OnlineResource>;
type FanoutArc = ResourceArc<FanoutResource>;
type RostersArc = ResourceArc<RostersResource>;

#[rustler::resource_impl]
impl rustler::Resource for IndexResource {}

// Each change of the index is one step on a map or a vector: a panic cannot be seen half way.
impl std::panic::RefUnwindSafe for IndexResource {}

type Index = ResourceArc<IndexResource>;

#[rustler::nif]
fn parse_node(id: Binary<'_>) -> NodeTerm {
    // A node id that is no UTF-8 cannot come from XML.
    std::str::from_utf8(&id).map_or(NodeTerm::Unknown, |id| path::parse(id).into())
}

#[rustler::nif]
fn parse_disco_node(id: Binary<'_>) -> NodeTerm {
    std::str::from_utf8(&id).map_or(NodeTerm::Unknown, |id| path::parse_disco(id).into())
}

#[rustler::nif]
fn node_id(node: Arg<NodeTerm>) -> NifResult<String> {
    node.0.id()
}

#[rustler::nif]
fn stored_node(author: Jid) -> String {
    path::stored(&author.0)
}

#[rustler::nif]
fn author_of_stored(id: &str) -> Result<Jid, Failure> {
    path::author_of_stored(id).map(Jid).ok_or(Failure::NoAuthor)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn check_draft(
    items: usize,
    id: &str,
    payloads: usize,
    payload: Arg<PayloadTerm>,
    max_bytes: usize,
) -> Result<Atom, Failure> {
    let draft = Draft {
        items,
        id,
        payloads,
        payload: payload.0.as_core(),
    };
    draft
        .check(max_bytes)
        .map(|()| atoms::checked())
        .map_err(Failure::Refused)
}

#[rustler::nif]
fn max_depth() -> usize {
    post::MAX_DEPTH
}

#[rustler::nif(schedule = "DirtyCpu")]
fn text(payload: Arg<PayloadTerm>) -> String {
    payload.0.as_core().text()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn title(payload: Arg<PayloadTerm>) -> String {
    payload.0.as_core().title()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn friends(owner: Jid, lines: List<Line>) -> Vec<(Jid, String)> {
    let roster = Roster::new(&owner.0, lines.0.into_iter().filter_map(Line::contact));
    roster
        .friends()
        .into_iter()
        .map(|friend| (Jid(friend.jid), friend.name))
        .collect()
}

#[rustler::nif]
fn online_new() -> OnlineArc {
    ResourceArc::new(OnlineResource(Online::default()))
}

#[rustler::nif]
fn arrive(online: OnlineArc, user: &str, session: LocalPid, resource: &str) -> bool {
    online.0.arrive(user, session, resource)
}

#[rustler::nif]
fn leave(online: OnlineArc, user: &str, session: LocalPid) -> bool {
    online.0.leave(user, session)
}

#[rustler::nif]
fn sessions(online: OnlineArc, user: &str) -> Vec<SessionTerm> {
    sessions_of(&online.0, user)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn all_sessions(online: OnlineArc) -> Vec<(String, SessionTerm)> {
    let all = online.0.all().into_iter();
    all.map(|(user, session)| (user.into(), session.into()))
        .collect()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn recipients(author: Jid, roster: List<Line>, here: List<(&str, OnlineArc)>) -> FanoutArc {
    let here = here_of(&here);
    let lines = roster.0.iter().filter_map(Line::for_fanout);
    let recipients = Recipients::of(&author.0, lines, &here);
    ResourceArc::new(FanoutResource(Mutex::new(recipients)))
}

// A portion is a few hundred look-ups, whatever the length of the roster.
#[rustler::nif]
fn next_portion(fanout: FanoutArc, here: List<(&str, OnlineArc)>) -> NextTerm {
    fanout.0.lock().next(&here_of(&here)).into()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn recheck(fanout: FanoutArc, roster: List<Line>) -> Atom {
    let lines = roster.0.iter().filter_map(Line::for_fanout);
    fanout.0.lock().recheck(lines);
    rustler::types::atom::ok()
}

#[rustler::nif]
fn rosters_new(max_bytes: usize) -> RostersArc {
    ResourceArc::new(RostersResource(Rosters::new(max_bytes)))
}

// Any of these may have to wait for one that walks a long roster.
#[rustler::nif(schedule = "DirtyCpu")]
fn roster_version(rosters: RostersArc, author: Jid) -> u64 {
    rosters.0.version(&author.0).0
}

#[rustler::nif(schedule = "DirtyCpu")]
fn roster_load(rosters: RostersArc, author: Jid, read_under: u64, readers: List<&str>) -> Atom {
    taken(rosters.0.load(&author.0, Version(read_under), readers.0))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn roster_answer(
    rosters: RostersArc,
    author: Jid,
    read_under: u64,
    reader: Jid,
    sees: bool,
) -> Atom {
    taken(
        rosters
            .0
            .answer(&author.0, Version(read_under), &reader.0, sees),
    )
}

#[rustler::nif(schedule = "DirtyCpu")]
fn roster_changed(rosters: RostersArc, author: Jid) -> Atom {
    rosters.0.forget(&author.0);
    rustler::types::atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn rosters_reset(rosters: RostersArc) -> Atom {
    rosters.0.reset();
    rustler::types::atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn sees(rosters: RostersArc, reader: Jid, authors: List<Jid>) -> Vec<Atom> {
    let authors: Vec<_> = authors.0.into_iter().map(|Jid(jid)| jid).collect();
    let answers = rosters.0.sees_all(&reader.0, &authors).into_iter();
    answers
        .map(|sees| match sees {
            Some(true) => rustler::types::atom::true_(),
            Some(false) => rustler::types::atom::false_(),
            None => atoms::unknown(),
        })
        .collect()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn remembered_recipients(
    rosters: RostersArc,
    author: Jid,
    here: List<(&str, OnlineArc)>,
) -> Result<FanoutArc, Failure> {
    let recipients = rosters.0.recipients(&author.0, &here_of(&here));
    recipients
        .map(|recipients| ResourceArc::new(FanoutResource(Mutex::new(recipients))))
        .ok_or(Failure::RosterNotLoaded)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn remembered_recheck(
    rosters: RostersArc,
    author: Jid,
    fanout: FanoutArc,
) -> Result<Atom, Failure> {
    match rosters.0.recheck(&author.0, &mut fanout.0.lock()) {
        true => Ok(atoms::checked()),
        false => Err(Failure::RosterNotLoaded),
    }
}

fn here_of<'a>(here: &'a List<(&'a str, OnlineArc)>) -> Vec<(&'a str, &'a Online<LocalPid>)> {
    here.0
        .iter()
        .map(|(domain, online)| (*domain, &online.0))
        .collect()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn batches(ids: List<&str>, max_bytes: usize) -> Vec<Vec<&str>> {
    portions::batches(&ids.0, max_bytes)
        .into_iter()
        .map(<[_]>::to_vec)
        .collect()
}

#[rustler::nif]
fn index_new() -> Index {
    ResourceArc::new(IndexResource(Service::default()))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn version(index: Index, author: Jid) -> u64 {
    index.0.version(&author.0).0
}

#[rustler::nif(schedule = "DirtyCpu")]
fn load(index: Index, author: Jid, read_under: u64, posts: List<(u64, &str)>) -> Atom {
    let places = posts.0.into_iter().map(|(at, id)| place(at, id)).collect();
    taken(index.0.load(&author.0, Version(read_under), places))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn put(index: Index, author: Jid, read_under: u64, at: u64, id: &str) -> Atom {
    taken(index.0.put(&author.0, Version(read_under), place(at, id)))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn remove(index: Index, author: Jid, read_under: u64, id: &str) -> Atom {
    taken(index.0.remove(&author.0, Version(read_under), id))
}

fn place(at: u64, id: &str) -> Place {
    Place {
        at: Micros(at),
        id: id.into(),
    }
}

fn taken(offer: Offer) -> Atom {
    match offer {
        Offer::Taken => atoms::taken(),
        Offer::Stale => atoms::stale(),
    }
}

#[rustler::nif(schedule = "DirtyCpu")]
fn forget(index: Index, author: Jid) -> Atom {
    index.0.forget(&author.0);
    rustler::types::atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn page(index: Index, authors: List<Jid>, request: Arg<RequestTerm>) -> Result<PageTerm, Failure> {
    let request = request.0.as_core().ok_or(Failure::BadCursor)?;
    let authors: Vec<_> = authors.0.into_iter().map(|Jid(jid)| jid).collect();
    match index.0.page(&authors, &request) {
        Ok(page) => Ok(page.into()),
        Err(NotLoaded(missing)) => Err(Failure::NotLoaded(missing)),
    }
}

#[rustler::nif(schedule = "DirtyCpu")]
fn find(index: Index, authors: List<Jid>, ids: List<&str>) -> Result<Vec<Post>, Failure> {
    let authors: Vec<_> = authors.0.into_iter().map(|Jid(jid)| jid).collect();
    match index.0.find(&authors, &ids.0) {
        Ok(posts) => Ok(posts.into_iter().map(Post::from).collect()),
        Err(NotLoaded(missing)) => Err(Failure::NotLoaded(missing)),
    }
}

rustler::init!("twitter_nif");
