//! Which commands there are, and for whom.

use super::{Page, Stage};
use crate::path::{parse, Node, StreamPath, WireNode};

/// A command of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Post a message.
    Post,
    /// Edit or delete a post.
    Edit,
    /// Show the latest posts.
    Latest,
    /// What I missed.
    Missed,
    /// Mute a friend.
    Mute,
    /// Settings.
    Settings,
}

impl Command {
    /// All of them, in the order in which people are shown them.
    pub const ALL: [Self; 6] = [
        Self::Post,
        Self::Edit,
        Self::Latest,
        Self::Missed,
        Self::Mute,
        Self::Settings,
    ];

    /// The id of its node.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Post => "twitter#post",
            Self::Edit => "twitter#edit",
            Self::Latest => "twitter#latest",
            Self::Missed => "twitter#missed",
            Self::Mute => "twitter#mute",
            Self::Settings => "twitter#settings",
        }
    }

    /// The command that has this id.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.id() == id)
    }
}

/// What a reader may do at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// He has a stream: he is a user of the vhost.
    pub stream: bool,
    /// He may post to it.
    pub post: bool,
    /// His server keeps settings for him.
    pub settings: bool,
}

/// How a command begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With a table of the latest posts, and that is all.
    Table,
    /// With a stage.
    Stage(Stage),
}

/// The commands of the service that somebody with these rights can execute.
pub fn offered(rights: Rights) -> impl Iterator<Item = Command> {
    let may = move |command: &Command| first(*command, rights).is_some();
    Command::ALL.into_iter().filter(may)
}

/// How the command of a node begins: of a command of the service, or of a row of the tree, whose command has
/// the id of the row. `None` if there is no such command for somebody with these rights. Whether he may see
/// the row is another question.
///
/// ```
/// use twitter_core::dialog::{begin, Rights, Stage, Start};
/// let rights = Rights { stream: true, post: true, settings: false };
/// let post = Stage::Post { text: true, settings: false };
/// assert_eq!(begin("/twitter/MyStream", rights), Some(Start::Stage(post.clone())));
/// assert_eq!(begin("twitter#post", rights), Some(Start::Stage(post)));
/// assert_eq!(begin("twitter#settings", rights), None);
/// ```
#[must_use]
pub fn begin(id: &str, rights: Rights) -> Option<Start> {
    match parse(id) {
        WireNode::Known(node) => of_row(&node, rights),
        WireNode::Unknown => None,
        WireNode::Foreign => first(Command::parse(id)?, rights),
    }
}

fn first(command: Command, rights: Rights) -> Option<Start> {
    let Rights {
        stream,
        post,
        settings,
    } = rights;
    let stage = match command {
        Command::Post => post.then_some(Stage::Post {
            text: true,
            settings: false,
        }),
        Command::Edit => stream.then_some(Stage::ChoosePost),
        // Who is from elsewhere gets one page: no dialogs are kept for people whom nobody here can count.
        Command::Latest if !stream => return Some(Start::Table),
        Command::Latest => Some(Stage::Latest(Page {
            first: String::new(),
            last: String::new(),
            prev: false,
            next: false,
        })),
        Command::Missed => settings.then_some(Stage::Missed),
        Command::Mute => settings.then_some(Stage::ChooseFriend),
        Command::Settings => settings.then_some(Stage::Settings),
    };
    stage.map(Start::Stage)
}

fn of_row(node: &Node<'_>, rights: Rights) -> Option<Start> {
    let Rights {
        stream,
        post,
        settings,
    } = rights;
    let stage = match node {
        Node::Root => (post || settings).then_some(Stage::Post {
            text: post,
            settings,
        }),
        Node::Stream(StreamPath::Mine) => post.then_some(Stage::Post {
            text: true,
            settings: false,
        }),
        Node::Stream(StreamPath::Friends) => return Some(Start::Table),
        Node::Stream(StreamPath::Friend(friend)) => settings.then(|| Stage::Mute {
            friend: friend.clone(),
            chosen: false,
        }),
        Node::Post(StreamPath::Mine, id) => stream.then(|| Stage::Edit {
            id: (*id).to_owned(),
            text: post,
            chosen: false,
        }),
        Node::MyFriends | Node::Post(_, _) => None,
    };
    stage.map(Start::Stage)
}
