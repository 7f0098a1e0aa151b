//! What people, admins and accidents do.

/// A person, by the local part of the address.
pub type Who = &'static str;

/// All there are; a walk takes the first ones.
pub const PEOPLE: [Who; 24] = [
    "ann", "ben", "cat", "dan", "eve", "fay", "gus", "hal", "ida", "jan", "kim", "leo", "mia",
    "ned", "ole", "pam", "quo", "ray", "sue", "tom", "uma", "vic", "wes", "zoë",
];

/// Resources that a person may bind.
pub const RESOURCES: [&str; 3] = ["desk", "phone", "web"];

/// Names in rosters: some equal, one blank, one that is somebody's address.
pub const NAMES: [&str; 7] = [
    "",
    "Annie",
    "Bo & Co",
    "Bo & Co",
    " ",
    "eve@localhost",
    "Élodie",
];

/// Ids of posts, the same for all authors: those of old posts are used again.
pub const IDS: [&str; 10] = [
    "1", "2", "3", "4", "a/b", "<&'>", "é", "five", "/", "last one",
];

/// A connection of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// Whose.
    pub who: Who,
    /// The resource it has bound.
    pub resource: &'static str,
}

/// The presence stanzas that manage subscriptions (RFC 6121, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// May I see you?
    Subscribe,
    /// You may.
    Subscribed,
    /// I do not want to see you any more.
    Unsubscribe,
    /// You may not, or not any more.
    Unsubscribed,
}

/// What an admin writes into a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// The owner sees the contact.
    pub to: bool,
    /// The contact sees the owner.
    pub from: bool,
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// Bare text.
    Text(String),
    /// An Atom entry with this title.
    Entry(String),
    /// A tune (XEP-0118): artist and title.
    Tune(String, String),
}

/// A part of the server that is stopped and started, or killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The plugin's module, which is stopped.
    Plugin,
    /// `mod_pubsub`, by a reload of the configuration.
    Pubsub,
    /// A process of the plugin that is killed; its supervisor starts another.
    Process(&'static str),
}

/// The plugin's processes, by their names in its supervisor.
pub const PROCESSES: [&str; 5] = [
    "twitter_watch",
    "twitter_sessions",
    "twitter_service",
    "twitter_fanout_1",
    "twitter_writer_1",
];

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Publishes a post, or an edit if the author has used the id.
    Publish(Session, &'static str, Payload),
    /// Deletes a post; refused if there is none.
    Retract(Session, &'static str),
    /// Deletes all posts.
    Purge(Session),
    /// Sends a presence stanza to a person.
    Send(Session, Who, Kind),
    /// Gives a contact a name.
    Rename(Session, Who, &'static str),
    /// Removes a contact.
    Remove(Session, Who),
    /// An admin writes one side of a relation.
    Set(Who, Who, Subscription, &'static str),
    /// An admin removes a contact as its owner would.
    Delete(Who, Who),
    /// An admin deletes a line of a roster, and nobody is told.
    Erase(Who, Who),
    /// Blocks somebody (XEP-0191).
    Block(Session, Who),
    /// Unblocks somebody.
    Unblock(Session, Who),
    /// Unblocks everybody.
    UnblockAll(Session),
    /// Connects; in the place of a session with the same resource.
    Login(Session, Availability),
    /// Becomes available, or says something else about it.
    Appear(Session),
    /// Becomes unavailable.
    Hide(Session),
    /// Ends the session in good order.
    Logout(Session),
    /// The connection breaks.
    Cut(Session),
    /// The account is deleted.
    Unregister(Who),
    /// An account is made, perhaps under a name that somebody had before.
    Register(Who),
    /// A part of the server stops, these things happen, and it starts again.
    Restart(Part, Vec<Op>),
    /// The server stops in good order, or is killed, and starts again.
    Reboot {
        /// By SIGKILL.
        killed: bool,
    },
    /// Writes of several authors, one after the other, while nothing is sent yet.
    Burst(Vec<Op>),
    /// One after the other.
    Several(Vec<Op>),
}

/// What a session says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// Nothing.
    None,
    /// Presence with this priority.
    Priority(i8),
}

impl Op {
    /// All whom it is about.
    #[must_use]
    pub fn people(&self) -> Vec<Who> {
        match self {
            Self::Publish(session, ..)
            | Self::Retract(session, _)
            | Self::Purge(session)
            | Self::UnblockAll(session)
            | Self::Login(session, _)
            | Self::Appear(session)
            | Self::Hide(session)
            | Self::Logout(session)
            | Self::Cut(session) => vec![session.who],
            Self::Send(session, whom, _)
            | Self::Rename(session, whom, _)
            | Self::Remove(session, whom)
            | Self::Block(session, whom)
            | Self::Unblock(session, whom) => vec![session.who, whom],
            Self::Set(owner, contact, ..)
            | Self::Delete(owner, contact)
            | Self::Erase(owner, contact) => {
                vec![owner, contact]
            }
            Self::Unregister(who) | Self::Register(who) => vec![who],
            Self::Restart(_, ops) | Self::Burst(ops) | Self::Several(ops) => {
                ops.iter().flat_map(Self::people).collect()
            }
            Self::Reboot { .. } => vec![],
        }
    }
}
