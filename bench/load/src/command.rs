//! The commands, as they come in JSON.

use serde::Deserialize;

/// One line of input.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Command {
    /// Log users in.
    Connect(Connect),
    /// Let all followers use stream management (XEP-0198) from now on.
    Acknowledge,
    /// Return when nothing has come for so long.
    Settle {
        /// How long, in milliseconds.
        quiet_ms: u64,
    },
    /// Publish, and watch the posts arrive.
    Publish(Publish),
    /// Ask the same again and again.
    Request(Request),
    /// Ask many things.
    Read(Read),
}

/// Logs in `PREFIX00000` and so on, and returns when all of them are present and the server is quiet.
#[derive(Deserialize)]
pub struct Connect {
    /// The server's port on 127.0.0.1.
    pub port: u16,
    /// The virtual host.
    pub host: String,
    /// Everybody's password.
    pub password: String,
    /// What the names begin with.
    pub prefix: String,
    /// The first number.
    pub first: usize,
    /// How many.
    pub count: usize,
    /// What they do.
    pub role: Role,
    /// Their first presence.
    pub presence: String,
    /// What they answer when the server asks for their features: the content of the query.
    pub info: String,
    /// How many log in at the same time.
    pub in_flight: usize,
}

/// What a user is for.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sends requests and waits for answers.
    Speaker,
    /// Receives posts, which are counted.
    Follower,
}

/// Publishes a series of posts.
#[derive(Deserialize)]
pub struct Publish {
    /// Who publishes.
    pub user: String,
    /// The request. `{id}` is replaced with its id, `{post}` with the marker of the post, which
    /// must be in each delivery exactly once.
    pub iq: String,
    /// How many posts.
    pub posts: u32,
    /// How many deliveries of each are expected.
    pub expect: usize,
    /// All at once, or each after the last one has arrived everywhere.
    pub burst: bool,
    /// How long to wait for one post, or for the whole burst.
    pub timeout_ms: u64,
    /// How long to look for superfluous deliveries in the end.
    pub linger_ms: u64,
}

/// Sends a request, waits for its result, and does so again.
#[derive(Deserialize)]
pub struct Request {
    /// Who asks.
    pub user: String,
    /// The request, with `{id}`.
    pub iq: String,
    /// How often.
    pub times: usize,
    /// How long to wait for each.
    pub timeout_ms: u64,
}

/// Sends one request for each value, and waits for all results.
#[derive(Deserialize)]
pub struct Read {
    /// Who asks.
    pub user: String,
    /// The request, with `{id}` and `{value}`.
    pub iq: String,
    /// What to put in the place of `{value}`.
    pub values: Vec<String>,
    /// How many requests may be without an answer at the same time.
    pub in_flight: usize,
    /// How often to do all this.
    pub times: usize,
    /// How long to wait for all results.
    pub timeout_ms: u64,
}
