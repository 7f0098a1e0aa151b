//! How the core's values look in Erlang.

use rustler::{
    Atom, Binary, Decoder, Encoder, Env, Error, LocalPid, NifResult, NifTaggedEnum, NifTuple,
    NifUnitEnum, Term,
};
use twitter_core::cursor::Cursor;
use twitter_core::fanout::{Next, Recipient};
use twitter_core::friends::Subscription;
use twitter_core::jid::BareJid;
use twitter_core::lines::RawLine;
use twitter_core::online::{Online, Session};
use twitter_core::path::{Node, StreamPath, WireNode};
use twitter_core::post::{Payload, Refusal};
use twitter_core::service::Offer;
use twitter_core::timeline::{Anchor, Order, Request};

pub mod atoms {
    //! Every atom that is no variant of an enum.
    rustler::atoms! {
        act,
        after,
        author,
        bad_action,
        bad_cursor,
        bad_payload,
        bad_sessionid,
        before,
        boolean,
        canceled,
        checked,
        closed,
        delete,
        done,
        elsewhere,
        forever,
        keep,
        list_single = "list-single",
        long_id,
        many_items,
        many_payloads,
        mute,
        no_author,
        no_item,
        no_payload,
        none,
        not_loaded,
        not_xml,
        open,
        portion,
        post,
        recheck,
        replace,
        session_expired,
        set,
        show,
        stale,
        submitted,
        taken,
        text_multi = "text-multi",
        text_single = "text-single",
        too_big,
        too_deep,
        too_fast,
        too_many_mutes,
        unknown,
        unmute,
    }
}

/// An argument of any other form than the one expected is a `badarg`, whatever its decoder says.
pub struct Arg<T>(pub T);

impl<'a, T: Decoder<'a>> Decoder<'a> for Arg<T> {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        term.decode().map(Arg).map_err(|_| Error::BadArg)
    }
}

/// A proper list; any other is a `badarg`.
pub struct List<T>(pub Vec<T>);

impl<'a, T: Decoder<'a>> Decoder<'a> for List<T> {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        let mut rest = term;
        let mut items = Vec::new();
        while !rest.is_empty_list() {
            let (head, tail) = rest.list_get_cell().map_err(|_| Error::BadArg)?;
            items.push(head.decode().map_err(|_| Error::BadArg)?);
            rest = tail;
        }
        Ok(Self(items))
    }
}

/// A bare JID: a binary.
pub struct Jid(pub BareJid);

impl<'a> Decoder<'a> for Jid {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        BareJid::parse(term.decode()?)
            .map(Jid)
            .map_err(|_| Error::BadArg)
    }
}

/// Who reads, or `none`.
pub struct Reader(Option<BareJid>);

impl Reader {
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_ref().map(BareJid::as_str)
    }
}

impl<'a> Decoder<'a> for Reader {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        if atoms::none() == term {
            Ok(Self(None))
        } else {
            term.decode().map(|Jid(reader)| Self(Some(reader)))
        }
    }
}

impl Encoder for Jid {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        self.0.as_str().encode(env)
    }
}

/// `author | Number`: to whom a post is handed over; the number came with the portion.
pub enum Whom {
    Author,
    Recipient(usize),
}

impl<'a> Decoder<'a> for Whom {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        if atoms::author() == term {
            Ok(Self::Author)
        } else {
            term.decode().map(Self::Recipient)
        }
    }
}

/// `mine | friends | {friend, Jid}`
#[derive(NifTaggedEnum)]
pub enum StreamTerm {
    Mine,
    Friends,
    Friend(Jid),
}

/// `foreign | unknown | root | my_friends | {stream, Stream} | {post, {Stream, Id}}`
#[derive(NifTaggedEnum)]
pub enum NodeTerm {
    Foreign,
    Unknown,
    Root,
    MyFriends,
    Stream(StreamTerm),
    Post((StreamTerm, String)),
}

impl From<StreamPath> for StreamTerm {
    fn from(stream: StreamPath) -> Self {
        match stream {
            StreamPath::Mine => Self::Mine,
            StreamPath::Friends => Self::Friends,
            StreamPath::Friend(jid) => Self::Friend(Jid(jid)),
        }
    }
}

impl From<StreamTerm> for StreamPath {
    fn from(stream: StreamTerm) -> Self {
        match stream {
            StreamTerm::Mine => Self::Mine,
            StreamTerm::Friends => Self::Friends,
            StreamTerm::Friend(Jid(jid)) => Self::Friend(jid),
        }
    }
}

impl From<WireNode<'_>> for NodeTerm {
    fn from(node: WireNode<'_>) -> Self {
        match node {
            WireNode::Foreign => Self::Foreign,
            WireNode::Unknown => Self::Unknown,
            WireNode::Known(Node::Root) => Self::Root,
            WireNode::Known(Node::MyFriends) => Self::MyFriends,
            WireNode::Known(Node::Stream(stream)) => Self::Stream(stream.into()),
            WireNode::Known(Node::Post(stream, id)) => Self::Post((stream.into(), id.to_owned())),
        }
    }
}

impl NodeTerm {
    pub fn id(self) -> NifResult<String> {
        match self {
            Self::Foreign | Self::Unknown => Err(Error::BadArg),
            Self::Root => Ok(Node::Root.to_string()),
            Self::MyFriends => Ok(Node::MyFriends.to_string()),
            Self::Stream(stream) => Ok(Node::Stream(stream.into()).to_string()),
            Self::Post((stream, id)) => Ok(Node::Post(stream.into(), &id).to_string()),
        }
    }
}

/// `{text, Text} | {element, Xml}`
#[derive(NifTaggedEnum)]
pub enum PayloadTerm<'a> {
    Text(&'a str),
    Element(&'a str),
}

impl<'a> PayloadTerm<'a> {
    pub fn as_core(&self) -> Payload<'a> {
        match *self {
            Self::Text(text) => Payload::Text(text),
            Self::Element(xml) => Payload::Element(xml),
        }
    }
}

/// `none | to | from | both`
#[derive(Clone, Copy, NifUnitEnum)]
pub enum SubscriptionTerm {
    None,
    To,
    From,
    Both,
}

impl From<SubscriptionTerm> for Subscription {
    fn from(subscription: SubscriptionTerm) -> Self {
        match subscription {
            SubscriptionTerm::None => Self::None,
            SubscriptionTerm::To => Self::To,
            SubscriptionTerm::From => Self::From,
            SubscriptionTerm::Both => Self::Both,
        }
    }
}

/// A line of a roster: `{User, Server, Name, Subscription}`
#[derive(NifTuple)]
pub struct Line<'a> {
    local: Binary<'a>,
    domain: Binary<'a>,
    name: Binary<'a>,
    subscription: SubscriptionTerm,
}

impl Line<'_> {
    pub fn as_core(&self) -> RawLine<'_> {
        RawLine {
            local: &self.local,
            domain: &self.domain,
            name: &self.name,
            subscription: self.subscription.into(),
        }
    }
}

/// `{Pid, Resource}`
#[derive(NifTuple)]
pub struct SessionTerm {
    address: LocalPid,
    resource: String,
}

impl From<Session<LocalPid>> for SessionTerm {
    fn from(session: Session<LocalPid>) -> Self {
        Self {
            address: session.address,
            resource: session.resource.into(),
        }
    }
}

pub fn sessions_of(online: &Online<LocalPid>, user: &str) -> Vec<SessionTerm> {
    online
        .sessions(user)
        .into_iter()
        .map(SessionTerm::from)
        .collect()
}

/// `{portion, [{User, Server, [Session] | elsewhere}]} | recheck | done`
pub fn next_term<'a>(env: Env<'a>, next: Next<'_, LocalPid>) -> Term<'a> {
    // One by one and without copies between: a large part of what a delivery costs.
    let recipient = |to: Recipient<'_, LocalPid>| {
        let sessions = match to.sessions {
            Some(sessions) => sessions
                .iter()
                .map(|session| (session.address, session.resource.as_str()))
                .collect::<Vec<_>>()
                .encode(env),
            None => atoms::elsewhere().encode(env),
        };
        (to.number, to.local, to.domain, sessions).encode(env)
    };
    match next {
        Next::Portion(portion) => {
            let portion: Vec<Term<'a>> = portion.into_iter().map(recipient).collect();
            (atoms::portion(), portion).encode(env)
        }
        Next::Recheck => atoms::recheck().encode(env),
        Next::Done => atoms::done().encode(env),
    }
}

#[derive(NifUnitEnum)]
pub enum OrderTerm {
    OldestFirst,
    NewestFirst,
}

/// `first_page | last_page | {'after', Cursor} | {before, Cursor} | {index, I}`
#[derive(NifTaggedEnum)]
pub enum AnchorTerm<'a> {
    FirstPage,
    LastPage,
    After(&'a str),
    Before(&'a str),
    Index(u64),
}

/// `{Order, Anchor, Limit}`
#[derive(NifTuple)]
pub struct RequestTerm<'a> {
    order: OrderTerm,
    anchor: AnchorTerm<'a>,
    limit: u32,
}

impl RequestTerm<'_> {
    /// `None` if the cursor is none of ours.
    pub fn as_core(&self) -> Option<Request> {
        let anchor = match self.anchor {
            AnchorTerm::FirstPage => Anchor::Start,
            AnchorTerm::LastPage => Anchor::End,
            AnchorTerm::After(cursor) => Anchor::After(Cursor::decode(cursor)?),
            AnchorTerm::Before(cursor) => Anchor::Before(Cursor::decode(cursor)?),
            AnchorTerm::Index(index) => Anchor::Index(usize::try_from(index).unwrap_or(usize::MAX)),
        };
        let order = match self.order {
            OrderTerm::OldestFirst => Order::OldestFirst,
            OrderTerm::NewestFirst => Order::NewestFirst,
        };
        Some(Request {
            order,
            anchor,
            limit: usize::try_from(self.limit).unwrap_or(usize::MAX),
        })
    }
}

/// The `Reason` of an `{error, Reason}`.
pub enum Failure {
    NoAuthor,
    BadCursor,
    NotLoaded(Vec<BareJid>),
    RosterNotLoaded,
    Refused(Refusal),
}

impl Encoder for Failure {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        let atom: Atom = match self {
            Self::NoAuthor => atoms::no_author(),
            Self::BadCursor => atoms::bad_cursor(),
            Self::RosterNotLoaded => atoms::not_loaded(),
            Self::NotLoaded(authors) => {
                let authors: Vec<&str> = authors.iter().map(BareJid::as_str).collect();
                return (atoms::not_loaded(), authors).encode(env);
            }
            Self::Refused(Refusal::NoItem) => atoms::no_item(),
            Self::Refused(Refusal::ManyItems) => atoms::many_items(),
            Self::Refused(Refusal::NoPayload) => atoms::no_payload(),
            Self::Refused(Refusal::ManyPayloads) => atoms::many_payloads(),
            Self::Refused(Refusal::TooBig(max)) => return (atoms::too_big(), max).encode(env),
            Self::Refused(Refusal::TooDeep) => atoms::too_deep(),
            Self::Refused(Refusal::NotXml) => atoms::not_xml(),
            Self::Refused(Refusal::LongId) => atoms::long_id(),
        };
        atom.encode(env)
    }
}

/// `taken | stale`
pub fn taken(offer: Offer) -> Atom {
    match offer {
        Offer::Taken => atoms::taken(),
        Offer::Stale => atoms::stale(),
    }
}
