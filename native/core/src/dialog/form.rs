//! Data forms (XEP-0004): the fields of a stage, and the values of a submitted form.

use super::{shows_something, Effect, Mistake};

/// How many fields a form may have; ours have four at most, and clients send back what they were given.
pub const MAX_FIELDS: usize = 64;

/// A field of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub var: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether there must be a value.
    pub required: bool,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Lines of text.
    Text,
    /// One line.
    Line,
    /// Yes or no.
    Boolean,
    /// One of several options.
    Choice,
}

impl Field {
    /// The text of a post.
    pub const TEXT: &'static str = "text";
    /// Whether a post is deleted.
    pub const DELETE: &'static str = "delete";
    /// The id of a post.
    pub const POST: &'static str = "post";
    /// The address of a friend.
    pub const FRIEND: &'static str = "friend";
    /// For how long somebody is muted: see [`super::spans`].
    pub const UNTIL: &'static str = "until";
    /// Until which date (XEP-0082).
    pub const DATE: &'static str = "date";
    /// Whether posts are pushed.
    pub const PUSHES: &'static str = "pushes";
    /// Whether pushed posts have a text for clients that know no pubsub.
    pub const BODIES: &'static str = "bodies";
    /// Whether what was missed comes at login.
    pub const CATCH_UP: &'static str = "catch_up";

    pub(super) const SETTINGS: [Self; 3] = [
        Self::boolean(Self::PUSHES),
        Self::boolean(Self::BODIES),
        Self::boolean(Self::CATCH_UP),
    ];

    pub(super) const fn text(required: bool) -> Self {
        Self {
            var: Self::TEXT,
            kind: Kind::Text,
            required,
        }
    }

    pub(super) const fn boolean(var: &'static str) -> Self {
        Self {
            var,
            kind: Kind::Boolean,
            required: false,
        }
    }

    pub(super) const fn choice(var: &'static str) -> Self {
        Self {
            var,
            kind: Kind::Choice,
            required: true,
        }
    }

    pub(super) const fn line(var: &'static str) -> Self {
        Self {
            var,
            kind: Kind::Line,
            required: false,
        }
    }
}

/// What came with an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form<'a> {
    /// No form.
    None,
    /// A form that was filled in: names and values.
    Submitted(Vec<(&'a str, Vec<&'a str>)>),
    /// A form that was not (its type is `cancel`).
    Canceled,
    /// A form that nobody submits (its type is `form` or `result`).
    Unfit,
}

impl<'a> Form<'a> {
    pub(super) fn fields(&self) -> Result<Fields<'_, 'a>, Mistake> {
        match self {
            Self::Submitted(fields) if fields.len() <= MAX_FIELDS => Ok(Fields(fields)),
            _ => Err(Mistake::Form),
        }
    }
}

/// Fields by name. Those that nobody asks for mean nothing.
#[derive(Clone, Copy)]
pub(super) struct Fields<'f, 'a>(&'f [(&'a str, Vec<&'a str>)]);

impl<'a> Fields<'_, 'a> {
    fn values(&self, var: &'static str) -> Result<Option<&[&'a str]>, Mistake> {
        let mut found = self.0.iter().filter(|(name, _)| *name == var);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some((_, values)), None) => Ok(Some(values)),
            (Some(_), Some(_)) => Err(Mistake::Field(var)),
        }
    }

    /// The only value of a field.
    pub(super) fn one(&self, var: &'static str) -> Result<&'a str, Mistake> {
        self.optional(var)?.ok_or(Mistake::Field(var))
    }

    /// The only value of a field, if it has any.
    pub(super) fn optional(&self, var: &'static str) -> Result<Option<&'a str>, Mistake> {
        match self.values(var)? {
            None | Some([]) => Ok(None),
            Some([value]) => Ok(Some(value)),
            Some(_) => Err(Mistake::Field(var)),
        }
    }

    /// Yes or no, as XML Schema writes it.
    pub(super) fn boolean(&self, var: &'static str) -> Result<Option<bool>, Mistake> {
        match self.optional(var)? {
            None => Ok(None),
            Some("1" | "true") => Ok(Some(true)),
            Some("0" | "false") => Ok(Some(false)),
            Some(_) => Err(Mistake::Field(var)),
        }
    }

    /// The text of a post, if anything can be seen of it.
    pub(super) fn text(&self) -> Result<Option<String>, Mistake> {
        let lines = self.values(Field::TEXT)?.unwrap_or_default();
        let text = lines.join("\n");
        let trimmed = text.trim();
        Ok(shows_something(trimmed).then(|| trimmed.to_owned()))
    }

    pub(super) fn settings(&self) -> Result<Effect, Mistake> {
        Ok(Effect::Set {
            pushes: self.boolean(Field::PUSHES)?,
            bodies: self.boolean(Field::BODIES)?,
            catch_up: self.boolean(Field::CATCH_UP)?,
        })
    }
}
