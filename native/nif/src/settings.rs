//! What a reader wants to get, as Erlang holds it.

use rustler::{Atom, Decoder, Encoder, Env, NifResult, NifUnitEnum, ResourceArc, Term};
use twitter_core::settings::{News, Settings, Share, TooManyMutes};
use twitter_core::stream::Micros;

use crate::aside::drop_aside;
use crate::term::{atoms, Arg, Jid, List};

/// Never changed: a change makes another one.
struct SettingsResource(Settings);

#[rustler::resource_impl]
impl rustler::Resource for SettingsResource {
    const IMPLEMENTS_DESTRUCTOR: bool = true;

    fn destructor(self, _env: Env<'_>) {
        drop_aside(self.0);
    }
}

type SettingsRef = ResourceArc<SettingsResource>;

fn resource(settings: Settings) -> SettingsRef {
    ResourceArc::new(SettingsResource(settings))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn settings_read(xml: &str) -> SettingsRef {
    resource(Settings::from_xml(xml))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn settings_write(settings: SettingsRef) -> String {
    settings.0.to_xml()
}

/// `{Pushes, Bodies, CatchUp, [{Friend, Until}]}`
type View = (bool, bool, bool, Vec<(Jid, UntilTerm)>);

#[rustler::nif(schedule = "DirtyCpu")]
fn settings_view(settings: SettingsRef, now: u64) -> View {
    let settings = &settings.0;
    let muted = settings
        .muted(Micros(now))
        .map(|(friend, until)| (Jid(friend.clone()), UntilTerm(until)));
    (
        settings.pushes,
        settings.bodies,
        settings.catch_up,
        muted.collect(),
    )
}

#[rustler::nif(schedule = "DirtyCpu")]
fn settings_set(settings: SettingsRef, pushes: bool, bodies: bool, catch_up: bool) -> SettingsRef {
    let mut changed = settings.0.clone();
    changed.pushes = pushes;
    changed.bodies = bodies;
    changed.catch_up = catch_up;
    resource(changed)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn settings_mute(
    settings: SettingsRef,
    friend: Jid,
    until: Arg<UntilTerm>,
    now: u64,
) -> Result<SettingsRef, Atom> {
    let mut changed = settings.0.clone();
    match changed.mute(friend.0, until.0 .0, Micros(now)) {
        Ok(()) => Ok(resource(changed)),
        Err(TooManyMutes) => Err(atoms::too_many_mutes()),
    }
}

#[rustler::nif(schedule = "DirtyCpu")]
fn settings_unmute(settings: SettingsRef, friend: Jid) -> SettingsRef {
    let mut changed = settings.0.clone();
    changed.unmute(&friend.0);
    resource(changed)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn settings_heard(
    settings: SettingsRef,
    authors: List<(Jid, Term<'_>)>,
    now: u64,
) -> Vec<(Jid, Term<'_>)> {
    let heard = |(author, _): &(Jid, Term<'_>)| settings.0.hears(&author.0, Micros(now));
    authors.0.into_iter().filter(heard).collect()
}

#[rustler::nif]
fn settings_share(settings: SettingsRef, author: Jid, news: Arg<NewsTerm>, now: u64) -> ShareTerm {
    settings
        .0
        .share(&author.0, news.0.into(), Micros(now))
        .into()
}

/// A moment in microseconds, or `forever`.
pub struct UntilTerm(pub Option<Micros>);

impl Encoder for UntilTerm {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        match self.0 {
            Some(at) => at.0.encode(env),
            None => atoms::forever().encode(env),
        }
    }
}

impl<'a> Decoder<'a> for UntilTerm {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        match term.decode::<Atom>() {
            Ok(atom) if atom == atoms::forever() => Ok(Self(None)),
            _ => Ok(Self(Some(Micros(term.decode()?)))),
        }
    }
}

#[derive(NifUnitEnum)]
enum NewsTerm {
    Post,
    Retraction,
}

impl From<NewsTerm> for News {
    fn from(term: NewsTerm) -> Self {
        match term {
            NewsTerm::Post => Self::Post,
            NewsTerm::Retraction => Self::Retraction,
        }
    }
}

#[derive(NifUnitEnum)]
enum ShareTerm {
    Whole,
    WithoutBody,
    Nothing,
}

impl From<Share> for ShareTerm {
    fn from(share: Share) -> Self {
        match share {
            Share::Whole => Self::Whole,
            Share::WithoutBody => Self::WithoutBody,
            Share::Nothing => Self::Nothing,
        }
    }
}
