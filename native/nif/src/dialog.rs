//! Commands and their dialogs, as Erlang holds them.

use rustler::{Atom, Env, Resource, ResourceArc};
use twitter_core::dialog::{self, Command, Dialogs, Owner, Stage, Start};

use crate::aside::drop_aside;
use crate::dialog_term::{
    fields_term, ActionTerm, ActionsTerm, CommandTerm, FieldsTerm, FormTerm, RefusalTerm,
    RightsTerm, StageTerm, StartTerm, TakenTerm,
};
use crate::term::{Arg, Jid};

struct DialogsResource(Dialogs);

#[rustler::resource_impl]
impl Resource for DialogsResource {
    const IMPLEMENTS_DESTRUCTOR: bool = true;

    fn destructor(self, _env: Env<'_>) {
        drop_aside(self.0);
    }
}

// What a panic leaves half changed is forgotten.
impl std::panic::RefUnwindSafe for DialogsResource {}

type DialogsRef = ResourceArc<DialogsResource>;

#[rustler::nif]
fn commands(rights: Arg<RightsTerm>) -> Vec<(&'static str, CommandTerm)> {
    dialog::offered(rights.0.into())
        .map(|command| (command.id(), command.into()))
        .collect()
}

#[rustler::nif]
fn begin_command(id: &str, rights: Arg<RightsTerm>) -> StartTerm {
    match dialog::begin(id, rights.0.into()) {
        None => StartTerm::None,
        Some(Start::Table) => StartTerm::Table,
        Some(Start::Stage(stage)) => StartTerm::Stage(stage.into()),
    }
}

#[rustler::nif]
fn is_command(id: &str) -> bool {
    Command::parse(id).is_some()
}

#[rustler::nif]
fn stage_form(stage: Arg<StageTerm>) -> (FieldsTerm, ActionsTerm) {
    let stage = Stage::from(stage.0);
    (fields_term(&stage), stage.actions().into())
}

#[rustler::nif]
fn mute_spans() -> Vec<&'static str> {
    dialog::spans().collect()
}

#[rustler::nif]
fn dialogs_new() -> DialogsRef {
    ResourceArc::new(DialogsResource(Dialogs::default()))
}

// A reader has few dialogs, and one that goes is small: a normal scheduler.
#[rustler::nif]
fn dialog_open(
    dialogs: DialogsRef,
    id: &str,
    (reader, resource): (Jid, &str),
    node: &str,
    stage: Arg<StageTerm>,
    now: u64,
) -> Atom {
    let owner = Owner {
        reader: &reader.0,
        resource,
    };
    dialogs.0.open(id, owner, node, stage.0.into(), now);
    rustler::types::atom::ok()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn dialog_step(
    dialogs: DialogsRef,
    id: &str,
    (reader, resource): (Jid, &str),
    node: &str,
    (action, form): (Arg<ActionTerm>, Arg<FormTerm<'_>>),
    now: u64,
) -> Result<TakenTerm, RefusalTerm> {
    let owner = Owner {
        reader: &reader.0,
        resource,
    };
    let answer = (action.0.into(), &form.0 .0);
    let taken = dialogs.0.step(id, owner, node, answer, now);
    taken.map(TakenTerm).map_err(RefusalTerm)
}

#[rustler::nif]
fn dialog_show(
    dialogs: DialogsRef,
    id: &str,
    (reader, resource): (Jid, &str),
    stage: Arg<StageTerm>,
    now: u64,
) -> bool {
    let owner = Owner {
        reader: &reader.0,
        resource,
    };
    dialogs.0.show(id, owner, stage.0.into(), now)
}
