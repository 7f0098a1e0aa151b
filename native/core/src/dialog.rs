//! What people do by ad-hoc commands (XEP-0050): which commands there are for whom, the stages of each, and
//! what a submitted form means.
//!
//! A dialog is one execution of a command. It has a [`Stage`]: the form, or the page of a table, that its owner
//! was shown last. [`Stage::step`] says what comes of his answer: another stage, or [`Effect`]s, after which
//! the dialog is over. What a form shows beside its fields (texts, values, options) is not known here.

mod command;
mod form;
mod moment;
mod stage;
mod table;

pub use command::{begin, offered, Command, Rights, Start};
pub use form::{Field, Form, Kind, MAX_FIELDS};
pub use moment::parse as parse_moment;
pub use stage::{spans, Actions, Page, Stage};
pub use table::{Dialogs, Owner, Refusal, Taken, LIFETIME, MAX_DIALOGS, MAX_OF_ONE};

use crate::jid::BareJid;
use crate::settings::Until;
use crate::title::shows_something;

/// What a client asks for with a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// What the stage does by default.
    Execute,
    /// End the dialog.
    Cancel,
    /// The stage before.
    Prev,
    /// The next stage.
    Next,
    /// The last step.
    Complete,
}

/// What comes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The dialog ends without an effect.
    Canceled,
    /// Another stage is shown.
    Show(Stage),
    /// The page after this cursor is shown.
    After(String),
    /// The page before this cursor is shown.
    Before(String),
    /// The dialog ends, and this happens.
    Act(Vec<Effect>),
}

/// What a command does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A new post with this text.
    Post(String),
    /// Another text for a post.
    Replace {
        /// The post.
        id: String,
        /// Its text from now on.
        text: String,
    },
    /// The post is deleted.
    Delete(String),
    /// A friend is muted.
    Mute(BareJid, Until),
    /// A friend is no longer muted.
    Unmute(BareJid),
    /// Settings; what the form did not hold stays as it is.
    Set {
        /// Whether posts are pushed.
        pushes: Option<bool>,
        /// Whether with a text for clients that know no pubsub.
        bodies: Option<bool>,
        /// Whether what was missed comes at login.
        catch_up: Option<bool>,
    },
}

/// Why an answer is not accepted. The dialog stays as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// The stage does not have that action.
    Action,
    /// There is no form, or none that was submitted.
    Form,
    /// A field is missing, there more than once, or has no such value.
    Field(&'static str),
}

#[cfg(test)]
// The numbers are small.
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
mod tests;
