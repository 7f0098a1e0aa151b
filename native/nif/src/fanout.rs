//! Who is online, who may see whom, and the recipients of a post, as Erlang holds them.
//!
//! Schedulers: what reads of one user or one portion is on a normal one, and waits for no walk; what
//! walks a roster is on a dirty one, and so is what may have to wait for a lock that such a walk holds.
//! What can be large is freed in a thread of its own.

use parking_lot::Mutex;
use rustler::{Atom, Env, ErlOption, LocalPid, ResourceArc, Term};
use twitter_core::fanout::Recipients;
use twitter_core::online::Online;
use twitter_core::rosters::Rosters;
use twitter_core::service::Version;

use crate::aside::drop_aside;
use crate::term::{
    atoms, next_term, sessions_of, taken, Arg, Failure, Jid, Line, List, SessionTerm, Whom,
};
use crate::unread::DepartureTerm;

/// What takes more bytes, or knows more users, is freed in a thread of its own.
const LARGE: usize = 1 << 18;
const MANY: usize = 1000;

/// Who is online in a domain, as Erlang holds it.
struct OnlineResource(Online<LocalPid>);

/// The recipients of a post, as Erlang holds them.
struct FanoutResource(Mutex<Recipients>);

/// Who may see whom, as Erlang holds it.
struct RostersResource(Rosters);

#[rustler::resource_impl]
impl rustler::Resource for OnlineResource {
    const IMPLEMENTS_DESTRUCTOR: bool = true;

    fn destructor(self, _env: Env<'_>) {
        free(self.0.users() > MANY, self.0);
    }
}

#[rustler::resource_impl]
impl rustler::Resource for FanoutResource {
    const IMPLEMENTS_DESTRUCTOR: bool = true;

    fn destructor(self, _env: Env<'_>) {
        let recipients = self.0.into_inner();
        free(recipients.bytes() > LARGE, recipients);
    }
}

#[rustler::resource_impl]
impl rustler::Resource for RostersResource {
    const IMPLEMENTS_DESTRUCTOR: bool = true;

    fn destructor(self, _env: Env<'_>) {
        free(self.0.bytes() > LARGE, self.0);
    }
}

/// There is one fan-out for each post: what is small takes less than a thread.
fn free(is_large: bool, value: impl Send + 'static) {
    if is_large {
        drop_aside(value);
    }
}

// A panic releases the locks; before that the core forgets what it was about to change, or has not begun to
// change it. Whose fan-out met with one gives it up.
impl std::panic::RefUnwindSafe for OnlineResource {}
impl std::panic::RefUnwindSafe for FanoutResource {}
impl std::panic::RefUnwindSafe for RostersResource {}

type OnlineArc = ResourceArc<OnlineResource>;
type FanoutArc = ResourceArc<FanoutResource>;
type RostersArc = ResourceArc<RostersResource>;

#[rustler::nif]
fn online_new() -> OnlineArc {
    ResourceArc::new(OnlineResource(Online::default()))
}

// Who changes something waits until all who read have ended, and they may read much.
#[rustler::nif(schedule = "DirtyCpu")]
fn arrive(online: OnlineArc, user: &str, session: LocalPid, resource: &str) -> bool {
    online.0.arrive(user, session, resource)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn leave(online: OnlineArc, user: &str, session: LocalPid) -> bool {
    online.0.leave(user, session)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn depart(online: OnlineArc, user: &str, session: LocalPid, departure: Arg<DepartureTerm>) -> bool {
    online.0.depart(user, session, departure.0.into())
}

#[rustler::nif]
fn take_departure(online: OnlineArc, user: &str) -> ErlOption<DepartureTerm> {
    let departure = online.0.take_departure(user);
    departure.map(DepartureTerm::from).into()
}

#[rustler::nif]
fn return_departure(online: OnlineArc, user: &str, departure: Arg<DepartureTerm>) -> Atom {
    online.0.return_departure(user, departure.0.into());
    rustler::types::atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn departed(online: OnlineArc) -> Vec<String> {
    online.0.departed()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn users_online(online: OnlineArc) -> usize {
    online.0.users()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn rosters_bytes(rosters: RostersArc) -> usize {
    rosters.0.bytes()
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
fn recipients(
    author: Jid,
    roster: List<Line>,
    here: List<(&str, OnlineArc)>,
    hosts: List<&str>,
) -> FanoutArc {
    let here = here_of(&here);
    let lines = roster.0.iter().filter_map(|l| l.as_core().for_fanout());
    let recipients = Recipients::of(&author.0, lines, &here, &hosts.0);
    ResourceArc::new(FanoutResource(Mutex::new(recipients)))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn domains(fanout: FanoutArc) -> Vec<String> {
    let recipients = fanout.0.lock();
    recipients.domains().map(str::to_owned).collect()
}

// A portion is a few hundred look-ups, whatever the length of the roster.
#[rustler::nif]
fn next_portion<'a>(env: Env<'a>, fanout: FanoutArc, here: List<(&str, OnlineArc)>) -> Term<'a> {
    next_term(env, fanout.0.lock().next(&here_of(&here)))
}

// The process that calls can be killed before and after, not in between: what is noted as sent was sent.
#[rustler::nif]
fn hand_over<'a>(
    env: Env<'a>,
    fanout: FanoutArc,
    whom: Whom,
    resource: &str,
    session: LocalPid,
    messages: List<Term<'a>>,
) -> bool {
    let is_new = {
        let mut recipients = fanout.0.lock();
        match whom {
            Whom::Author => recipients.hand_to_author(resource),
            Whom::Recipient(number) => recipients.hand(number, resource),
        }
    };
    if is_new {
        for message in messages.0 {
            // A session that has ended gets nothing.
            let _ = env.send(&session, message);
        }
    }
    is_new
}

#[rustler::nif]
fn resume(fanout: FanoutArc) -> Atom {
    fanout.0.lock().resume();
    rustler::types::atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn recheck(fanout: FanoutArc, roster: List<Line>) -> Atom {
    let lines = roster.0.iter().filter_map(|l| l.as_core().for_fanout());
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
fn roster_changes(rosters: RostersArc, author: Jid) -> Atom {
    rosters.0.begin_change(&author.0);
    rustler::types::atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn roster_changed(rosters: RostersArc, author: Jid) -> Atom {
    rosters.0.end_change(&author.0);
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
    hosts: List<&str>,
) -> Result<FanoutArc, Failure> {
    let here = here_of(&here);
    let recipients = rosters.0.recipients(&author.0, &here, &hosts.0);
    recipients
        .map(|recipients| ResourceArc::new(FanoutResource(Mutex::new(recipients))))
        .ok_or(Failure::RosterNotLoaded)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn remembered_readers(
    rosters: RostersArc,
    author: Jid,
    domain: &str,
) -> Result<Vec<String>, Failure> {
    rosters
        .0
        .readers_at(&author.0, domain)
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
