//! The logic of a microblog whose friends are the contacts that already share their presence.
//!
//! This crate knows XMPP addresses, rosters and XML payloads, but neither Erlang nor ejabberd: no
//! clock, no randomness, no I/O. Time is an argument, in microseconds since the Unix epoch.
//! `twitter_nif` is the only crate that carries it into the BEAM.
//!
//! | module | subject |
//! | --- | --- |
//! | [`jid`] | bare addresses, checked once |
//! | [`path`] | the grammar of node ids, on the wire and in storage |
//! | [`lines`] | the lines of a roster, as the server gives them |
//! | [`friends`] | who sees whom, from a roster |
//! | [`post`] | what may be published, and what a person reads in it |
//! | `entry` | the words of an Atom entry |
//! | `prose`, `markup` | XHTML and HTML as plain text; HTML as tags and texts |
//! | `xml` | what can be said of XML without reading it as a tree |
//! | [`title`] | any text as one short line, or as plain text |
//! | `characters` | what nobody sees in a text, and what turns it around |
//! | [`stream`] | one author's posts in time order |
//! | [`cursor`] | the order of a timeline, and places in it |
//! | [`timeline`] | many streams merged, and pages of the list |
//! | [`audience`] | for whom the posts are that were heard of authors elsewhere |
//! | [`heard`] | what the index has of that |
//! | [`clock`] | where a post stands in time that comes from elsewhere |
//! | [`peer`] | other servers: who speaks for whom, when to try again |
//! | [`unread`] | what a reader has not read: gaps in time |
//! | [`online`] | who can be reached, and where |
//! | [`rosters`] | who may see whom, remembered while nothing changes |
//! | [`fanout`] | whom a post is sent to, portion by portion |
//! | `progress` | how far that has come, if somebody else has to go on |
//! | [`portions`] | long lists cut for several messages |
//! | [`rate`] | how fast an author may post |
//! | [`settings`] | what a reader wants to get, and from whom nothing for a while |
//! | [`dialog`] | what people do by commands: stages, forms, and the dialogs that are open |
//! | [`meter`] | how long things take |
//! | [`metrics`] | numbers about the service |
//! | [`report`] | what an admin takes out |
//! | [`service`] | one pubsub host: the index of all streams and the payloads of recent posts |
//! | [`cache`] | those payloads, within a budget |
//! | `slots` | the streams of all authors, under versions and within a budget |
//! | `lru`, `shards` | the maps of both: what was used longest ago, and a lock for each portion |
//! | `names` | addresses as numbers |
//! | `forgetful`, [`failpoints`] | what a panic leaves behind: nothing; and how that is tested |

pub mod audience;
pub mod cache;
mod characters;
pub mod clock;
pub mod cursor;
pub mod dialog;
mod entry;
pub mod failpoints;
pub mod fanout;
mod forgetful;
pub mod friends;
pub mod heard;
pub mod jid;
pub mod lines;
mod lru;
mod markup;
pub mod meter;
pub mod metrics;
mod names;
pub mod online;
pub mod path;
pub mod peer;
pub mod portions;
pub mod post;
mod progress;
mod prose;
pub mod rate;
pub mod report;
pub mod rosters;
pub mod service;
pub mod settings;
mod shards;
mod slots;
pub mod stream;
pub mod timeline;
pub mod title;
pub mod unread;
mod xml;
