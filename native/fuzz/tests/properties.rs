//! What the fuzz targets check, for their seeds and for random inputs.

use std::fs;
use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};
use proptest::prelude::*;
use twitter_fuzz::{cursor, path, payload, roster};

/// As a fuzzer would hand it over.
fn decoded<'a, T: Arbitrary<'a>>(bytes: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(bytes)).ok()
}

fn check(target: &str, bytes: &[u8]) {
    match target {
        "path" => decoded(bytes).into_iter().for_each(path::check),
        "cursor" => decoded(bytes).iter().for_each(cursor::Input::check),
        "payload" => decoded(bytes).iter().for_each(payload::Input::check),
        "roster" => decoded(bytes).iter().for_each(roster::Input::check),
        _ => unreachable!("{target}"),
    }
}

/// Each a file that once led somewhere.
#[test]
fn seeds() -> std::io::Result<()> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for target in ["path", "cursor", "payload", "roster"] {
        let mut count = 0;
        for seed in fs::read_dir(seeds.join(target))? {
            check(target, &fs::read(seed?.path())?);
            count += 1;
        }
        assert!(count > 0, "{target}");
    }
    Ok(())
}

/// Bytes among which there is often what the grammar of node ids and addresses is made of.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        3 => prop::sample::select(
            &["/twitter", "/MyStream", "/FriendsStream", "/MyFriends", "/", "!", "%21", "%25", "@", "\n"][..]
        ).prop_map(|word| word.as_bytes().to_vec()),
        1 => "\\PC{1,4}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4096,
        // What is found becomes a seed.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn paths(bytes in text()) {
        check("path", &bytes);
    }

    #[test]
    fn cursors(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check("cursor", &bytes);
    }

    #[test]
    fn payloads(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check("payload", &bytes);
    }

    #[test]
    fn rosters(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check("roster", &bytes);
    }
}
