//! Node ids: what the wire and what storage name never meet, and each form reads what it writes.

use twitter_core::jid::BareJid;
use twitter_core::path::{
    author_of_stored, parse, parse_disco, stored, Node, StreamPath, WireNode,
};

use crate::is_jid;

/// So many lines of the text are taken for addresses and item ids, in all pairs.
const MAX_LINES: usize = 8;

/// Takes the text for a node id, and its lines for addresses and for ids of posts.
pub fn check(text: &str) {
    node_id(text);
    let lines: Vec<&str> = text.split('\n').take(MAX_LINES).collect();
    let jids = lines.iter().map(|line| {
        let jid = BareJid::parse(line);
        assert_eq!(jid.is_ok(), is_jid(line), "{line:?}");
        jid
    });
    let jids: Vec<BareJid> = jids.filter_map(Result::ok).collect();
    for jid in &jids {
        stored_node(jid);
        for other in &jids {
            assert_eq!(jid == other, stored(jid) == stored(other));
        }
        for id in &lines {
            wire_node(StreamPath::Friend(jid.clone()), id);
        }
    }
    for id in lines {
        wire_node(StreamPath::Mine, id);
        wire_node(StreamPath::Friends, id);
    }
}

fn node_id(text: &str) {
    let node = parse(text);
    let segments: Vec<&str> = text.split('/').collect();
    assert_eq!(node, reference(&segments, &after(text, 3), &after(text, 4)));
    if let WireNode::Known(node) = &node {
        assert_eq!(node.to_string(), text);
    }
    // What goes on to mod_pubsub does not lead it to the tree: it takes the first part between `!`.
    let first = text.split('!').find(|part| !part.is_empty());
    let leads_astray = match first {
        Some(part) => parse(part) != WireNode::Foreign,
        None => !text.is_empty(),
    };
    let expected = match node {
        WireNode::Foreign if leads_astray => WireNode::Unknown,
        node => node,
    };
    assert_eq!(parse_disco(text), expected);
    if let Some(author) = author_of_stored(text) {
        assert_eq!(stored(&author), text);
        stored_node(&author);
    }
}

/// What follows so many segments of the text.
fn after(text: &str, segments: usize) -> String {
    let rest: Vec<&str> = text.split('/').skip(segments).collect();
    rest.join("/")
}

fn reference<'i>(segments: &[&str], after_3: &'i str, after_4: &'i str) -> WireNode<'i> {
    let stream_or_post = |stream, is_stream, id| match (is_stream, id) {
        (true, _) => WireNode::Known(Node::Stream(stream)),
        (false, "") => WireNode::Unknown,
        (false, id) => WireNode::Known(Node::Post(stream, id)),
    };
    match segments {
        ["", "twitter"] => WireNode::Known(Node::Root),
        ["", "twitter", "MyStream", rest @ ..] => {
            stream_or_post(StreamPath::Mine, rest.is_empty(), after_3)
        }
        ["", "twitter", "FriendsStream", rest @ ..] => {
            stream_or_post(StreamPath::Friends, rest.is_empty(), after_3)
        }
        ["", "twitter", "MyFriends"] => WireNode::Known(Node::MyFriends),
        ["", "twitter", "MyFriends", jid, rest @ ..] if is_jid(jid) => {
            let friend = StreamPath::Friend(BareJid::parse(jid).unwrap());
            stream_or_post(friend, rest.is_empty(), after_4)
        }
        ["", "twitter", ..] => WireNode::Unknown,
        _ => WireNode::Foreign,
    }
}

/// A stored node has one author, and nobody can name it.
fn stored_node(author: &BareJid) {
    let id = stored(author);
    assert_eq!(parse(&id), WireNode::Unknown);
    assert_eq!(parse_disco(&id), WireNode::Unknown);
    assert!(!id.contains('!'));
    // Components publish nothing.
    let user = author.local().map(|_| author.clone());
    assert_eq!(author_of_stored(&id), user);
}

fn wire_node(stream: StreamPath, id: &str) {
    let node = Node::Stream(stream.clone());
    assert_eq!(parse(&node.to_string()), WireNode::Known(node));
    let post = Node::Post(stream, id);
    let text = post.to_string();
    let expected = match id {
        "" => WireNode::Unknown,
        _ => WireNode::Known(post),
    };
    assert_eq!(parse(&text), expected);
    assert_eq!(author_of_stored(&text), None);
}
