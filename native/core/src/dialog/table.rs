//! The dialogs that are open.
//!
//! Each belongs to the session that opened it, under an id that nobody else can guess; to others it is as if
//! there were none. A dialog that is over is remembered for a while, so that whoever submits twice is told so
//! rather than served twice.

use std::collections::{BTreeMap, HashMap};

use ahash::RandomState;
use parking_lot::Mutex;

use super::{Action, Form, Mistake, Stage, Step};
use crate::failpoints::point;
use crate::forgetful::{Forget, Held};
use crate::jid::BareJid;

/// How long a dialog waits for an answer, in microseconds.
pub const LIFETIME: u64 = 600_000_000;
/// How many dialogs one reader has, those that are over included; the oldest goes.
pub const MAX_OF_ONE: usize = 8;
/// How many dialogs there are altogether; the oldest goes.
pub const MAX_DIALOGS: usize = 8192;

/// Whose dialog it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The reader.
    pub reader: &'a BareJid,
    /// The resource of his session.
    pub resource: &'a str,
}

/// Why there is no step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such dialog, or it is somebody else's, or of another command.
    Unknown,
    /// The dialog is over, or has waited too long.
    Over,
    /// The answer is not accepted.
    Mistake(Mistake),
}

/// A step that is taken, and the stage before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The stage that was answered: who cannot do what the step says puts it back with [`Dialogs::show`].
    pub from: Stage,
    /// What comes of the answer.
    pub step: Step,
}

/// The dialogs of all readers. Memory: within [`MAX_DIALOGS`], each with a node id, a resource and a stage.
#[derive(Debug, Default)]
pub struct Dialogs(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    of: HashMap<BareJid, Vec<Dialog>, RandomState>,
    /// Whose they are, the oldest first.
    opened: BTreeMap<u64, BareJid>,
    next: u64,
}

#[derive(Debug)]
struct Dialog {
    number: u64,
    id: Box<str>,
    resource: Box<str>,
    node: Box<str>,
    stage: Stage,
    is_over: bool,
    until: u64,
}

impl Forget for Table {
    fn forget(&mut self) {
        *self = Self::default();
    }
}

impl Dialogs {
    /// Opens a dialog about a node, with its first stage. `now` is in microseconds. Cost: O(log n).
    pub fn open(&self, id: &str, owner: Owner<'_>, node: &str, stage: Stage, now: u64) {
        let mut table = Held::new(self.0.lock());
        let number = table.next;
        table.next = number.saturating_add(1);
        table.opened.insert(number, owner.reader.clone());
        point!();
        table
            .of
            .entry(owner.reader.clone())
            .or_default()
            .push(Dialog {
                number,
                id: id.into(),
                resource: owner.resource.into(),
                node: node.into(),
                stage,
                is_over: false,
                until: now.saturating_add(LIFETIME),
            });
        table.keep_bounds(owner.reader);
    }

    /// The owner answers. If that ends the dialog it is over, whoever answers at the same time.
    ///
    /// # Errors
    /// There is no such dialog for him, or the answer is a mistake, which changes nothing.
    pub fn step(
        &self,
        id: &str,
        owner: Owner<'_>,
        node: &str,
        (action, form): (Action, &Form<'_>),
        now: u64,
    ) -> Result<Taken, Refusal> {
        let mut table = Held::new(self.0.lock());
        let dialog = table.find(id, owner).ok_or(Refusal::Unknown)?;
        if *dialog.node != *node {
            return Err(Refusal::Unknown);
        }
        if dialog.is_over || dialog.until < now {
            return Err(Refusal::Over);
        }
        let step = dialog.stage.step(action, form, now);
        let step = step.map_err(Refusal::Mistake)?;
        if matches!(step, Step::Act(_) | Step::Canceled) {
            dialog.is_over = true;
        } else {
            dialog.until = now.saturating_add(LIFETIME);
        }
        let from = dialog.stage.clone();
        Ok(Taken { from, step })
    }

    /// The owner was shown another stage, or must see again the one before an effect that was refused.
    /// `false` if the dialog is gone.
    pub fn show(&self, id: &str, owner: Owner<'_>, stage: Stage, now: u64) -> bool {
        let mut table = Held::new(self.0.lock());
        match table.find(id, owner) {
            Some(dialog) => {
                dialog.stage = stage;
                dialog.is_over = false;
                dialog.until = now.saturating_add(LIFETIME);
                true
            }
            None => false,
        }
    }

    /// How many dialogs are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().opened.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Table {
    fn find(&mut self, id: &str, owner: Owner<'_>) -> Option<&mut Dialog> {
        let of_reader = self.of.get_mut(owner.reader)?;
        of_reader
            .iter_mut()
            .find(|dialog| *dialog.id == *id && *dialog.resource == *owner.resource)
    }

    fn keep_bounds(&mut self, reader: &BareJid) {
        if let Some(dialogs) = self.of.get_mut(reader) {
            if dialogs.len() > MAX_OF_ONE {
                let oldest = dialogs.remove(0);
                self.opened.remove(&oldest.number);
            }
        }
        while self.opened.len() > MAX_DIALOGS {
            point!();
            let Some((number, reader)) = self.opened.pop_first() else {
                return;
            };
            if let Some(dialogs) = self.of.get_mut(&reader) {
                dialogs.retain(|dialog| dialog.number != number);
                if dialogs.is_empty() {
                    self.of.remove(&reader);
                }
            }
        }
    }
}

#[cfg(test)]
// The numbers are small.
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
mod tests;
