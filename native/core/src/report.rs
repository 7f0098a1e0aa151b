//! What an admin takes out of the service, as JSON (RFC 8259).

use serde::Serialize;

use crate::jid::BareJid;
use crate::post::Payload;

/// What a user wants to get, as it is exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wishes<'a> {
    /// Posts are sent to him at once.
    pub pushes: bool,
    /// With their text as the body of a message.
    pub bodies: bool,
    /// When he comes online, he is sent what he missed.
    pub catch_up: bool,
    /// From whom he hears nothing.
    pub muted: Vec<Mute<'a>>,
}

/// A friend from whom a user hears nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mute<'a> {
    /// His address.
    pub friend: &'a str,
    /// Until then, as XEP-0082 writes it; for ever, if there is no moment.
    pub until: Option<&'a str>,
}

/// How far a user has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReadMark<'a> {
    /// At this pubsub host.
    pub host: &'a str,
    /// As it is kept.
    pub mark: &'a str,
}

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
    settings: Option<Wishes<'a>>,
    read_marks: Vec<ReadMark<'a>>,
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

/// All that is stored of one user: his settings, if he has any, what he has read, and his posts, in the order
/// given: of each its id, its times, the text that a person reads in it, and its XML unless it is bare text.
/// Cost: O(bytes).
///
/// ```
/// use twitter_core::jid::BareJid;
/// use twitter_core::post::Payload;
/// use twitter_core::report::{export, Exported, Mute, Wishes};
/// let (published, updated) = ("2008-05-01T10:00:00Z", "2008-05-01T10:00:00Z");
/// let post = Exported { id: "1", published, updated, payload: Payload::Text("Hello") };
/// let muted = vec![Mute { friend: "bob@example.org", until: None }];
/// let wishes = Wishes { pushes: true, bodies: false, catch_up: true, muted };
/// assert_eq!(
///     export(&BareJid::parse("alice@example.org")?, Some(wishes), [], [post]),
///     r#"{"user":"alice@example.org","settings":{"pushes":true,"bodies":false,"catch_up":true,"#
///         .to_owned() + r#""muted":[{"friend":"bob@example.org","until":null}]},"read_marks":[],"#
///         + r#""posts":[{"id":"1","published":"2008-05-01T10:00:00Z","#
///         + r#""updated":"2008-05-01T10:00:00Z","text":"Hello"}]}"#,
/// );
/// # Ok::<(), twitter_core::jid::InvalidJid>(())
/// ```
pub fn export<'a>(
    user: &BareJid,
    settings: Option<Wishes<'a>>,
    read_marks: impl IntoIterator<Item = ReadMark<'a>>,
    posts: impl IntoIterator<Item = Exported<'a>>,
) -> String {
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
        settings,
        read_marks: read_marks.into_iter().collect(),
        posts: posts.collect(),
    };
    // Strings and lists of them can always be written.
    serde_json::to_string(&export).unwrap_or_default()
}
