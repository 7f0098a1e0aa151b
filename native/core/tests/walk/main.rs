//! The core beside the model of the contract (`test/model`), which drives the real server as well: what
//! people do is told to the core as the Erlang layer tells it, and after each op recipients and pages are
//! compared. proptest makes the ops fewer until one fewer would do no harm.
// A panic in a test is a failed test.
#![allow(clippy::panic)]

mod pages;
mod payloads;
mod push;
mod world;

use std::fmt;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use twitter_model::choose::{begin, choose};
use twitter_model::dice::Listed;
use twitter_model::op::Op;

use world::World;

/// Few, so that things happen to the same ones again.
const MAX_PEOPLE: usize = 6;

/// What happens, to how many people.
struct Plan {
    people: usize,
    ops: Vec<Op>,
}

/// One op a line.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} people", self.people)?;
        self.ops.iter().try_for_each(|op| writeln!(f, "{op:?}"))
    }
}

fn plan() -> impl Strategy<Value = Plan> {
    let first = prop::collection::vec(any::<u16>(), 0..40);
    let rolls = prop::collection::vec(prop::collection::vec(any::<u16>(), 0..8), 0..60);
    (2..=MAX_PEOPLE, first, rolls).prop_map(|(people, first, rolls)| {
        let mut model = World::new(people, 0).model;
        let op = begin(&model, &mut Listed(&first));
        model.apply(&op);
        let mut ops = vec![op];
        for rolls in rolls {
            let op = choose(&model, &mut Listed(&rolls));
            model.apply(&op);
            ops.push(op);
        }
        Plan { people, ops }
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn nobody_gets_what_is_not_his(
        plan in plan(),
        budget in prop_oneof![Just(usize::MAX), Just(2000), Just(0)],
    ) {
        let mut world = World::new(plan.people, budget);
        plan.ops.iter().for_each(|op| world.step(op));
    }
}
