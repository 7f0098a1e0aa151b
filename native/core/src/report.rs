//! What an admin takes out of the service, as JSON (RFC 8259).

use serde::Serialize;

use crate::jid::BareJid;
use crate::post::Payload;

/// A post as it is exported.
#[derive(Debug, Clone, Copy)]
pub struct Exported<'a> {
    /// Its item id.
    pub id: &'a str,
    /// When it was first published and last changed, as XEP-0082 writes it.
    pub published: &'a str,
    /// The same for its last change.
    pub updated: &'a str,
    /// What was published.
    pub payload: Payload<'a>,
}

#[derive(Serialize)]
struct Export<'a> {
    user: &'a str,
    posts: Vec<Post<'a>>,
}

#[derive(Serialize)]
struct Post<'a> {
    id: &'a str,
    published: &'a str,
    updated: &'a str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    xml: Option<&'a str>,
}

/// All that one user has posted, in the order given: of each post its id, its times, the text that a
/// person reads in it, and its XML unless it is bare text. Cost: O(bytes).
///
/// ```
/// use twitter_core::jid::BareJid;
/// use twitter_core::post::Payload;
/// use twitter_core::report::{export, Exported};
/// let (published, updated) = ("2008-05-01T10:00:00Z", "2008-05-01T10:00:00Z");
/// let post = Exported { id: "1", published, updated, payload: Payload::Text("Hello") };
/// assert_eq!(
///     export(&BareJid::parse("alice@example.org")?, [post]),
///     r#"{"user":"alice@example.org","posts":[{"id":"1","published":"2008-05-01T10:00:00Z","#
///         .to_owned() + r#""updated":"2008-05-01T10:00:00Z","text":"Hello"}]}"#,
/// );
/// # Ok::<(), twitter_core::jid::InvalidJid>(())
/// ```
pub fn export<'a>(user: &BareJid, posts: impl IntoIterator<Item = Exported<'a>>) -> String {
    let posts = posts.into_iter().map(|post| Post {
        id: post.id,
        published: post.published,
        updated: post.updated,
        text: post.payload.text(),
        xml: match post.payload {
            Payload::Text(_) => None,
            Payload::Element(xml) => Some(xml),
        },
    });
    let export = Export {
        user: user.as_str(),
        posts: posts.collect(),
    };
    // Strings and lists of them can always be written.
    serde_json::to_string(&export).unwrap_or_default()
}
