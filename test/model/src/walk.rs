//! The steps of a walk, with all that is expected after each. A seed leads to the same walk on every
//! machine, so a step is found again by seed and number.

use crate::choose::{begin, choose};
use crate::dice::{Dice, Seeded};
use crate::model::{Model, Outcome, Post};
use crate::op::{Op, Subscription, Who, IDS, PEOPLE};
use crate::pages::Row;

/// How many posts of one author the server keeps in a walk.
pub const MAX_POSTS: usize = 6;
/// How many posts somebody is sent who comes online.
pub const CATCH_UP: usize = 3;
/// So many people are looked at closely after a step.
const LOOKS: usize = 3;

/// An endless walk.
#[derive(Debug, Clone)]
pub struct Walk {
    /// The world after the last step.
    pub model: Model,
    dice: Seeded,
    steps: u32,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Counted from 0.
    pub number: u32,
    /// What happens.
    pub op: Op,
    /// What it leads to.
    pub outcome: Outcome,
    /// FriendsStream of everybody who has a session.
    pub streams: Vec<(Who, Vec<Post>)>,
    /// What some of them find elsewhere.
    pub looks: Vec<(Who, Look)>,
    /// What the rosters of those it was about say then.
    pub rosters: Vec<(Who, Vec<Contact>)>,
}

/// A place, and what a reader finds there; `None` where he is to be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// The rows of MyFriends.
    MyFriends(Vec<Row>),
    /// The stream of a friend, or of somebody who is none.
    Friend(Who, Option<Vec<Post>>),
    /// The own stream.
    MyStream(Vec<Post>),
    /// The rows of the own stream.
    MyRows(Vec<Row>),
    /// FriendsStream in pages of at most so many posts, from its end or from its beginning.
    Pages(i32, bool, Vec<Post>),
    /// The rows of FriendsStream.
    Rows(Vec<Row>),
    /// One post of FriendsStream by its id.
    Post(&'static str, Option<Post>),
}

/// A contact who sees or is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact(pub Who, pub Subscription);

impl Walk {
    /// Before the first step.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            model: Model::new(&PEOPLE, MAX_POSTS, CATCH_UP),
            dice: Seeded(seed),
            steps: 0,
        }
    }

    /// The next step.
    pub fn step(&mut self) -> Step {
        let op = match self.steps {
            0 => begin(&self.model, &mut self.dice),
            _ => choose(&self.model, &mut self.dice),
        };
        let outcome = self.model.apply(&op);
        let number = self.steps;
        self.steps = self.steps.saturating_add(1);
        let readers = self.readers();
        // The walk reads with their eyes.
        for who in &readers {
            self.model.has_read(who);
        }
        let stream = |who: &Who| (*who, self.model.friends_stream(who));
        Step {
            number,
            outcome,
            streams: readers.iter().map(stream).collect(),
            looks: self.looks(&op, &readers),
            rosters: self.rosters(&op),
            op,
        }
    }

    fn readers(&self) -> Vec<Who> {
        let mut readers: Vec<Who> = self
            .model
            .sessions
            .keys()
            .map(|session| session.who)
            .collect();
        readers.dedup();
        readers
    }

    fn looks(&mut self, op: &Op, readers: &[Who]) -> Vec<(Who, Look)> {
        let mut who: Vec<Who> = op.people();
        who.retain(|who| readers.contains(who));
        who.sort_unstable();
        who.dedup();
        who.truncate(LOOKS);
        who.extend(
            self.dice
                .pick(readers)
                .filter(|reader| !who.contains(reader)),
        );
        who.iter().flat_map(|who| self.looks_of(who)).collect()
    }

    fn looks_of(&mut self, who: Who) -> Vec<(Who, Look)> {
        let Self { model, dice, .. } = self;
        let mut of = |people: Vec<Who>| {
            let author = dice.pick(&people)?;
            Some(Look::Friend(author, model.friend_stream(who, author)))
        };
        let (friends, others): (Vec<Who>, Vec<Who>) = model
            .people
            .iter()
            .filter(|author| **author != who)
            .partition(|author| model.is_friend(who, author));
        let people = [of(friends), of(others)];
        let max = i32::try_from(dice.roll(40))
            .unwrap_or_default()
            .saturating_add(4);
        let id = dice.pick(&IDS).unwrap_or_default();
        let places = [
            Look::MyFriends(model.my_friends(who)),
            Look::MyStream(model.my_stream(who)),
            Look::MyRows(model.my_rows(who)),
            Look::Pages(max, dice.roll(2) == 0, model.friends_stream(who)),
            Look::Rows(model.friends_rows(who)),
            Look::Post(id, model.friends_post(who, id)),
        ];
        places
            .into_iter()
            .chain(people.into_iter().flatten())
            .map(|look| (who, look))
            .collect()
    }

    fn rosters(&self, op: &Op) -> Vec<(Who, Vec<Contact>)> {
        let mut who: Vec<Who> = op.people();
        who.sort_unstable();
        who.dedup();
        let contacts = |owner: Who| {
            let lines = self
                .model
                .people
                .iter()
                .map(|contact| (*contact, self.model.line(owner, contact)));
            let stands = lines.filter(|(_, line)| line.to || line.from);
            stands
                .map(|(contact, line)| {
                    Contact(
                        contact,
                        Subscription {
                            to: line.to,
                            from: line.from,
                        },
                    )
                })
                .collect()
        };
        who.into_iter()
            .map(|owner| (owner, contacts(owner)))
            .collect()
    }
}
