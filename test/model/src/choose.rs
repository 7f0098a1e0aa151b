//! An op that makes sense now, by dice.
//!
//! Low numbers choose what is simple, so that proptest, which makes numbers smaller, ends with simple
//! ops.

use crate::dice::Dice;
use crate::model::Model;
use crate::op::{
    Availability, Kind, Op, Part, Payload, Session, Subscription, Who, IDS, NAMES, PROCESSES,
    RESOURCES,
};

/// So many things happen at most while a part of the server stands still.
const MEANWHILE: usize = 4;
/// So many posts come at once, and one more.
const BURST: usize = 6;

/// What happens next.
pub fn choose(model: &Model, dice: &mut impl Dice) -> Op {
    match dice.roll(1000) {
        0..=319 => with_session(model, dice, publish),
        320..=389 => with_session(model, dice, retract),
        390..=419 => burst(model, dice),
        420..=429 => with_session(model, dice, |_, _, session| Op::Purge(session)),
        430..=699 => relation(model, dice),
        700..=804 => with_session(model, dice, block),
        805..=964 => session(model, dice),
        965..=979 => account(model, dice),
        980..=995 => restart(model, dice),
        _ => reboot(model, dice),
    }
}

/// The first of all ops: accounts, friends and sessions enough for a walk.
pub fn begin(model: &Model, dice: &mut impl Dice) -> Op {
    let mut ops: Vec<Op> = model.people.iter().map(|who| Op::Register(who)).collect();
    let all = Subscription {
        to: true,
        from: true,
    };
    for one in &model.people {
        for other in &model.people {
            if one < other && dice.roll(2) == 0 {
                ops.push(Op::Set(
                    one,
                    other,
                    all,
                    dice.pick(&NAMES).unwrap_or_default(),
                ));
                ops.push(Op::Set(
                    other,
                    one,
                    all,
                    dice.pick(&NAMES).unwrap_or_default(),
                ));
            }
        }
    }
    ops.extend(logins(&model.people, dice));
    Op::Several(ops)
}

/// Most of these people come, some of them twice.
fn logins(people: &[Who], dice: &mut impl Dice) -> Vec<Op> {
    let mut ops = vec![];
    for who in people.iter().copied() {
        for (resource, times) in RESOURCES.into_iter().zip([9, 3, 1]) {
            if dice.roll(10) < times {
                ops.push(Op::Login(Session { who, resource }, availability(dice)));
            }
        }
    }
    ops
}

fn availability(dice: &mut impl Dice) -> Availability {
    match dice.roll(10) {
        8 => Availability::Priority(-5),
        9 => Availability::None,
        _ => Availability::Priority(0),
    }
}

fn with_session<D: Dice>(
    model: &Model,
    dice: &mut D,
    choose: impl FnOnce(&Model, &mut D, Session) -> Op,
) -> Op {
    let sessions: Vec<Session> = model.sessions.keys().copied().collect();
    match dice.pick(&sessions) {
        Some(session) => choose(model, dice, session),
        None => login(model, dice),
    }
}

fn login(model: &Model, dice: &mut impl Dice) -> Op {
    match some_account(model, dice) {
        Some(who) => {
            let resource = dice.pick(&RESOURCES).unwrap_or_default();
            Op::Login(Session { who, resource }, availability(dice))
        }
        None => Op::Register(somebody(model, dice)),
    }
}

fn some_account(model: &Model, dice: &mut impl Dice) -> Option<Who> {
    let accounts: Vec<Who> = model.accounts.iter().copied().collect();
    dice.pick(&accounts)
}

fn somebody(model: &Model, dice: &mut impl Dice) -> Who {
    dice.pick(&model.people).unwrap_or_default()
}

fn somebody_else(model: &Model, dice: &mut impl Dice, than: Who) -> Who {
    let others: Vec<Who> = model
        .people
        .iter()
        .copied()
        .filter(|who| *who != than)
        .collect();
    dice.pick(&others).unwrap_or_default()
}

fn publish(_model: &Model, dice: &mut impl Dice, session: Session) -> Op {
    let id = dice.pick(&IDS).unwrap_or_default();
    let number = dice.roll(100_000);
    let text = match dice.roll(4) {
        3 => format!("5 < {number} & “ü” 'said' {}", session.who),
        _ => format!("{} says {number}", session.who),
    };
    let payload = match dice.roll(6) {
        4 => Payload::Entry(text),
        5 => Payload::Tune(session.who.to_owned(), text),
        _ => Payload::Text(text),
    };
    Op::Publish(session, id, payload)
}

fn retract(model: &Model, dice: &mut impl Dice, session: Session) -> Op {
    let mine = model.my_stream(session.who);
    let mine: Vec<&'static str> = mine.iter().map(|post| post.id).collect();
    let id = match dice.roll(8) {
        7 => dice.pick(&IDS),
        _ => dice.pick(&mine),
    };
    Op::Retract(session, id.unwrap_or("1"))
}

/// Several authors write before anything is sent.
fn burst(model: &Model, dice: &mut impl Dice) -> Op {
    let (mut then, mut ops) = (model.clone(), vec![]);
    for _ in 0..dice.roll(BURST).saturating_add(2) {
        let op = match dice.roll(4) {
            3 => with_session(&then, dice, retract),
            _ => with_session(&then, dice, publish),
        };
        then.apply(&op);
        ops.push(op);
    }
    Op::Burst(ops)
}

fn block(model: &Model, dice: &mut impl Dice, session: Session) -> Op {
    let blocked = model.blocks.iter().filter(|(who, _)| *who == session.who);
    let blocked: Vec<Who> = blocked.map(|(_, whom)| *whom).collect();
    match dice.roll(10) {
        0..=3 => Op::Block(session, somebody_else(model, dice, session.who)),
        9 => Op::UnblockAll(session),
        _ => match dice.pick(&blocked) {
            Some(whom) => Op::Unblock(session, whom),
            None => Op::Block(session, somebody_else(model, dice, session.who)),
        },
    }
}

/// A change of somebody's roster.
fn relation(model: &Model, dice: &mut impl Dice) -> Op {
    match dice.roll(10) {
        0..=5 => with_session(model, dice, by_client),
        _ => by_admin(model, dice),
    }
}

fn by_client(model: &Model, dice: &mut impl Dice, session: Session) -> Op {
    let whom = somebody_else(model, dice, session.who);
    let line = model.line(session.who, whom);
    let is_listed = line.to || line.from || line.asks;
    match dice.roll(10) {
        0..=4 if line.asked => Op::Send(session, whom, Kind::Subscribed),
        0..=3 if !line.to && !line.asks => Op::Send(session, whom, Kind::Subscribe),
        6 | 7 if is_listed => Op::Rename(session, whom, dice.pick(&NAMES).unwrap_or_default()),
        8 | 9 if is_listed => Op::Remove(session, whom),
        _ => {
            let kinds = [
                Kind::Subscribe,
                Kind::Subscribed,
                Kind::Unsubscribe,
                Kind::Unsubscribed,
            ];
            Op::Send(session, whom, dice.pick(&kinds).unwrap_or(Kind::Subscribe))
        }
    }
}

fn by_admin(model: &Model, dice: &mut impl Dice) -> Op {
    let Some(owner) = some_account(model, dice) else {
        return Op::Register(somebody(model, dice));
    };
    let contact = somebody_else(model, dice, owner);
    let (line, back) = (model.line(owner, contact), model.line(contact, owner));
    if line.is_pending() || back.is_pending() {
        return Op::Delete(owner, contact);
    }
    let name = dice.pick(&NAMES).unwrap_or_default();
    let both = Subscription {
        to: true,
        from: true,
    };
    let known = model.lines.contains_key(&(owner, contact));
    match dice.roll(10) {
        5 if known => Op::Delete(owner, contact),
        6 if known => Op::Erase(owner, contact),
        7..=9 => {
            let subscription = Subscription {
                to: dice.roll(2) == 0,
                from: dice.roll(2) == 0,
            };
            Op::Set(owner, contact, subscription, name)
        }
        _ if model.accounts.contains(contact) => Op::Several(vec![
            Op::Set(owner, contact, both, name),
            Op::Set(contact, owner, both, name),
        ]),
        _ => Op::Set(owner, contact, both, name),
    }
}

fn session(model: &Model, dice: &mut impl Dice) -> Op {
    match dice.roll(10) {
        0..=4 => login(model, dice),
        5 => with_session(model, dice, |_, _, session| Op::Hide(session)),
        6 | 7 => with_session(model, dice, |_, _, session| Op::Appear(session)),
        8 => with_session(model, dice, |_, _, session| Op::Logout(session)),
        _ => with_session(model, dice, |_, _, session| Op::Cut(session)),
    }
}

/// Of so many people some are always without an account, for a while.
fn account(model: &Model, dice: &mut impl Dice) -> Op {
    let gone: Vec<Who> = model
        .people
        .iter()
        .copied()
        .filter(|who| !model.accounts.contains(who))
        .collect();
    match (dice.roll(3), dice.pick(&gone), some_account(model, dice)) {
        (1 | 2, Some(who), _) | (_, Some(who), None) => Op::Register(who),
        (_, _, Some(who)) => Op::Unregister(who),
        (_, None, None) => Op::Register(somebody(model, dice)),
    }
}

fn restart(model: &Model, dice: &mut impl Dice) -> Op {
    let part = match dice.roll(8) {
        0..=2 => Part::Plugin,
        3 | 4 => Part::Pubsub,
        _ => Part::Process(dice.pick(&PROCESSES).unwrap_or_default()),
    };
    let (mut then, mut ops) = (model.clone(), vec![]);
    for _ in 0..dice.roll(MEANWHILE.saturating_add(1)) {
        let op = match (dice.roll(8), part) {
            (0..=3, _) => relation(&then, dice),
            (4 | 5, _) => with_session(&then, dice, block),
            (6, Part::Plugin) => account(&then, dice),
            _ => session(&then, dice),
        };
        let op = match (op, part) {
            // Which of several sessions is sent what was missed, when it is served again, is open.
            (Op::Login(..) | Op::Appear(_), Part::Plugin | Part::Pubsub) => relation(&then, dice),
            (op, _) => op,
        };
        then.apply(&op);
        ops.push(op);
    }
    Op::Restart(part, ops)
}

/// Nobody is online then, so most come back at once.
fn reboot(model: &Model, dice: &mut impl Dice) -> Op {
    let killed = dice.roll(2) == 0;
    let accounts: Vec<Who> = model.accounts.iter().copied().collect();
    let mut ops = vec![Op::Reboot { killed }];
    ops.extend(logins(&accounts, dice));
    Op::Several(ops)
}
