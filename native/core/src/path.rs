//! The grammar of node ids.
//!
//! On the wire a node id says nothing about who asks: `/twitter/MyStream` is everybody's own. In
//! storage each author has one node, whose id names him: `/twitter/alice@example.org/MyStream`.
//! The two sets are disjoint, so a stored id that comes from the wire is no node at all.

use std::borrow::Cow;
use std::fmt;

use crate::jid::{self, BareJid};

const ROOT: &str = "/twitter";
const MY_STREAM: &str = "MyStream";
const FRIENDS_STREAM: &str = "FriendsStream";
const MY_FRIENDS: &str = "MyFriends";
/// So many bytes stand for one in the id of a stored node, at most.
const LONGEST_ESCAPE: usize = 3;

/// One of the three kinds of stream that a reader finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamPath {
    /// `/twitter/MyStream`: the reader's own posts.
    Mine,
    /// `/twitter/FriendsStream`: the posts of all friends.
    Friends,
    /// `/twitter/MyFriends/JID`: the posts of that friend.
    Friend(BareJid),
}

/// A node below `/twitter`, as a reader names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node<'a> {
    /// `/twitter`
    Root,
    /// `/twitter/MyFriends`
    MyFriends,
    /// A stream.
    Stream(StreamPath),
    /// `STREAM/ID`: one post. The ID is everything after the stream's slash.
    Post(StreamPath, &'a str),
}

/// What a node id from the wire turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireNode<'a> {
    /// Not `/twitter` and not below it: ordinary pubsub.
    Foreign,
    /// Below `/twitter`, but no node of the tree, for nobody.
    Unknown,
    /// A node of the tree; whether this reader may see it is another question.
    Known(Node<'a>),
}

/// Reads a node id from the wire. Case matters. Cost: one pass over the id.
///
/// ```
/// use twitter_core::path::{parse, Node, StreamPath, WireNode};
/// assert_eq!(
///     parse("/twitter/MyStream/tag:a/b"),
///     WireNode::Known(Node::Post(StreamPath::Mine, "tag:a/b"))
/// );
/// assert_eq!(parse("/twitter/mystream"), WireNode::Unknown);
/// assert_eq!(parse("/home/alice"), WireNode::Foreign);
/// ```
#[must_use]
pub fn parse(id: &str) -> WireNode<'_> {
    match id.strip_prefix(ROOT) {
        Some("") => WireNode::Known(Node::Root),
        Some(rest) => match rest.strip_prefix('/') {
            Some(rest) => below_root(rest).map_or(WireNode::Unknown, WireNode::Known),
            None => WireNode::Foreign,
        },
        None => WireNode::Foreign,
    }
}

/// Reads a node id from a service discovery request.
///
/// mod_pubsub cuts such an id at each `!` and takes the first part that is not empty for the node. An
/// id that would lead there to `/twitter` or below, or to no part at all, names nothing.
///
/// ```
/// use twitter_core::path::{parse_disco, WireNode};
/// assert_eq!(parse_disco("!/twitter"), WireNode::Unknown);
/// assert_eq!(parse_disco("node!item"), WireNode::Foreign);
/// assert_eq!(parse_disco(""), WireNode::Foreign);
/// ```
#[must_use]
pub fn parse_disco(id: &str) -> WireNode<'_> {
    let first_part = || {
        // As bytes: an id may be long, and nothing but `!`.
        let start = id.bytes().position(|byte| byte != b'!')?;
        id.get(start..)?.split('!').next()
    };
    match parse(id) {
        WireNode::Foreign if id.is_empty() => WireNode::Foreign,
        WireNode::Foreign if first_part().is_none_or(|part| parse(part) != WireNode::Foreign) => {
            WireNode::Unknown
        }
        node => node,
    }
}

fn below_root(rest: &str) -> Option<Node<'_>> {
    let (head, tail) = split(rest);
    match head {
        MY_STREAM => stream_or_post(StreamPath::Mine, tail),
        FRIENDS_STREAM => stream_or_post(StreamPath::Friends, tail),
        MY_FRIENDS => match tail {
            None => Some(Node::MyFriends),
            Some(tail) => {
                let (jid, id) = split(tail);
                stream_or_post(StreamPath::Friend(BareJid::parse(jid).ok()?), id)
            }
        },
        _ => None,
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    }
}

fn stream_or_post(stream: StreamPath, id: Option<&str>) -> Option<Node<'_>> {
    match id {
        None => Some(Node::Stream(stream)),
        Some("") => None,
        Some(id) => Some(Node::Post(stream, id)),
    }
}

impl fmt::Display for StreamPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mine => write!(f, "{ROOT}/{MY_STREAM}"),
            Self::Friends => write!(f, "{ROOT}/{FRIENDS_STREAM}"),
            Self::Friend(jid) => write!(f, "{ROOT}/{MY_FRIENDS}/{jid}"),
        }
    }
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str(ROOT),
            Self::MyFriends => write!(f, "{ROOT}/{MY_FRIENDS}"),
            Self::Stream(stream) => stream.fmt(f),
            Self::Post(stream, id) => write!(f, "{stream}/{id}"),
        }
    }
}

/// The id of the node that stores the posts of `author`.
///
/// `!` is escaped because mod_pubsub splits disco nodes at it, and `%` because it escapes.
///
/// ```
/// use twitter_core::{jid::BareJid, path};
/// let bob = BareJid::parse("bob!@example.org")?;
/// let stored = path::stored(&bob);
/// assert_eq!(stored, "/twitter/bob%21@example.org/MyStream");
/// assert_eq!(path::author_of_stored(&stored), Some(bob));
/// assert_eq!(path::parse(&stored), path::WireNode::Unknown);
/// # Ok::<(), twitter_core::jid::InvalidJid>(())
/// ```
#[must_use]
pub fn stored(author: &BareJid) -> String {
    let name = author.as_str().replace('%', "%25").replace('!', "%21");
    // Without it the name of a server could be that of a stream.
    let at = if author.local().is_none() { "@" } else { "" };
    format!("{ROOT}/{at}{name}/{MY_STREAM}")
}

/// The author whose posts the node `id` stores, if it is such a node: the inverse of [`stored`].
#[must_use]
pub fn author_of_stored(id: &str) -> Option<BareJid> {
    let name = id
        .strip_prefix(ROOT)?
        .strip_prefix('/')?
        .strip_suffix(MY_STREAM)?
        .strip_suffix('/')?;
    // Nobody has so long a name; it is not worth the replacing.
    if name.len() > jid::MAX.saturating_mul(LONGEST_ESCAPE) {
        return None;
    }
    let name: Cow<'_, str> = if name.contains('%') {
        name.replace("%21", "!").replace("%25", "%").into()
    } else {
        name.into()
    };
    let author = BareJid::parse(&name).ok()?;
    // A user's address only, and in the one spelling that `stored` gives it.
    (author.local().is_some() && stored(&author) == id).then_some(author)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn table() {
        for unknown in [
            "/twitter/",
            "/twitter/mystream",
            "/twitter/MyStream/",
            "/twitter/FriendsStream/",
            "/twitter/MyFriends/",
            "/twitter/MyFriends/@h",
            "/twitter/MyFriends/a@h/",
            "/twitter/MyFriends//x",
            "/twitter//MyStream",
            "/twitter/alice@h/MyStream",
            "/twitter/alice@h",
        ] {
            assert_eq!(parse(unknown), WireNode::Unknown, "{unknown}");
        }
        for foreign in [
            "",
            "/",
            "/twitte",
            "/twitterer",
            "twitter",
            "/Twitter",
            " /twitter",
        ] {
            assert_eq!(parse(foreign), WireNode::Foreign, "{foreign}");
        }
        for hidden in [
            "!",
            "!!",
            "!/twitter",
            "!!/twitter/MyStream!",
            "/twitter!x",
            "!/twitter/a@h/MyStream",
        ] {
            assert_eq!(parse_disco(hidden), WireNode::Unknown, "{hidden}");
        }
        for foreign in ["", "a!/twitter", "/twitterer!", "!home"] {
            assert_eq!(parse_disco(foreign), WireNode::Foreign, "{foreign}");
        }
        assert_eq!(
            parse_disco("/twitter/MyStream/a!b"),
            WireNode::Known(Node::Post(StreamPath::Mine, "a!b"))
        );
        for no_author in [
            "/twitter/MyStream",
            "/twitter/h/MyStream",
            "/twitter/a@h/MyStream/1",
            "/twitter/a%40h/MyStream",
            "/twitter/a%25@h/mystream",
            "/twitter/a!@h/MyStream",
            "/twitter/a/b@h/MyStream",
        ] {
            assert_eq!(author_of_stored(no_author), None, "{no_author}");
        }
    }

    #[test]
    fn a_server_named_like_a_stream() -> Result<(), jid::InvalidJid> {
        let id = stored(&BareJid::parse("MyStream")?);
        assert_eq!(id, "/twitter/@MyStream/MyStream");
        assert_eq!(parse(&id), WireNode::Unknown);
        assert_eq!(author_of_stored(&id), None, "servers publish nothing");
        Ok(())
    }

    proptest! {
        #[test]
        fn wire_round_trip(jid in "[a-z!%]{1,5}@[a-z.]{1,8}", id in "\\PC{1,12}", which in 0..3) {
            let stream = match which {
                0 => StreamPath::Mine,
                1 => StreamPath::Friends,
                _ => StreamPath::Friend(BareJid::parse(&jid)?),
            };
            let post = Node::Post(stream.clone(), &id);
            let text = post.to_string();
            prop_assert_eq!(parse(&text), WireNode::Known(post));
            let node = Node::Stream(stream);
            let text = node.to_string();
            prop_assert_eq!(parse(&text), WireNode::Known(node));
        }

        #[test]
        fn stored_round_trip(jid in "[a-zA-Z!%0-9]{1,9}@[a-z.]{1,8}") {
            let author = BareJid::parse(&jid)?;
            let id = stored(&author);
            prop_assert!(!id.contains('!'));
            prop_assert_eq!(parse(&id), WireNode::Unknown);
            prop_assert_eq!(author_of_stored(&id), Some(author));
        }

        #[test]
        fn whatever_comes_is_no_panic(id in "(/twitter)?(/(MyStream|MyFriends|FriendsStream)?)?\\PC{0,20}") {
            let _ = parse(&id);
            let _ = author_of_stored(&id);
        }
    }
}
