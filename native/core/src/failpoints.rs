//! Panics between the steps of a change, where a test wants them. Without the feature `failpoints`, which
//! only tests have, a point is nothing.

/// Between two steps of which neither should be seen without the other.
macro_rules! point {
    () => {
        #[cfg(feature = "failpoints")]
        $crate::failpoints::reach();
    };
}
pub(crate) use point;

#[cfg(feature = "failpoints")]
pub use armed::{panics_at, reach};

#[cfg(feature = "failpoints")]
mod armed {
    use std::cell::Cell;
    use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

    thread_local! {
        /// How many points more there are until the panic; 0 if there is none.
        static LEFT: Cell<usize> = const { Cell::new(0) };
    }

    /// Calls `change`, which panics when it reaches the point of this number, counted from 1; `None` if it
    /// did so.
    pub fn panics_at<T>(number: usize, change: impl FnOnce() -> T) -> Option<T> {
        LEFT.set(number);
        let result = catch_unwind(AssertUnwindSafe(change));
        LEFT.set(0);
        result.ok()
    }

    /// A point was reached.
    pub fn reach() {
        let left = LEFT.get();
        LEFT.set(left.saturating_sub(1));
        if left == 1 {
            // Without the message that a panic writes.
            resume_unwind(Box::new("a failpoint"));
        }
    }
}
