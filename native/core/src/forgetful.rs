//! Locks around what may be forgotten.
//!
//! A panic in the middle of a change leaves half of it behind, and parking_lot's locks do not tell the
//! next one. What is in memory is a copy of what the server keeps, and is read again where it is missing:
//! so whatever was being changed is forgotten before the lock is released.

use std::ops::{Deref, DerefMut};

/// What can begin anew.
pub(crate) trait Forget {
    /// Makes it as if nothing had been told. Believes nothing that it finds, and cannot fail.
    fn forget(&mut self);
}

/// A lock that is held by somebody who may change something.
pub(crate) struct Held<G: DerefMut<Target: Forget>>(G);

impl<G: DerefMut<Target: Forget>> Held<G> {
    pub(crate) fn new(guard: G) -> Self {
        Self(guard)
    }
}

impl<G: DerefMut<Target: Forget>> Deref for Held<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.0
    }
}

impl<G: DerefMut<Target: Forget>> DerefMut for Held<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.0
    }
}

impl<G: DerefMut<Target: Forget>> Drop for Held<G> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.forget();
        }
    }
}
