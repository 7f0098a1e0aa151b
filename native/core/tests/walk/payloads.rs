//! Payloads, as they are stored and as the core reads them.

use twitter_core::cache::StoredPayload;
use twitter_core::post;
use twitter_model::model::Post;
use twitter_model::op::Payload;

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// As it is stored.
fn stored(payload: &Payload) -> String {
    match payload {
        Payload::Text(text) => text.clone(),
        Payload::Entry(title) => {
            format!("<entry xmlns='http://www.w3.org/2005/Atom'><title>{}</title></entry>", escaped(title))
        }
        Payload::Tune(artist, title) => format!(
            "<tune xmlns='http://jabber.org/protocol/tune'><artist>{}</artist><title>{}</title></tune>",
            escaped(artist),
            escaped(title)
        ),
    }
}

pub fn bytes(post: &Post) -> StoredPayload {
    stored(&post.payload).into_bytes().into()
}

/// What the core reads in it.
pub fn read<T>(payload: &Payload, read: impl FnOnce(&post::Payload<'_>) -> T) -> T {
    let stored = stored(payload);
    read(&match payload {
        Payload::Text(_) => post::Payload::Text(&stored),
        _ => post::Payload::Element(&stored),
    })
}
