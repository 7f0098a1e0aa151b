// The tests are short enough to be seen not to overflow.
#![allow(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn what_is_damaged_admits_nobody() {
    for (text, expected) in [
        ("bob@b 1-2\nnobody\ncarol@b 3-\n", "bob@b 1-2\ncarol@b 3-\n"),
        ("bob@b 0-2\n", ""),
        ("bob@b 2-1\n", ""),
        ("bob@b 1-2,2-3\n", ""),
        ("bob@b 1-,5-\n", ""),
        ("bob@b \n", ""),
        ("bob@b 1-99999999999\n", ""),
        ("bob@b -\n", ""),
    ] {
        assert_eq!(Bucket::decode(text).encode(), expected, "{text:?}");
    }
}

#[test]
fn a_damaged_state_gives_no_numbers() {
    for text in ["x", "0 -", "-1 -", "99999999999 -", "7"] {
        let state = State::decode(text);
        assert!(state.number(Kind::Single).is_err(), "{text:?}");
        assert!(state.number(Kind::Relay).is_err(), "{text:?}");
    }
    // Whatever stands there, only a dash says that nothing is open.
    for text in ["7 ?", "7 ", "7 - ", "7 a b"] {
        let state = State::decode(text);
        assert!(state.is_open() && state.digest().is_none(), "{text:?}");
    }
    let (state, _) = assume(&State::decode(""), &BTreeMap::new(), "-", &[]);
    assert!(State::decode(&state.to_string()).is_open());
}

#[test]
fn a_row_keeps_to_its_bound() {
    let mut row = Row::default();
    for seq in 0..5000 {
        row.admit(2 * seq + 1);
    }
    assert!(row.heap_bytes() < 20_000);
    assert!(row.sees(9999) && !row.sees(9998) && !row.sees(1));
}

/// What one may do to a heard stream.
#[derive(Debug, Clone)]
enum Op {
    /// A post, or an edit, for all of these.
    Relay(BTreeSet<u8>),
    /// For one.
    Single(u8),
    /// The newest post once more, for another one.
    Again(u8),
    Dismiss(u8),
    Seal,
    /// Nothing is kept but what is stored.
    Restart,
    /// The server is killed while an audience is written, after so many parts.
    Killed(BTreeSet<u8>, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let readers = || prop::collection::btree_set(0..6u8, 0..5);
    prop_oneof![
        4 => readers().prop_map(Op::Relay),
        3 => (0..6u8).prop_map(Op::Single),
        3 => (0..6u8).prop_map(Op::Again),
        1 => (0..6u8).prop_map(Op::Dismiss),
        1 => Just(Op::Seal),
        1 => Just(Op::Restart),
        1 => (readers(), 0..4usize).prop_map(|(readers, parts)| Op::Killed(readers, parts)),
    ]
}

fn not_numbered(wrong: Wrong) -> TestCaseError {
    TestCaseError::fail(format!("{wrong:?}"))
}

fn name(reader: u8) -> String {
    format!("r{reader}@b")
}

/// As the server stores it.
#[derive(Default)]
struct Stored {
    state: String,
    buckets: BTreeMap<u8, String>,
}

impl Stored {
    fn buckets(&self) -> BTreeMap<u8, Bucket> {
        let decode = |(number, text): (&u8, &String)| (*number, Bucket::decode(text));
        self.buckets.iter().map(decode).collect()
    }

    fn write(&mut self, state: &State, changed: BTreeMap<u8, Bucket>, parts: usize) {
        self.state = State::decode(&self.state).unsure().to_string();
        let whole = parts >= changed.len();
        for (number, bucket) in changed.into_iter().take(parts) {
            self.buckets.insert(number, bucket.encode());
        }
        if whole {
            self.state = state.to_string();
        }
    }

    fn assume(&mut self, readers: &BTreeSet<u8>, parts: usize) {
        let names: Vec<String> = readers.iter().map(|reader| name(*reader)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let digest = format!("d{}", readers.iter().map(u8::to_string).collect::<String>());
        let state = State::decode(&self.state);
        if state.digest() != Some(&digest) {
            let (state, changed) = assume(&state, &self.buckets(), &digest, &names);
            self.write(&state, changed, parts);
        }
    }

    fn seal(&mut self) {
        let state = State::decode(&self.state);
        if state.is_open() {
            let (state, changed) = seal(&state, &self.buckets());
            self.write(&state, changed, usize::MAX);
        }
    }

    fn number(&mut self, kind: Kind) -> Result<Seq, Wrong> {
        let (seq, state) = State::decode(&self.state).number(kind)?;
        self.state = state.to_string();
        Ok(seq)
    }

    fn change(&mut self, reader: u8, change: impl FnOnce(&mut Bucket, &str)) {
        let name = name(reader);
        let text = self.buckets.entry(bucket_of(&name)).or_default();
        let mut bucket = Bucket::decode(text);
        change(&mut bucket, &name);
        *text = bucket.encode();
    }

    fn sees(&self, reader: u8, seq: Seq) -> bool {
        let name = name(reader);
        let bucket = self.buckets.get(&bucket_of(&name));
        let bucket = bucket.map(|text| Bucket::decode(text));
        bucket.is_some_and(|bucket| bucket.row(&name).is_some_and(|row| row.sees(seq)))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Nobody sees what was not for him; and who was sent something, and lost nothing since, sees it.
    #[test]
    fn as_it_was_sent(ops in prop::collection::vec(op(), 0..40)) {
        let mut stored = Stored::default();
        // For whom each version was, and who has not lost it.
        let mut sent: BTreeMap<Seq, BTreeSet<u8>> = BTreeMap::new();
        let mut kept: BTreeMap<Seq, BTreeSet<u8>> = BTreeMap::new();
        for op in ops {
            match op {
                Op::Relay(readers) => {
                    stored.assume(&readers, usize::MAX);
                    let seq = stored.number(Kind::Relay).map_err(not_numbered)?;
                    for seen in kept.values_mut() {
                        seen.retain(|reader| readers.contains(reader));
                    }
                    prop_assert!(sent.insert(seq, readers.clone()).is_none());
                    kept.insert(seq, readers);
                }
                Op::Single(reader) => {
                    if State::decode(&stored.state).is_open() {
                        prop_assert_eq!(stored.number(Kind::Single), Err(Wrong::Open));
                        stored.seal();
                    }
                    let seq = stored.number(Kind::Single).map_err(not_numbered)?;
                    stored.change(reader, |bucket, name| bucket.admit(name, seq));
                    prop_assert!(sent.insert(seq, [reader].into()).is_none());
                    kept.insert(seq, [reader].into());
                }
                Op::Again(reader) => {
                    if let Some((&seq, readers)) = sent.iter_mut().next_back() {
                        stored.change(reader, |bucket, name| bucket.admit(name, seq));
                        readers.insert(reader);
                        kept.entry(seq).or_default().insert(reader);
                    }
                }
                Op::Dismiss(reader) => {
                    stored.change(reader, |bucket, name| bucket.dismiss(name));
                    for seen in kept.values_mut() {
                        seen.remove(&reader);
                    }
                    // Whoever has that name next is not in the audience that was told.
                    if let Some(digest) = State::decode(&stored.state).digest() {
                        prop_assert!(!digest.is_empty());
                        stored.state = State::decode(&stored.state).unsure().to_string();
                    }
                }
                Op::Seal => stored.seal(),
                Op::Restart => stored.state = State::decode(&stored.state).to_string(),
                Op::Killed(readers, parts) => {
                    stored.assume(&readers, parts);
                    for seen in kept.values_mut() {
                        seen.retain(|reader| readers.contains(reader));
                    }
                }
            }
            for (seq, readers) in &sent {
                for reader in 0..6u8 {
                    if stored.sees(reader, *seq) {
                        prop_assert!(readers.contains(&reader), "{reader} sees {seq}");
                    } else {
                        let lost = kept.get(seq).is_none_or(|kept| !kept.contains(&reader));
                        prop_assert!(lost, "{reader} does not see {seq}");
                    }
                }
            }
        }
    }

    #[test]
    fn whatever_is_stored_is_read(text in "([a-c]@b [0-9,-]{0,9}\n|\\PC{0,5}\n?){0,4}", state in "[0-9]{0,3} ?[a-f?-]{0,3}") {
        let bucket = Bucket::decode(&text);
        prop_assert_eq!(Bucket::decode(&bucket.encode()), bucket);
        let state = State::decode(&state);
        prop_assert_eq!(State::decode(&state.to_string()), state);
    }
}
