//! Tells a test the steps of a walk, or shows a person some of them.
//!
//! `twitter_walk SEED` writes a step for each packet that it reads, as an Erlang term; packets begin with
//! their length in four bytes. `twitter_walk SEED LAST [NAME...]` prints the last twenty steps up to
//! number LAST that were about one of these people, or about all. With `--pre-approval` in front the server
//! is one that approves before anybody asks.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use twitter_model::term::ToTerm as _;
use twitter_model::walk::{Step, Walk};

const SHOWN: usize = 20;

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let pre_approves = args.first().is_some_and(|first| first == "--pre-approval");
    args.drain(..usize::from(pre_approves));
    let walk = |seed: &str| {
        let mut walk = Walk::new(number(seed)?);
        walk.model.pre_approves = pre_approves;
        io::Result::Ok(walk)
    };
    let done = match args.as_slice() {
        [seed] => walk(seed).and_then(tell),
        [seed, last, names @ ..] => walk(seed).and_then(|walk| show(walk, number(last)?, names)),
        [] => Err(io::Error::other(
            "usage: twitter_walk [--pre-approval] SEED [LAST [NAME...]]",
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("twitter_walk: {error}");
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> io::Result<u64> {
    text.parse()
        .map_err(|_| io::Error::other(format!("{text} is no number")))
}

/// Until nobody asks any more.
fn tell(mut walk: Walk) -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut length = [0; 4];
    while input.read_exact(&mut length).is_ok() {
        let packet = u64::from(u32::from_be_bytes(length));
        io::copy(&mut input.by_ref().take(packet), &mut io::sink())?;
        let mut bytes = Vec::new();
        walk.step().to_term().write(&mut bytes)?;
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        output.write_all(&length.to_be_bytes())?;
        output.write_all(&bytes)?;
        output.flush()?;
    }
    Ok(())
}

fn show(mut walk: Walk, last: u64, names: &[String]) -> io::Result<()> {
    let mut shown = VecDeque::new();
    loop {
        let Step { number, op, .. } = walk.step();
        let people = op.people();
        if names.is_empty()
            || people.is_empty()
            || people.iter().any(|who| names.iter().any(|n| n == who))
        {
            shown.push_back(format!("{number}: {op:?}"));
        }
        if shown.len() > SHOWN {
            shown.pop_front();
        }
        if u64::from(number) >= last {
            break;
        }
    }
    let mut output = io::stdout().lock();
    shown.iter().try_for_each(|line| writeln!(output, "{line}"))
}
