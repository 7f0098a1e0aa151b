//! The steps of a login. Each step waits for one text, then sends the next thing.

use base64::engine::general_purpose::STANDARD;
use base64::Engine;

use crate::command::Connect;
use crate::failure::Failure;
use crate::iqs::Inbox;

/// The resource that everybody binds.
pub const RESOURCE: &str = "bench";

/// How far a login is: what it waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The TCP connection.
    Connection,
    /// The features of the first stream.
    Mechanisms,
    /// The answer to the password.
    Success,
    /// The features of the second stream.
    Features,
    /// The answer to the resource.
    Bound,
    /// One's own presence, as the server sends it back.
    Presence,
    /// Nothing any more.
    Ready,
}

impl Step {
    /// The next step and what to send before it, if the inbox has what this step waits for.
    pub fn next(
        self,
        name: &str,
        connect: &Connect,
        inbox: &mut Inbox,
    ) -> Result<Option<(Self, String)>, Failure> {
        if inbox.has("<failure") || inbox.has("<stream:error") {
            return Err(Failure::new(format!("{name}: {}", inbox.text())));
        }
        let done = match self {
            Self::Connection => true,
            Self::Mechanisms | Self::Features => inbox.has("</stream:features>"),
            Self::Success => inbox.has("<success"),
            Self::Bound => inbox.has("id='bind'") && inbox.has("</iq>"),
            Self::Presence => inbox.has(&format!("from='{name}@{}/{RESOURCE}'", connect.host)),
            Self::Ready => false,
        };
        if !done {
            return Ok(None);
        }
        if self == Self::Bound && !inbox.has("<bind") {
            return Err(Failure::new(format!("{name}: {}", inbox.text())));
        }
        Ok(Some(match self {
            Self::Connection => (Self::Mechanisms, header(&connect.host)),
            Self::Mechanisms => (Self::Success, auth(name, &connect.password)),
            Self::Success => (Self::Features, header(&connect.host)),
            Self::Features => (Self::Bound, bind()),
            Self::Bound => (Self::Presence, connect.presence.clone()),
            Self::Presence | Self::Ready => (Self::Ready, String::new()),
        }))
    }
}

fn header(host: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:client' version='1.0' \
         xmlns:stream='http://etherx.jabber.org/streams' to='{host}'>"
    )
}

fn auth(name: &str, password: &str) -> String {
    let secret = STANDARD.encode(format!("\0{name}\0{password}"));
    format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
}

fn bind() -> String {
    format!(
        "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <resource>{RESOURCE}</resource></bind></iq>"
    )
}
