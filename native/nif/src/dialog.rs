//! Commands and their dialogs, as Erlang holds them.

use rustler::{
    Atom, Decoder, Encoder, Env, Error, NifResult, NifTaggedEnum, NifTuple, NifUnitEnum, Resource,
    ResourceArc, Term,
};
use twitter_core::dialog::{
    self, Action, Command, Dialogs, Effect, Form, Kind, Mistake, Owner, Page, Refusal, Rights,
    Stage, Start, Step, Taken,
};

use crate::aside::drop_aside;
use crate::settings::UntilTerm;
use crate::term::{atoms, Arg, Jid, List};

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

/// `{HasStream, MayPost, HasSettings}`
#[derive(NifTuple)]
struct RightsTerm {
    stream: bool,
    post: bool,
    settings: bool,
}

impl From<RightsTerm> for Rights {
    fn from(term: RightsTerm) -> Self {
        Self {
            stream: term.stream,
            post: term.post,
            settings: term.settings,
        }
    }
}

#[derive(NifUnitEnum)]
enum CommandTerm {
    Post,
    Edit,
    Latest,
    Missed,
    Mute,
    Settings,
}

impl From<Command> for CommandTerm {
    fn from(command: Command) -> Self {
        match command {
            Command::Post => Self::Post,
            Command::Edit => Self::Edit,
            Command::Latest => Self::Latest,
            Command::Missed => Self::Missed,
            Command::Mute => Self::Mute,
            Command::Settings => Self::Settings,
        }
    }
}

#[derive(Clone, Copy, NifUnitEnum)]
enum ActionTerm {
    Execute,
    Cancel,
    Prev,
    Next,
    Complete,
}

impl From<ActionTerm> for Action {
    fn from(term: ActionTerm) -> Self {
        match term {
            ActionTerm::Execute => Self::Execute,
            ActionTerm::Cancel => Self::Cancel,
            ActionTerm::Prev => Self::Prev,
            ActionTerm::Next => Self::Next,
            ActionTerm::Complete => Self::Complete,
        }
    }
}

impl From<Action> for ActionTerm {
    fn from(action: Action) -> Self {
        match action {
            Action::Execute => Self::Execute,
            Action::Cancel => Self::Cancel,
            Action::Prev => Self::Prev,
            Action::Next => Self::Next,
            Action::Complete => Self::Complete,
        }
    }
}

/// `none | {submitted, [{Var, [Value]}]} | canceled | unfit`
struct FormTerm<'a>(Form<'a>);

impl<'a> Decoder<'a> for FormTerm<'a> {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        if term.is_atom() {
            let form = match term.decode()? {
                UnsentTerm::None => Form::None,
                UnsentTerm::Canceled => Form::Canceled,
                UnsentTerm::Unfit => Form::Unfit,
            };
            return Ok(Self(form));
        }
        let (tag, fields): (Atom, List<(&str, List<&str>)>) = term.decode()?;
        if tag != atoms::submitted() {
            return Err(Error::BadArg);
        }
        let fields = fields.0.into_iter().map(|(var, values)| (var, values.0));
        Ok(Self(Form::Submitted(fields.collect())))
    }
}

#[derive(NifUnitEnum)]
enum UnsentTerm {
    None,
    Canceled,
    Unfit,
}

/// `{post, {Text, Settings}} | choose_post | {edit, {Id, Text, Chosen}} | choose_friend
///  | {mute, {Jid, Chosen}} | settings | {latest, {First, Last, Prev, Next}} | missed`
#[derive(NifTaggedEnum)]
enum StageTerm {
    Post((bool, bool)),
    ChoosePost,
    Edit((String, bool, bool)),
    ChooseFriend,
    Mute((Jid, bool)),
    Settings,
    Latest((String, String, bool, bool)),
    Missed,
}

impl From<Stage> for StageTerm {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Post { text, settings } => Self::Post((text, settings)),
            Stage::ChoosePost => Self::ChoosePost,
            Stage::Edit { id, text, chosen } => Self::Edit((id, text, chosen)),
            Stage::ChooseFriend => Self::ChooseFriend,
            Stage::Mute { friend, chosen } => Self::Mute((Jid(friend), chosen)),
            Stage::Settings => Self::Settings,
            Stage::Latest(page) => Self::Latest((page.first, page.last, page.prev, page.next)),
            Stage::Missed => Self::Missed,
        }
    }
}

impl From<StageTerm> for Stage {
    fn from(term: StageTerm) -> Self {
        match term {
            StageTerm::Post((text, settings)) => Self::Post { text, settings },
            StageTerm::ChoosePost => Self::ChoosePost,
            StageTerm::Edit((id, text, chosen)) => Self::Edit { id, text, chosen },
            StageTerm::ChooseFriend => Self::ChooseFriend,
            StageTerm::Mute((Jid(friend), chosen)) => Self::Mute { friend, chosen },
            StageTerm::Settings => Self::Settings,
            StageTerm::Latest((first, last, prev, next)) => Self::Latest(Page {
                first,
                last,
                prev,
                next,
            }),
            StageTerm::Missed => Self::Missed,
        }
    }
}

/// `{post, Text} | {replace, {Id, Text}} | {delete, Id} | {mute, {Jid, Micros | forever}} | {unmute, Jid}
///  | {set, {Pushes, Bodies, CatchUp}}`, each of them a boolean or `keep`
enum EffectTerm {
    Of(Effect),
}

impl Encoder for EffectTerm {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        let Self::Of(effect) = self;
        let switch = |set: &Option<bool>| match set {
            Some(value) => value.encode(env),
            None => atoms::keep().encode(env),
        };
        match effect {
            Effect::Post(text) => (atoms::post(), text).encode(env),
            Effect::Replace { id, text } => (atoms::replace(), (id, text)).encode(env),
            Effect::Delete(id) => (atoms::delete(), id).encode(env),
            Effect::Mute(friend, until) => {
                (atoms::mute(), (friend.as_str(), UntilTerm(*until))).encode(env)
            }
            Effect::Unmute(friend) => (atoms::unmute(), friend.as_str()).encode(env),
            Effect::Set {
                pushes,
                bodies,
                catch_up,
            } => {
                let set = (switch(pushes), switch(bodies), switch(catch_up));
                (atoms::set(), set).encode(env)
            }
        }
    }
}

/// `none | table | {stage, Stage}`
#[derive(NifTaggedEnum)]
enum StartTerm {
    None,
    Table,
    Stage(StageTerm),
}

/// `{Stage, canceled | {show, Stage} | {'after' | before, Cursor} | {act, [Effect]}}`
struct TakenTerm(Taken);

impl Encoder for TakenTerm {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        let Taken { from, step } = &self.0;
        let step = match step {
            Step::Canceled => atoms::canceled().encode(env),
            Step::Show(stage) => (atoms::show(), StageTerm::from(stage.clone())).encode(env),
            Step::After(cursor) => (atoms::after(), cursor).encode(env),
            Step::Before(cursor) => (atoms::before(), cursor).encode(env),
            Step::Act(effects) => {
                let effects: Vec<_> = effects.iter().cloned().map(EffectTerm::Of).collect();
                (atoms::act(), effects).encode(env)
            }
        };
        (StageTerm::from(from.clone()), step).encode(env)
    }
}

/// `bad_sessionid | session_expired | bad_action | {bad_payload, Var}`; the name is empty if it is about the
/// form as a whole.
struct RefusalTerm(Refusal);

impl Encoder for RefusalTerm {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        let mistake = match self.0 {
            Refusal::Unknown => return atoms::bad_sessionid().encode(env),
            Refusal::Over => return atoms::session_expired().encode(env),
            Refusal::Mistake(mistake) => mistake,
        };
        match mistake {
            Mistake::Action => atoms::bad_action().encode(env),
            Mistake::Form => (atoms::bad_payload(), "").encode(env),
            Mistake::Field(var) => (atoms::bad_payload(), var).encode(env),
        }
    }
}

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

/// `[{Var, Type, IsRequired}]`
type FieldsTerm = Vec<(&'static str, Atom, bool)>;
/// `none | {Default, [Action]}`
#[derive(NifTaggedEnum)]
enum ActionsTerm {
    None,
    Some((ActionTerm, Vec<ActionTerm>)),
}

#[rustler::nif]
fn stage_form(stage: Arg<StageTerm>) -> (FieldsTerm, ActionsTerm) {
    let stage = Stage::from(stage.0);
    let fields = stage.fields().into_iter().map(|field| {
        let kind = match field.kind {
            Kind::Text => atoms::text_multi(),
            Kind::Line => atoms::text_single(),
            Kind::Boolean => atoms::boolean(),
            Kind::Choice => atoms::list_single(),
        };
        (field.var, kind, field.required)
    });
    let actions = stage.actions().map(|actions| {
        let allowed = [
            (ActionTerm::Prev, actions.prev),
            (ActionTerm::Next, actions.next),
            (ActionTerm::Complete, actions.complete),
        ];
        let allowed = allowed.into_iter().filter(|(_, is_allowed)| *is_allowed);
        let names = allowed.map(|(action, _)| action).collect();
        ActionsTerm::Some((actions.default.into(), names))
    });
    (fields.collect(), actions.unwrap_or(ActionsTerm::None))
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
