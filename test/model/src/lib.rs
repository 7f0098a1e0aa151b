//! What a microblog owes to whom, written down a second time: as naive as possible, from the contract
//! and from the RFCs, with nothing of the plugin in it.
//!
//! | module | subject |
//! | --- | --- |
//! | [`op`] | what people, admins and accidents do |
//! | [`model`] | the world: accounts, sessions, rosters, blocks, posts |
//! | [`roster`] | subscriptions, as RFC 6121 and ejabberd have them |
//! | [`posts`] | publishing, and who is sent what |
//! | `missed` | who is sent what he missed when he comes online |
//! | [`pages`] | what a reader finds where |
//! | [`dice`] | random numbers, from a seed or from a list |
//! | [`choose`] | an op that makes sense now, by dice |
//! | [`walk`] | the steps of a walk, with all that is expected after each |
//! | [`term`] | values as Erlang reads them |
//! | `wire` | a step as such a value |
//!
//! Two tests drive it: `walk_SUITE` plays each op on a real server and compares, and
//! `native/core/tests/walk.rs` plays it on the core, where proptest makes the ops fewer until one more
//! would be too few.
#![forbid(unsafe_code)]

pub mod choose;
pub mod dice;
mod missed;
pub mod model;
pub mod op;
pub mod pages;
pub mod posts;
pub mod roster;
pub mod term;
pub mod walk;
mod wire;
