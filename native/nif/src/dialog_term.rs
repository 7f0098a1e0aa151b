//! How commands, stages, forms and effects look in Erlang.

use rustler::{
    Atom, Decoder, Encoder, Env, Error, NifResult, NifTaggedEnum, NifTuple, NifUnitEnum, Term,
};
use twitter_core::dialog::{
    Action, Actions, Command, Effect, Field, Form, Kind, Mistake, Page, Refusal, Rights, Stage,
    Step, Taken,
};

use crate::settings::UntilTerm;
use crate::term::{atoms, Jid, List};

/// `{HasStream, MayPost, HasSettings}`
#[derive(NifTuple)]
pub struct RightsTerm {
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
pub enum CommandTerm {
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
pub enum ActionTerm {
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
pub struct FormTerm<'a>(pub Form<'a>);

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
pub enum UnsentTerm {
    None,
    Canceled,
    Unfit,
}

/// `{post, {Text, Settings}} | choose_post | {edit, {Id, Text, Chosen}} | choose_friend
///  | {mute, {Jid, Chosen}} | settings | {latest, {First, Last, Prev, Next}} | missed`
#[derive(NifTaggedEnum)]
pub enum StageTerm {
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
pub enum EffectTerm {
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
pub enum StartTerm {
    None,
    Table,
    Stage(StageTerm),
}

/// `{Stage, canceled | {show, Stage} | {'after' | before, Cursor} | {act, [Effect]}}`
pub struct TakenTerm(pub Taken);

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
pub struct RefusalTerm(pub Refusal);

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

/// `[{Var, Type, IsRequired}]`
pub type FieldsTerm = Vec<(&'static str, Atom, bool)>;
/// `none | {Default, [Action]}`
#[derive(NifTaggedEnum)]
pub enum ActionsTerm {
    None,
    Some((ActionTerm, Vec<ActionTerm>)),
}

pub fn fields_term(stage: &Stage) -> FieldsTerm {
    let term = |field: Field| {
        let kind = match field.kind {
            Kind::Text => atoms::text_multi(),
            Kind::Line => atoms::text_single(),
            Kind::Boolean => atoms::boolean(),
            Kind::Choice => atoms::list_single(),
        };
        (field.var, kind, field.required)
    };
    stage.fields().into_iter().map(term).collect()
}

impl From<Option<Actions>> for ActionsTerm {
    fn from(actions: Option<Actions>) -> Self {
        actions.map_or(Self::None, |actions| {
            let allowed = [
                (ActionTerm::Prev, actions.prev),
                (ActionTerm::Next, actions.next),
                (ActionTerm::Complete, actions.complete),
            ];
            let allowed = allowed.into_iter().filter(|(_, is_allowed)| *is_allowed);
            let names = allowed.map(|(action, _)| action).collect();
            Self::Some((actions.default.into(), names))
        })
    }
}
