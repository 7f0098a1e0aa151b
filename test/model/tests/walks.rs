//! What walks are worth: they come by everything that they are about.
// A panic in a test is a failed test, and nothing here comes near an overflow.
#![allow(clippy::panic, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;

use twitter_model::model::{jid, Model};
use twitter_model::op::{Kind, Op, Session, Subscription, PEOPLE};
use twitter_model::term::{tagged, Term, ToTerm as _};
use twitter_model::walk::{Walk, CATCH_UP};

const STEPS: usize = 2500;

#[test]
fn the_same_seed_leads_to_the_same_walk() {
    let (mut one, mut other) = (Walk::new(7), Walk::new(7));
    for _ in 0..200 {
        assert_eq!(one.step().to_term(), other.step().to_term());
    }
    assert_ne!(Walk::new(8).step().op, Walk::new(7).step().op);
}

/// Every kind of op, alone or within another; and the states in which a mistake would show.
#[test]
fn a_walk_comes_by_everything() {
    fn count(op: &Op, ops: &mut BTreeMap<String, usize>) {
        let name = format!("{op:?}");
        let name = name.split([' ', '(']).next().unwrap_or_default();
        *ops.entry(name.to_owned()).or_default() += 1;
        if let Op::Burst(parts) | Op::Several(parts) | Op::Restart(_, parts) = op {
            parts.iter().for_each(|part| count(part, ops));
        }
    }
    let mut walk = Walk::new(1);
    let (mut ops, mut seen) = (BTreeMap::new(), BTreeMap::new());
    let mut see = |what, is_there| *seen.entry(what).or_insert(0) += usize::from(is_there);
    let (mut online, mut delivered) = (0, 0);
    for number in 0..STEPS {
        let step = walk.step();
        if number > 0 {
            count(&step.op, &mut ops);
        }
        online += step.streams.len();
        delivered += step.outcome.deliveries.len();
        let comes = matches!(step.op, Op::Login(..) | Op::Appear(_));
        see("caught up", comes && !step.outcome.deliveries.is_empty());
        see(
            "missed more",
            comes && step.outcome.deliveries.len() == CATCH_UP,
        );
        see("refused", step.outcome.answers.iter().any(Option::is_some));
        let Op::Publish(Session { who: author, .. }, ..) = step.op else {
            continue;
        };
        let model = &walk.model;
        let is_online = |who| {
            model
                .sessions
                .iter()
                .any(|(session, on)| session.who == who && *on)
        };
        let others = || {
            PEOPLE
                .into_iter()
                .filter(|who| *who != author && is_online(*who))
        };
        see(
            "blocks",
            others().any(|r| model.line(author, r).from && model.blocks.contains(&(r, author))),
        );
        see(
            "is blocked",
            others().any(|r| model.line(author, r).from && model.blocks.contains(&(author, r))),
        );
        see(
            "only he thinks so",
            others().any(|r| model.line(r, author).to && !model.line(author, r).from),
        );
        see(
            "only the author",
            others().any(|r| model.line(author, r).from && !model.line(r, author).to),
        );
        see("asks", others().any(|r| model.line(r, author).asks));
        see(
            "unavailable",
            model
                .sessions
                .iter()
                .any(|(s, on)| model.is_entitled(s.who, author) && !on),
        );
        see("full", model.my_stream(author).len() == model.max_posts);
    }
    assert_eq!(ops.len(), 23, "{ops:?}");
    assert!(seen.values().all(|times| *times > 10), "{seen:?}");
    assert!(online > 15 * STEPS, "{online} readers of all steps");
    assert!(delivered > 2 * STEPS, "{delivered} messages");
}

/// The handshake of RFC 6121, and its end from either side.
#[test]
fn subscriptions() {
    let people = ["ann", "ben"];
    let [ann, ben] = people.map(|who| Session {
        who,
        resource: "desk",
    });
    let both = |model: &Model| {
        let says = |one, other| (model.line(one, other).to, model.line(one, other).from);
        (says("ann", "ben"), says("ben", "ann"))
    };
    let befriended = [
        Op::Register("ann"),
        Op::Register("ben"),
        Op::Send(ann, "ben", Kind::Subscribe),
        Op::Send(ben, "ann", Kind::Subscribed),
    ];
    let ann_sees = ((true, false), (false, true));
    let nobody_sees = ((false, false), (false, false));
    for (then, expected) in [
        (vec![], ann_sees),
        (vec![Op::Send(ann, "ben", Kind::Unsubscribe)], nobody_sees),
        (vec![Op::Send(ben, "ann", Kind::Unsubscribed)], nobody_sees),
        (vec![Op::Remove(ben, "ann")], nobody_sees),
        (
            vec![Op::Unregister("ann"), Op::Register("ann")],
            nobody_sees,
        ),
        // Who blocks does not hear that the other has removed him.
        (
            vec![Op::Block(ann, "ben"), Op::Remove(ben, "ann")],
            ((true, false), (false, false)),
        ),
        // Nobody is told of what an admin writes.
        (
            vec![Op::Erase("ben", "ann")],
            ((true, false), (false, false)),
        ),
        (
            vec![Op::Set(
                "ben",
                "ann",
                Subscription {
                    to: true,
                    from: false,
                },
                "",
            )],
            ((true, false), (true, false)),
        ),
        (
            vec![
                Op::Send(ben, "ann", Kind::Subscribe),
                Op::Send(ann, "ben", Kind::Subscribed),
            ],
            ((true, true), (true, true)),
        ),
    ] {
        let mut model = Model::new(&people, 6, 2);
        befriended
            .iter()
            .chain(&then)
            .for_each(|op| drop(model.apply(op)));
        assert_eq!(both(&model), expected, "{then:?}");
    }
}

/// As `term_to_binary/1` writes it.
#[test]
fn terms() -> std::io::Result<()> {
    let mut bytes = vec![];
    let list = Term::List(vec![Term::Number(-2), Term::List(vec![])]);
    tagged("ok", [jid("é").to_term(), list]).write(&mut bytes)?;
    let text = b"m\0\0\0\x0c\xc3\xa9@localhost";
    let expected: Vec<u8> = [
        &b"\x83h\x03w\x02ok"[..],
        text,
        b"l\0\0\0\x02b\xff\xff\xff\xfejj",
    ]
    .concat();
    assert_eq!(bytes, expected);
    Ok(())
}
