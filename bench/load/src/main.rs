//! A load client for XMPP servers: thousands of followers and their author in one thread, so that
//! all times come from one clock and the client costs far less than the server.
//!
//! It reads commands from standard input, one JSON object a line ([`command`]), and writes one answer
//! a line. It ends when the input does.

mod acks;
mod ask;
mod command;
mod connect;
mod crowd;
mod enable;
mod failure;
mod iqs;
mod login;
mod member;
mod publish;
mod silence;
mod spot;
mod tally;
mod usage;

use std::io::{self, BufRead, Write};

use serde_json::{json, Value};

use crate::command::Command;
use crate::crowd::Crowd;
use crate::failure::Failure;

fn main() -> Result<(), Failure> {
    let mut crowd = Crowd::new()?;
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = match answer(&mut crowd, &line?) {
            Ok(answer) => answer,
            Err(failure) => json!({ "error": failure.to_string() }),
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(crowd: &mut Crowd, line: &str) -> Result<Value, Failure> {
    match serde_json::from_str(line)? {
        Command::Connect(connect) => connect::run(crowd, &connect),
        Command::Acknowledge => enable::run(crowd),
        Command::Settle { quiet_ms } => silence::settle(crowd, quiet_ms),
        Command::Publish(publish) => publish::run(crowd, &publish),
        Command::Request(request) => ask::repeat(crowd, &request),
        Command::Read(read) => ask::read(crowd, &read),
    }
}
