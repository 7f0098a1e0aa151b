//! `twitter_core` for the BEAM. Each function decodes its arguments, calls the core once and
//! encodes the answer; `erlang_src/plugin/twitter_nif.erl` has their specs. Those of an index are in `index`.
//!
//! Schedulers: what takes a few microseconds whatever it is given runs on a normal one; what walks
//! a list, a stream or a payload runs on a dirty CPU scheduler, because its caller sets the size; so
//! does what only waits for the lock that such a walk holds.

mod aside;
mod audience;
mod dialog;
mod dialog_term;
mod fanout;
mod index;
mod meter;
mod rate;
mod report;
mod settings;
mod term;
mod unread;

use rustler::{Atom, Binary, NifResult};
use twitter_core::friends::Roster;
use twitter_core::path;
use twitter_core::portions;
use twitter_core::post::{self, Draft};

use term::{atoms, Arg, Failure, Jid, Line, List, NodeTerm, PayloadTerm};

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
    let contacts = lines.0.iter().filter_map(|l| l.as_core().contact());
    let roster = Roster::new(&owner.0, contacts);
    roster
        .friends()
        .into_iter()
        .map(|friend| (Jid(friend.jid), friend.name))
        .collect()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn batches(ids: List<&str>, max_bytes: usize) -> Vec<Vec<&str>> {
    portions::batches(&ids.0, max_bytes)
        .into_iter()
        .map(<[_]>::to_vec)
        .collect()
}

rustler::init!("twitter_nif");
