use super::*;
use proptest::prelude::*;

/// The English flag: a black flag, `gbeng` in tags.
const ENGLAND: &str = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";
/// A couple that kisses, the longest emoji there is.
const KISS: &str =
    "\u{1f469}\u{1f3fd}\u{200d}\u{2764}\u{fe0f}\u{200d}\u{1f48b}\u{200d}\u{1f468}\u{1f3fb}";

#[test]
fn lines() {
    for (text, title) in [
        ("  two\n\tlines\r\n", "two lines"),
        ("a\u{2028}b\u{2029}c\u{85}d\u{a0}\u{3000}e", "a b c d e"),
        (
            "braille\u{2800}blank, \u{3164}Hangul\u{ffa0}filler\u{115f}\u{1160}s",
            "braille blank, Hangul fillers",
        ),
        (
            "\u{feff}a\u{202e}b\u{200b}c\u{7}\u{2067}d\u{2069}\u{200f}\u{61c}e\u{ad}f",
            "abcdef",
        ),
        (
            "\u{fdd0}a\u{ffff}b\u{1fffe}c\u{e0001}d\u{fff9}e\u{34f}f",
            "abcdef",
        ),
        ("", ""),
        (" \u{200b}\u{fe0f}\u{200d}\u{e0067}\u{301}\u{3164}", ""),
    ] {
        assert_eq!(one_line(text), title, "{text:?}");
    }
}

#[test]
fn what_scripts_need_stays() {
    for text in [
        "שָׁלוֹם עולם, hello",
        "مرحبا بالعالم 123",
        "می\u{200c}خواهم",
        "क्\u{200d}ष हिन्दी",
        "각",
        "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}",
        "བསྒྲུབས",
        "Tiê\u{301}ng Viê\u{323}t",
        "葛\u{e0100}飾",
        "ᠮᠣᠩᠭᠣᠯ\u{180b}",
        "ไม่มีที่",
    ] {
        assert_eq!(one_line(text), text);
    }
}

#[test]
fn emoji_stay_whole() {
    for text in [
        "👨‍👩‍👧 family",
        KISS,
        "🇩🇪🇫🇷",
        ENGLAND,
        "❤️ 1️⃣ #️⃣ ☺︎ 🏳️‍🌈 🏴‍☠️",
        "👍🏽",
        "🏽",
    ] {
        assert_eq!(one_line(text), text);
    }
    for (whole, count) in [(KISS, 29), ("🇩🇪", 79), (ENGLAND, 36)] {
        let title = one_line(&whole.repeat(100));
        assert_eq!(title, format!("{}…", whole.repeat(count)));
        assert!(title.len() <= MAX_BYTES);
    }
}

#[test]
fn joiners_selectors_and_tags_of_nothing_go() {
    for (text, title) in [
        ("\u{200d}x\u{200d}\u{200d}y\u{200c} z\u{200d}", "xy z"),
        ("ä\u{200d}\u{200d}ö\u{200d}", "ä\u{200d}ö"),
        ("ä\u{200d} ö\u{200d}x", "ä öx"),
        (
            "a\u{fe0f}b\u{e0100}ä\u{fe0f}\u{fe0f}\u{e0101}",
            "abä\u{fe0f}",
        ),
        ("a\u{e0067}\u{e0062}\u{e007f}b", "ab"),
        // No end, too short, too long.
        ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}!", "🏴!"),
        ("🏴\u{e0067}\u{e007f}\u{e007f}!", "🏴!"),
        (
            "🏴\u{e0067}\u{e0067}\u{e0067}\u{e0067}\u{e0067}\u{e0067}\u{e007f}!",
            "🏴!",
        ),
    ] {
        assert_eq!(one_line(text), title, "{text:?}");
    }
}

#[test]
fn marks_stay_on_their_letters() {
    let many = "\u{301}".repeat(50_000);
    let five = "\u{301}".repeat(5);
    for (text, title) in [
        (format!("{many}lone"), "lone".to_owned()),
        (format!("a {many}b"), "a b".into()),
        (format!("a \u{200b}{many} {many} b"), "a b".into()),
        (format!("e{many}vil"), format!("e{five}vil")),
        (format!("\u{600} {many}x"), "\u{600} x".into()),
        (many, String::new()),
    ] {
        assert_eq!(one_line(&text), title);
    }
}

#[test]
fn long_texts_are_cut() {
    let words = "word ".repeat(40);
    for (text, title) in [
        (
            words.as_str(),
            format!("{}…", "word ".repeat(16).trim_end()),
        ),
        (&"x".repeat(80), "x".repeat(80)),
        (&format!("{}  \n", "x".repeat(80)), "x".repeat(80)),
        (&"x".repeat(81), format!("{}…", "x".repeat(79))),
        (&"x".repeat(100_000), format!("{}…", "x".repeat(79))),
        (
            &"👨‍".repeat(30_000),
            "👨‍".repeat(6).trim_end_matches('\u{200d}').into(),
        ),
        (&"\u{1100}".repeat(30_000), "\u{1100}".repeat(12)),
        (&"\u{202e}".repeat(30_000), String::new()),
        (
            &"\u{1f1e9}".repeat(30_000),
            format!("{}…", "\u{1f1e9}\u{1f1e9}".repeat(79)),
        ),
    ] {
        assert_eq!(one_line(text), title);
    }
}

#[test]
fn plain_texts() {
    let many = "\u{301}".repeat(50_000);
    for (text, plain_text) in [
        ("  two\r\n\tlines\n", "two\r\n\tlines"),
        (
            "\u{202e}\u{2067}evil\u{202c}\u{2069}\u{7}\u{9b}0m",
            "evil0m",
        ),
        ("שלום\u{200f}, 1\u{200e}2", "שלום\u{200f}, 1\u{200e}2"),
        (&format!(" \u{202b}{many}\u{feff} lone"), "lone"),
        ("🏽", "🏽"),
    ] {
        assert_eq!(plain(text), plain_text);
    }
}

/// Anything, much of it hostile.
fn texts() -> impl Strategy<Value = String> {
    "(\\PC|[\\x00-\\x20\u{ad}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}]|[\u{300}-\u{320}\u{fe00}-\u{fe0f}]|\
     [\u{1100}\u{1161}\u{11a8}\u{1f1e6}-\u{1f1ff}\u{1f3f4}\u{1f3fb}-\u{1f3ff}\u{2764}\u{1f468}]|\
     [\u{e0030}-\u{e007f}]|\u{200d}|a|\u{600}|\u{915}\u{94d}){0,120}"
}

proptest! {
    #[test]
    fn a_title_is_one_short_line(text in texts(), times in 1_usize..8) {
        let title = one_line(&text.repeat(times));
        prop_assert!(!title.contains(|c| is_hidden(c) || c != ' ' && is_blank(c)));
        prop_assert!(!title.contains("  "));
        prop_assert_eq!(title.trim(), &title);
        prop_assert!(title.graphemes(true).count() <= MAX_LENGTH);
        prop_assert!(title.len() <= MAX_BYTES);
        prop_assert!(!title.starts_with(|c| attaches(c) && !is_skin(c)));
    }

    #[test]
    fn a_clean_short_line_stays(words in proptest::collection::vec("[a-zäß漢字שלום€😀]{1,6}", 0..10)) {
        let line = words.join(" ");
        prop_assert_eq!(one_line(&line), line);
    }

    #[test]
    fn no_text_turns_around_what_is_before_it(text in texts()) {
        let plain = plain(&text);
        prop_assert!(!plain.contains(is_embedding));
        prop_assert!(!plain.contains(|c: char| c.is_control() && !c.is_whitespace()));
        prop_assert!(!plain.starts_with(|c| attaches(c) && !is_skin(c)));
        prop_assert_eq!(plain.trim(), &plain);
    }
}
