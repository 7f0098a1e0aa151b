//! The stages of dialogs: the fields of each, the actions it allows, and what comes of an answer.

use super::form::{Field, Form};
use super::{moment, Action, Effect, Mistake, Step};
use crate::jid::BareJid;
use crate::post::MAX_ID;
use crate::stream::Micros;

/// What a stage allows beside canceling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actions {
    /// What [`Action::Execute`] means.
    pub default: Action,
    /// Whether there is a stage before.
    pub prev: bool,
    /// Whether there is a next stage.
    pub next: bool,
    /// Whether this can be the last stage.
    pub complete: bool,
}

/// What the owner of a dialog was shown last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// A new post; where not both are wanted, its text or the settings alone.
    Post {
        /// There is a field for the text.
        text: bool,
        /// There are fields for the settings.
        settings: bool,
    },
    /// Which of one's posts?
    ChoosePost,
    /// Another text for a post, or its deletion.
    Edit {
        /// The post.
        id: String,
        /// It may get another text.
        text: bool,
        /// It was chosen in the stage before.
        chosen: bool,
    },
    /// Which friend?
    ChooseFriend,
    /// Until when a friend is muted.
    Mute {
        /// The friend.
        friend: BareJid,
        /// He was chosen in the stage before.
        chosen: bool,
    },
    /// One's settings.
    Settings,
    /// A page of the latest posts.
    Latest(Page),
    /// Posts that were missed; there are more.
    Missed,
}

/// What is around a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The cursor of its first row.
    pub first: String,
    /// The cursor of its last row.
    pub last: String,
    /// There are newer posts.
    pub prev: bool,
    /// There are older ones.
    pub next: bool,
}

/// What people mute for, as the form names it: microseconds.
const SPANS: [(&str, u64); 4] = [
    ("hour", 3_600_000_000),
    ("day", 86_400_000_000),
    ("week", 604_800_000_000),
    ("month", 2_592_000_000_000),
];
const FOREVER: &str = "forever";
const UNMUTE: &str = "unmute";

/// What the field [`Field::UNTIL`] may say, in the order in which people are shown it.
pub fn spans() -> impl Iterator<Item = &'static str> {
    SPANS.iter().map(|(name, _)| *name).chain([FOREVER, UNMUTE])
}

impl Stage {
    /// The fields of the form.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        match self {
            Self::Post { text, settings } => {
                let required = !settings;
                text.then_some(Field::text(required))
                    .into_iter()
                    .chain(settings.then_some(Field::SETTINGS).into_iter().flatten())
                    .collect()
            }
            Self::ChoosePost => vec![Field::choice(Field::POST)],
            Self::Edit { text, .. } => {
                let delete = Field::boolean(Field::DELETE);
                // What becomes of the text is clear if the post is deleted.
                text.then_some(Field::text(false))
                    .into_iter()
                    .chain([delete])
                    .collect()
            }
            Self::ChooseFriend => vec![Field::choice(Field::FRIEND)],
            Self::Mute { .. } => vec![Field::choice(Field::UNTIL), Field::line(Field::DATE)],
            Self::Settings => Field::SETTINGS.to_vec(),
            Self::Latest(_) | Self::Missed => Vec::new(),
        }
    }

    /// What the stage allows; `None` if it is the only one: then its answer completes the dialog. Some
    /// clients show nothing after a form unless there are no actions.
    #[must_use]
    pub fn actions(&self) -> Option<Actions> {
        let actions = |default, prev, next, complete| {
            Some(Actions {
                default,
                prev,
                next,
                complete,
            })
        };
        match self {
            Self::ChoosePost | Self::ChooseFriend => actions(Action::Next, false, true, false),
            Self::Edit { chosen: true, .. } | Self::Mute { chosen: true, .. } => {
                actions(Action::Complete, true, false, true)
            }
            Self::Latest(Page { prev, next, .. }) => {
                let default = if *next {
                    Action::Next
                } else {
                    Action::Complete
                };
                actions(default, *prev, *next, true)
            }
            Self::Missed => actions(Action::Next, false, true, true),
            Self::Post { .. } | Self::Settings | Self::Edit { .. } | Self::Mute { .. } => None,
        }
    }

    /// What comes of the owner's answer. `now` is in microseconds since the Unix epoch. Cost: as the size
    /// of the form.
    ///
    /// # Errors
    /// The first mistake that it makes.
    ///
    /// ```
    /// use twitter_core::dialog::{Action, Effect, Form, Mistake, Stage, Step};
    /// let stage = Stage::Post { text: true, settings: false };
    /// let form = Form::Submitted(vec![("text", vec!["Hello,", "world"])]);
    /// let post = Effect::Post("Hello,\nworld".to_owned());
    /// assert_eq!(stage.step(Action::Execute, &form, 0), Ok(Step::Act(vec![post])));
    /// assert_eq!(stage.step(Action::Next, &form, 0), Err(Mistake::Action));
    /// assert_eq!(stage.step(Action::Complete, &Form::None, 0), Err(Mistake::Form));
    /// assert_eq!(stage.step(Action::Cancel, &Form::None, 0), Ok(Step::Canceled));
    /// ```
    pub fn step(&self, action: Action, form: &Form<'_>, now: u64) -> Result<Step, Mistake> {
        if action == Action::Cancel || *form == Form::Canceled {
            return Ok(Step::Canceled);
        }
        match self.resolve(action)? {
            Action::Prev => self.previous(),
            Action::Next => self.next(form),
            Action::Complete | Action::Execute | Action::Cancel => {
                self.effects(form, now).map(Step::Act)
            }
        }
    }

    /// What the action means here.
    fn resolve(&self, action: Action) -> Result<Action, Mistake> {
        let actions = self.actions().unwrap_or(Actions {
            default: Action::Complete,
            prev: false,
            next: false,
            complete: true,
        });
        let wanted = match action {
            Action::Execute => actions.default,
            other => other,
        };
        let is_allowed = match wanted {
            Action::Prev => actions.prev,
            Action::Next => actions.next,
            Action::Complete => actions.complete,
            Action::Execute | Action::Cancel => false,
        };
        is_allowed.then_some(wanted).ok_or(Mistake::Action)
    }

    fn previous(&self) -> Result<Step, Mistake> {
        match self {
            Self::Edit { .. } => Ok(Step::Show(Self::ChoosePost)),
            Self::Mute { .. } => Ok(Step::Show(Self::ChooseFriend)),
            Self::Latest(page) => Ok(Step::Before(page.first.clone())),
            _ => Err(Mistake::Action),
        }
    }

    fn next(&self, form: &Form<'_>) -> Result<Step, Mistake> {
        match self {
            Self::ChoosePost => {
                let id = form.fields()?.one(Field::POST)?;
                if id.is_empty() || id.len() > MAX_ID {
                    return Err(Mistake::Field(Field::POST));
                }
                Ok(Step::Show(Self::Edit {
                    id: id.to_owned(),
                    text: true,
                    chosen: true,
                }))
            }
            Self::ChooseFriend => {
                let friend = BareJid::parse(form.fields()?.one(Field::FRIEND)?)
                    .map_err(|_| Mistake::Field(Field::FRIEND))?;
                Ok(Step::Show(Self::Mute {
                    friend,
                    chosen: true,
                }))
            }
            Self::Latest(page) => Ok(Step::After(page.last.clone())),
            Self::Missed => Ok(Step::Show(Self::Missed)),
            _ => Err(Mistake::Action),
        }
    }

    fn effects(&self, form: &Form<'_>, now: u64) -> Result<Vec<Effect>, Mistake> {
        match self {
            Self::Post { text, settings } => {
                let fields = form.fields()?;
                let written = if *text { fields.text()? } else { None };
                let posted = match written {
                    Some(text) => Some(Effect::Post(text)),
                    None if *settings => None,
                    None => return Err(Mistake::Field(Field::TEXT)),
                };
                let set = if *settings {
                    Some(fields.settings()?)
                } else {
                    None
                };
                // What may be refused comes first.
                Ok(posted.into_iter().chain(set).collect())
            }
            Self::Edit { id, text, .. } => {
                let fields = form.fields()?;
                if fields.boolean(Field::DELETE)?.unwrap_or(false) {
                    return Ok(vec![Effect::Delete(id.clone())]);
                }
                let text = match fields.text()? {
                    Some(written) if *text => written,
                    Some(_) | None => return Err(Mistake::Field(self.wanted())),
                };
                let id = id.clone();
                Ok(vec![Effect::Replace { id, text }])
            }
            Self::Mute { friend, .. } => {
                let fields = form.fields()?;
                let date = fields.optional(Field::DATE)?.map(str::trim);
                let friend = friend.clone();
                Ok(vec![match date {
                    Some(date) if !date.is_empty() => {
                        let moment = moment::parse(date).filter(|moment| *moment > now);
                        Effect::Mute(
                            friend,
                            Some(Micros(moment.ok_or(Mistake::Field(Field::DATE))?)),
                        )
                    }
                    _ => span(friend, fields.one(Field::UNTIL)?, now)?,
                }])
            }
            Self::Settings => Ok(vec![form.fields()?.settings()?]),
            Self::Latest(_) | Self::Missed => Ok(Vec::new()),
            Self::ChoosePost | Self::ChooseFriend => Err(Mistake::Action),
        }
    }

    /// The field without which an edit means nothing.
    fn wanted(&self) -> &'static str {
        match self {
            Self::Edit { text: false, .. } => Field::DELETE,
            _ => Field::TEXT,
        }
    }
}

fn span(friend: BareJid, name: &str, now: u64) -> Result<Effect, Mistake> {
    match name {
        FOREVER => Ok(Effect::Mute(friend, None)),
        UNMUTE => Ok(Effect::Unmute(friend)),
        _ => match SPANS.iter().find(|(known, _)| *known == name) {
            Some((_, micros)) => Ok(Effect::Mute(
                friend,
                Some(Micros(now.saturating_add(*micros))),
            )),
            None => Err(Mistake::Field(Field::UNTIL)),
        },
    }
}
