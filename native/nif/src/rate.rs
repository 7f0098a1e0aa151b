//! How fast authors may post, as Erlang holds it.

use rustler::{Atom, Encoder, Env, Resource, ResourceArc, Term};
use twitter_core::rate::{Rate, Rates, TooFast};

use crate::aside::drop_aside;
use crate::term::{atoms, Jid};

struct RatesResource(Rates);

#[rustler::resource_impl]
impl Resource for RatesResource {
    const IMPLEMENTS_DESTRUCTOR: bool = true;

    fn destructor(self, _env: Env<'_>) {
        drop_aside(self.0);
    }
}

// An entry is one number, changed last of all: a panic cannot be seen half way.
impl std::panic::RefUnwindSafe for RatesResource {}

#[rustler::nif]
fn rates_new() -> ResourceArc<RatesResource> {
    ResourceArc::new(RatesResource(Rates::default()))
}

// Now and then it looks through all authors.
#[rustler::nif(schedule = "DirtyCpu")]
fn take_post(
    rates: ResourceArc<RatesResource>,
    author: Jid,
    burst: u32,
    refill: u32,
    now: u64,
) -> Result<Atom, Wait> {
    let taken = rates.0.take(&author.0, Rate { burst, refill }, now);
    taken.map(|()| atoms::taken()).map_err(Wait)
}

/// `{too_fast, Micros}`
struct Wait(TooFast);

impl Encoder for Wait {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        (atoms::too_fast(), self.0.wait).encode(env)
    }
}
