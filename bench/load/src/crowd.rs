//! All connections, and the one loop that reads them.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::command::Role;
use crate::failure::Failure;
use crate::member::Member;

/// Who is told of what happens on the connections.
pub trait Listener {
    /// The connection has been made.
    fn connected(&mut self, _member: &mut Member) -> Result<(), Failure> {
        Ok(())
    }

    /// Bytes have come.
    fn received(&mut self, member: &mut Member, bytes: &[u8]) -> Result<(), Failure>;
}

/// All users of one server.
pub struct Crowd {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    members: Vec<Member>,
    /// Posts get numbers that are used once in the life of this process.
    posts: u32,
}

impl Crowd {
    /// Nobody yet.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 65536],
            members: Vec::new(),
            posts: 0,
        })
    }

    /// Begins to connect a user.
    pub fn enter(&mut self, name: String, role: Role, port: u16) -> Result<(), Failure> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect(address)?;
        let token = Token(self.members.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut stream, token, interest)?;
        self.members.push(Member::new(stream, name, role));
        Ok(())
    }

    /// Everybody.
    pub fn members(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.iter_mut()
    }

    /// The followers.
    pub fn followers(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members().filter(|m| m.role == Role::Follower)
    }

    /// The user of this name.
    pub fn member(&mut self, name: &str) -> Result<&mut Member, Failure> {
        self.members()
            .find(|member| member.name == name)
            .ok_or_else(|| Failure::new(format!("{name} is not connected")))
    }

    /// Numbers for so many posts: the first one.
    pub fn number(&mut self, posts: u32) -> u32 {
        let first = self.posts;
        self.posts = first.saturating_add(posts);
        first
    }

    /// Waits until something happens, but no longer than `timeout`, and tells the listener. Returns
    /// how many bytes have come.
    pub fn pump(
        &mut self,
        listener: &mut impl Listener,
        timeout: Duration,
    ) -> Result<usize, Failure> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(0),
            other => other?,
        }
        let mut total = 0_usize;
        for event in &self.events {
            let Some(member) = self.members.get_mut(event.token().0) else {
                continue;
            };
            if event.is_writable() {
                if let Some(error) = member.stream.take_error()? {
                    return Err(Failure::new(format!("{}: {error}", member.name)));
                }
                listener.connected(member)?;
                member.flush()?;
            }
            if event.is_readable() {
                let closing = event.is_read_closed();
                let read = read(member, listener, &mut self.buffer, closing)?;
                total = total.saturating_add(read);
            }
        }
        Ok(total)
    }
}

/// Reads all that has come. A read that leaves room in the buffer was the last one, unless the
/// server has closed the connection.
fn read(
    member: &mut Member,
    listener: &mut impl Listener,
    buffer: &mut [u8],
    closing: bool,
) -> Result<usize, Failure> {
    let mut total = 0_usize;
    loop {
        match member.stream.read(buffer) {
            Ok(0) => {
                let text = format!("{}: the server closed the connection", member.name);
                return Err(Failure::new(text));
            }
            Ok(length) => {
                total = total.saturating_add(length);
                let bytes = buffer.get(..length).unwrap_or(&[]);
                listener.received(member, bytes)?;
                if length < buffer.len() && !closing {
                    return Ok(total);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(total),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::new(format!("{}: {error}", member.name))),
        }
    }
}
