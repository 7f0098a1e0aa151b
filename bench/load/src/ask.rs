//! Requests, and how long their answers take.

use std::time::{Duration, Instant};

use memchr::memmem::find_iter;
use serde_json::{json, Value};

use crate::command::{Read, Request, Role};
use crate::crowd::{Crowd, Listener};
use crate::failure::Failure;
use crate::member::Member;
use crate::usage::cpu_us;

/// One request again and again: the time of each.
pub fn repeat(crowd: &mut Crowd, request: &Request) -> Result<Value, Failure> {
    let timeout = Duration::from_millis(request.timeout_ms);
    let cpu = cpu_us()?;
    let mut times = Vec::with_capacity(request.times);
    let mut last = Answers::default();
    for id in 0..request.times {
        let iq = request.iq.replace("{id}", &id.to_string());
        let mut answers = Answers::default();
        let began = Instant::now();
        crowd.member(&request.user)?.send(&iq)?;
        answers.wait(crowd, 1, timeout)?;
        times.push(micros(began.elapsed()));
        last = answers;
    }
    let cpu_us = cpu_us()?.saturating_sub(cpu);
    Ok(last.report(&times, cpu_us))
}

/// A list of requests, a few at the same time: the time of the whole list, each time.
pub fn read(crowd: &mut Crowd, read: &Read) -> Result<Value, Failure> {
    let timeout = Duration::from_millis(read.timeout_ms);
    let cpu = cpu_us()?;
    let mut times = Vec::with_capacity(read.times);
    let mut last = Answers::default();
    for _ in 0..read.times {
        let mut answers = Answers::default();
        let began = Instant::now();
        for (sent, value) in read.values.iter().enumerate() {
            let room = sent.saturating_add(1).saturating_sub(read.in_flight);
            answers.wait(crowd, room, timeout)?;
            let iq = read.iq.replace("{id}", &sent.to_string());
            crowd
                .member(&read.user)?
                .send(&iq.replace("{value}", value))?;
        }
        answers.wait(crowd, read.values.len(), timeout)?;
        times.push(micros(began.elapsed()));
        last = answers;
    }
    let cpu_us = cpu_us()?.saturating_sub(cpu);
    Ok(last.report(&times, cpu_us))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[derive(Default)]
struct Answers {
    results: usize,
    bytes: usize,
    items: usize,
}

impl Answers {
    /// What is told of all: the times, and how much came the last time.
    fn report(&self, times: &[u64], cpu_us: u64) -> Value {
        json!({ "us": times, "bytes": self.bytes, "items": self.items, "cpu_us": cpu_us })
    }

    /// Waits until there are so many results.
    fn wait(
        &mut self,
        crowd: &mut Crowd,
        results: usize,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        while self.results < results {
            if began.elapsed() > timeout {
                let text = format!("{} of {results} results, then silence", self.results);
                return Err(Failure::new(text));
            }
            crowd.pump(self, Duration::from_secs(1))?;
        }
        Ok(())
    }
}

impl Listener for Answers {
    fn received(&mut self, member: &mut Member, bytes: &[u8]) -> Result<(), Failure> {
        if member.role == Role::Follower {
            return member.acknowledge(bytes);
        }
        self.bytes = self.bytes.saturating_add(bytes.len());
        member.inbox.push(bytes);
        while let Some(iq) = member.inbox.take_iq() {
            match iq.kind.as_str() {
                "result" => {
                    let items = find_iter(iq.text.as_bytes(), "<item ").count();
                    self.items = self.items.saturating_add(items);
                    self.results = self.results.saturating_add(1);
                }
                "error" => return Err(Failure::new(format!("refused: {}", iq.text))),
                _ => {}
            }
        }
        Ok(())
    }
}
