//! Stream management (XEP-0198): counting stanzas, and saying how many when the server asks.

use std::sync::LazyLock;

use crate::spot::{Spot, Word};

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
    /// Whether it is enabled.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Looks for the server's word that it is, which comes in one read, since nothing else comes.
    pub fn await_enabled(&mut self, bytes: &[u8]) -> bool {
        let enabled = &mut self.enabled;
        self.questions.feed(&ENABLED, bytes, |_| *enabled = true);
        if self.enabled {
            self.questions = Spot::default();
        }
        self.enabled
    }

    /// Counts what has come. The answer, if the server asked.
    pub fn answer(&mut self, bytes: &[u8]) -> Option<String> {
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
