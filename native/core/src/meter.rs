//! How long things take: percentiles of the last minutes.

use hdrhistogram::Histogram;
use parking_lot::Mutex;

/// What is measured goes into a window of so many microseconds; what is told is of the last one that
/// is complete and of the one that is not.
const WINDOW: u64 = 300_000_000;
/// Longer than that, in microseconds, counts as that.
const LONGEST: u64 = 600_000_000;
/// Two digits: within a hundredth. A window takes about 30 kB.
const DIGITS: u8 = 2;

/// Durations of one kind of work.
#[derive(Debug)]
pub struct Meter(Mutex<Windows>);

#[derive(Debug)]
struct Windows {
    current: Histogram<u64>,
    previous: Histogram<u64>,
    /// When the current one began.
    since: u64,
    /// Of all windows there have been.
    count: u64,
    sum: u64,
}

/// What a [`Meter`] tells, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// How often since the beginning.
    pub count: u64,
    /// How long, all together, since the beginning.
    pub sum: u64,
    /// Half took no longer, of late.
    pub p50: u64,
    /// Nine of ten took no longer.
    pub p90: u64,
    /// Ninety-nine of a hundred took no longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl Meter {
    /// Nothing has been measured yet; `None` if there is no memory for it.
    #[must_use]
    pub fn new() -> Option<Self> {
        let window = Histogram::new_with_bounds(1, LONGEST, DIGITS).ok()?;
        Some(Self(Mutex::new(Windows {
            previous: window.clone(),
            current: window,
            since: 0,
            count: 0,
            sum: 0,
        })))
    }

    /// Something took so many microseconds. `now` is in microseconds too, of a clock that does not go
    /// back. Cost: O(1), but for a new window.
    pub fn record(&self, micros: u64, now: u64) {
        let mut windows = self.0.lock();
        windows.turn(now);
        windows.current.saturating_record(micros.min(LONGEST));
        windows.count = windows.count.saturating_add(1);
        windows.sum = windows.sum.saturating_add(micros);
    }

    /// What was measured of late. Cost: one walk over a window's 4,000 numbers.
    #[must_use]
    pub fn summary(&self, now: u64) -> Summary {
        let mut windows = self.0.lock();
        windows.turn(now);
        let mut both = windows.current.clone();
        // Of the same bounds.
        let _ = both.add(&windows.previous);
        let at = |quantile: f64| both.value_at_quantile(quantile);
        Summary {
            count: windows.count,
            sum: windows.sum,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: both.max(),
        }
    }
}

impl Windows {
    fn turn(&mut self, now: u64) {
        let age = now.saturating_sub(self.since);
        if age < WINDOW {
            return;
        }
        std::mem::swap(&mut self.current, &mut self.previous);
        self.current.reset();
        if age >= WINDOW.saturating_mul(2) {
            self.previous.reset();
        }
        self.since = now;
    }
}

#[cfg(test)]
// The numbers are small, and a panic is a failed test.
#[allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]
mod tests {
    use super::*;

    fn near(said: u64, right: u64) {
        assert!(said.abs_diff(right) <= right / 100 + 1, "{said} {right}");
    }

    #[test]
    fn percentiles() {
        let meter = Meter::new().unwrap();
        assert_eq!(meter.summary(0), Summary::default());
        for micros in 1..=1000 {
            meter.record(micros * 10, 0);
        }
        let told = meter.summary(0);
        assert_eq!((told.count, told.sum), (1000, 5_005_000));
        near(told.p50, 5_000);
        near(told.p90, 9_000);
        near(told.p99, 9_900);
        near(told.max, 10_000);
    }

    #[test]
    fn what_is_long_ago_is_forgotten_but_counted() {
        let meter = Meter::new().unwrap();
        meter.record(500_000, 1);
        meter.record(100, WINDOW + 2);
        near(meter.summary(WINDOW + 3).max, 500_000);
        let told = meter.summary(2 * WINDOW + 3);
        near(told.max, 100);
        assert_eq!((told.count, told.sum), (2, 500_100));
        assert_eq!(meter.summary(10 * WINDOW).max, 0);
    }

    #[test]
    fn what_takes_for_ever() {
        let meter = Meter::new().unwrap();
        meter.record(u64::MAX, 0);
        meter.record(u64::MAX, u64::MAX);
        meter.record(0, 5);
        let told = meter.summary(0);
        assert_eq!((told.count, told.sum), (3, u64::MAX));
        near(told.max, LONGEST);
    }
}
