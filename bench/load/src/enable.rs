//! All followers begin with stream management (XEP-0198).

use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::acks::Acks;
use crate::crowd::{Crowd, Listener};
use crate::failure::Failure;
use crate::member::Member;
use crate::silence::quiet;

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3'/>";

/// Enables stream management for all followers, who must not be receiving anything else.
pub fn run(crowd: &mut Crowd) -> Result<Value, Failure> {
    let mut wanted = 0_usize;
    for follower in crowd.followers() {
        follower.acks = Some(Acks::default());
        follower.send(ENABLE)?;
        wanted = wanted.saturating_add(1);
    }
    let mut enabling = Enabling { enabled: 0 };
    let began = Instant::now();
    while enabling.enabled < wanted {
        crowd.pump(&mut enabling, Duration::from_secs(1))?;
        if began.elapsed() > Duration::from_secs(60) {
            return Err(Failure::new("stream management is not enabled"));
        }
    }
    quiet(crowd, &mut enabling, 300)?;
    Ok(json!({ "enabled": wanted }))
}

struct Enabling {
    enabled: usize,
}

impl Listener for Enabling {
    fn received(&mut self, member: &mut Member, bytes: &[u8]) -> Result<(), Failure> {
        match member.acks.as_mut().filter(|acks| !acks.is_enabled()) {
            Some(acks) => {
                if acks.await_enabled(bytes) {
                    self.enabled = self.enabled.saturating_add(1);
                }
                Ok(())
            }
            None => member.acknowledge(bytes),
        }
    }
}
