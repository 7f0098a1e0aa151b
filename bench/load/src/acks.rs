//! Stream management (XEP-0198): counting stanzas, and saying how many when the server asks.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::connect::quiet;
use crate::crowd::{Crowd, Listener};
use crate::failure::Failure;
use crate::member::Member;
use crate::spot::{Spot, Word};

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3'/>";

/// What is counted: the beginnings of stanzas, which cannot be anywhere else in what we receive.
static STANZAS: LazyLock<[Word; 3]> =
    LazyLock::new(|| ["<message ", "<presence ", "<iq "].map(|word| Word::new(word, 0)));
static QUESTION: LazyLock<Word> = LazyLock::new(|| Word::new("<r xmlns='urn:xmpp:sm:3'/>", 0));
static ENABLED: LazyLock<Word> = LazyLock::new(|| Word::new("<enabled ", 0));

/// One stream's stanzas since stream management was enabled.
#[derive(Default)]
pub struct Acks {
    enabled: bool,
    stanzas: u32,
    counts: [Spot; 3],
    questions: Spot,
}

impl Acks {
    /// Counts what has come. The answer, if the server asked.
    fn answer(&mut self, bytes: &[u8]) -> Option<String> {
        for (word, spot) in STANZAS.iter().zip(&mut self.counts) {
            let stanzas = &mut self.stanzas;
            spot.feed(word, bytes, |_| *stanzas = stanzas.wrapping_add(1));
        }
        let mut asked = false;
        self.questions.feed(&QUESTION, bytes, |_| asked = true);
        let stanzas = self.stanzas;
        asked.then(|| format!("<a xmlns='urn:xmpp:sm:3' h='{stanzas}'/>"))
    }
}

/// Counts what has come for a member, and answers the server, if he uses stream management.
pub fn received(member: &mut Member, bytes: &[u8]) -> Result<(), Failure> {
    match member.acks.as_mut().and_then(|acks| acks.answer(bytes)) {
        Some(answer) => member.send(&answer),
        None => Ok(()),
    }
}

/// Enables stream management for all followers, who must not be receiving anything else.
pub fn enable(crowd: &mut Crowd) -> Result<Value, Failure> {
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
        let Some(acks) = member.acks.as_mut().filter(|acks| !acks.enabled) else {
            return received(member, bytes);
        };
        let mut enabled = false;
        // In one read, since nothing else comes.
        acks.questions.feed(&ENABLED, bytes, |_| enabled = true);
        if enabled {
            acks.enabled = true;
            acks.questions = Spot::default();
            self.enabled = self.enabled.saturating_add(1);
        }
        Ok(())
    }
}
