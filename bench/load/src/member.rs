//! One connected user.

use std::io::{ErrorKind, Write};

use mio::net::TcpStream;

use crate::acks::Acks;
use crate::command::Role;
use crate::failure::Failure;
use crate::iqs::{Inbox, Iq};
use crate::login::Step;
use crate::spot::Spot;
use crate::tally::Tally;

/// A user: his connection, and what has come over it.
pub struct Member {
    /// The connection.
    pub stream: TcpStream,
    /// His account.
    pub name: String,
    /// What he is for.
    pub role: Role,
    /// How far his login is.
    pub step: Step,
    /// What has come, while it is read: always for a speaker, during the login for a follower.
    pub inbox: Inbox,
    /// Where the search for posts is.
    pub spot: Spot,
    /// Which posts he got.
    pub tally: Tally,
    /// Stream management, if he uses it.
    pub acks: Option<Acks>,
    outbox: Vec<u8>,
}

impl Member {
    /// A user whose connection is being made.
    pub fn new(stream: TcpStream, name: String, role: Role) -> Self {
        Self {
            stream,
            name,
            role,
            step: Step::Connection,
            inbox: Inbox::default(),
            spot: Spot::default(),
            tally: Tally::default(),
            acks: None,
            outbox: Vec::new(),
        }
    }

    /// Sends now what the socket takes, and the rest when it takes more.
    pub fn send(&mut self, text: &str) -> Result<(), Failure> {
        self.outbox.extend_from_slice(text.as_bytes());
        self.flush()
    }

    /// Sends what is left.
    pub fn flush(&mut self) -> Result<(), Failure> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(written) => {
                    self.outbox.drain(..written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::new(format!("{}: {error}", self.name))),
            }
        }
        Ok(())
    }

    /// Counts what has come, and answers the server, if he uses stream management.
    pub fn acknowledge(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self.acks.as_mut().and_then(|acks| acks.answer(bytes)) {
            Some(answer) => self.send(&answer),
            None => Ok(()),
        }
    }

    /// Answers the server's question for this client's features; other IQs are not for it.
    pub fn tell_features(&mut self, iq: &Iq, info: &str) -> Result<(), Failure> {
        if iq.kind != "get" || !iq.text.contains("disco#info") {
            return Ok(());
        }
        let node = crate::iqs::attribute(&iq.text, "node");
        let (to, id) = (&iq.from, &iq.id);
        self.send(&format!(
            "<iq type='result' to='{to}' id='{id}'>\
             <query xmlns='http://jabber.org/protocol/disco#info' node='{node}'>{info}</query></iq>"
        ))
    }
}
