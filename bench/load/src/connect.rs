//! Logging users in.

use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::command::Connect;
use crate::crowd::{Crowd, Listener};
use crate::failure::Failure;
use crate::login::Step;
use crate::member::Member;
use crate::silence::quiet;
use crate::usage::cpu_us;

/// How long nothing must come after a login.
const QUIET_MS: u64 = 300;
const STALLED: Duration = Duration::from_secs(30);

/// Logs users in: first one alone, so that the server asks only him for the features of all.
pub fn run(crowd: &mut Crowd, connect: &Connect) -> Result<Value, Failure> {
    let began = Instant::now();
    let mut logins = Logins { connect, ready: 0 };
    let mut entered = 0_usize;
    let mut progress = Instant::now();
    while logins.ready < connect.count {
        let open = entered.saturating_sub(logins.ready);
        let room = if logins.ready == 0 {
            1_usize.saturating_sub(entered)
        } else {
            connect.in_flight.saturating_sub(open)
        };
        for _ in 0..room.min(connect.count.saturating_sub(entered)) {
            let number = connect.first.saturating_add(entered);
            let name = format!("{}{number:05}", connect.prefix);
            crowd.enter(name, connect.role, connect.port)?;
            entered = entered.saturating_add(1);
        }
        let ready = logins.ready;
        if crowd.pump(&mut logins, Duration::from_secs(1))? > 0 {
            progress = Instant::now();
        }
        if ready == 0 && logins.ready > 0 {
            quiet(crowd, &mut logins, QUIET_MS)?;
        }
        if progress.elapsed() > STALLED {
            let text = format!(
                "{} of {} are logged in, then silence",
                logins.ready, connect.count
            );
            return Err(Failure::new(text));
        }
    }
    let took = began.elapsed();
    quiet(crowd, &mut logins, QUIET_MS)?;
    for member in crowd.members() {
        member.inbox = crate::iqs::Inbox::default();
    }
    let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Ok(json!({ "ready": connect.count, "took_ms": took, "cpu_us": cpu_us()? }))
}

struct Logins<'a> {
    connect: &'a Connect,
    ready: usize,
}

impl Logins<'_> {
    fn advance(&mut self, member: &mut Member) -> Result<(), Failure> {
        let Member {
            step, name, inbox, ..
        } = member;
        if let Some((next, text)) = step.next(name, self.connect, inbox)? {
            *step = next;
            if next == Step::Ready {
                self.ready = self.ready.saturating_add(1);
            } else {
                inbox.clear();
            }
            member.send(&text)?;
        }
        Ok(())
    }
}

impl Listener for Logins<'_> {
    fn connected(&mut self, member: &mut Member) -> Result<(), Failure> {
        if member.step == Step::Connection {
            member.stream.set_nodelay(true)?;
            self.advance(member)?;
        }
        Ok(())
    }

    fn received(&mut self, member: &mut Member, bytes: &[u8]) -> Result<(), Failure> {
        member.inbox.push(bytes);
        if member.step != Step::Ready {
            self.advance(member)?;
        }
        if member.step == Step::Ready {
            answer_question(member, &self.connect.info)?;
        }
        Ok(())
    }
}

fn answer_question(member: &mut Member, info: &str) -> Result<(), Failure> {
    while let Some(iq) = member.inbox.take_iq() {
        member.tell_features(&iq, info)?;
    }
    Ok(())
}
