//! Waiting until the server has nothing more to say.

use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::crowd::{Crowd, Listener};
use crate::failure::Failure;
use crate::member::Member;

/// Returns when nothing has come for so long. What comes is thrown away.
pub fn settle(crowd: &mut Crowd, quiet_ms: u64) -> Result<Value, Failure> {
    quiet(crowd, &mut Deaf, quiet_ms)?;
    Ok(json!({ "quiet_ms": quiet_ms }))
}

/// Waits for a silence.
pub fn quiet(crowd: &mut Crowd, listener: &mut impl Listener, ms: u64) -> Result<(), Failure> {
    let silence = Duration::from_millis(ms);
    let mut last = Instant::now();
    while last.elapsed() < silence {
        let left = silence.saturating_sub(last.elapsed());
        if crowd.pump(listener, left)? > 0 {
            last = Instant::now();
        }
    }
    Ok(())
}

/// Does not listen, but acknowledges.
struct Deaf;

impl Listener for Deaf {
    fn received(&mut self, member: &mut Member, bytes: &[u8]) -> Result<(), Failure> {
        member.acknowledge(bytes)
    }
}
