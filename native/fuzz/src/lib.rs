//! What must hold for any input, however hostile: for each module the core against a reference that is
//! slow and obvious.
//!
//! `cargo fuzz` looks for inputs that break it (`make fuzz`); `cargo test` tries the seeds and random
//! ones, so the targets cannot rot.
// A panic is how a property fails, and the references are short enough to be seen not to overflow.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod cursor;
pub mod path;
pub mod payload;
pub mod roster;

/// Whether the text is a bare JID, looked at piece by piece.
fn is_jid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('@').collect();
    let is_bad = |c: char| c == '/' || c.is_whitespace() || c.is_control();
    parts.len() <= 2
        && parts
            .iter()
            .all(|part| (1..=1023).contains(&part.len()) && !part.contains(is_bad))
}
