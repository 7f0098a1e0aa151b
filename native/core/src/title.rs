//! Titles: any text as one short, clean line.

use unicode_segmentation::UnicodeSegmentation as _;

/// How long a title may become, in grapheme clusters, the ellipsis included.
pub const MAX_LENGTH: usize = 80;

/// How many code points one grapheme cluster of a title may have: enough for any script and for
/// family emoji, not for a tower of combining marks.
const MAX_CLUSTER: usize = 12;

/// The text as one line: white space collapsed; characters that show nothing or turn the line around
/// dropped; at most [`MAX_LENGTH`] grapheme clusters, the last one an ellipsis if there were more.
/// Cost: O(bytes).
///
/// ```
/// use twitter_core::title::one_line;
/// assert_eq!(one_line(" two\n\tlines "), "two lines");
/// assert_eq!(one_line(&"x".repeat(81)), format!("{}…", "x".repeat(79)));
/// ```
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut clean = String::new();
    for c in text.chars() {
        if c.is_whitespace() {
            if !clean.is_empty() && !clean.ends_with(' ') {
                clean.push(' ');
            }
        } else if !is_invisible(c) && (!is_joiner(c) || clean.ends_with(can_be_joined)) {
            clean.push(c);
        }
    }
    let clean = clean.trim_end();
    let mut clusters = clean.graphemes(true);
    let mut line = String::new();
    for cluster in clusters.by_ref().take(MAX_LENGTH.saturating_sub(1)) {
        line.extend(cluster.chars().take(MAX_CLUSTER));
    }
    match (clusters.next(), clusters.next()) {
        (None, _) => {}
        (Some(last), None) => line.extend(last.chars().take(MAX_CLUSTER)),
        (Some(_), Some(_)) => {
            line.truncate(line.trim_end().len());
            line.push('…');
        }
    }
    line
}

/// Control and format characters that show nothing, or turn the line around.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
        )
}

/// Zero-width (non-)joiners: part of some scripts and of emoji, but only between two characters.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn can_be_joined(c: char) -> bool {
    !c.is_whitespace() && !is_joiner(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn titles() {
        let long = "word ".repeat(40);
        let cut = format!("{}…", "word ".repeat(16).trim_end());
        for (text, title) in [
            ("  two\n\tlines\r\n", "two lines"),
            ("a\u{202e}b\u{200b}c\u{7}", "abc"),
            ("\u{200d}x\u{200d}\u{200d}y", "x\u{200d}y"),
            ("👨‍👩‍👧 family", "👨‍👩‍👧 family"),
            (&*long, &*cut),
            (&*"x".repeat(80), &*"x".repeat(80)),
            (&*"x".repeat(81), &*format!("{}…", "x".repeat(79))),
            (
                &*format!("e{}", "\u{301}".repeat(5000)),
                &*format!("e{}", "\u{301}".repeat(11)),
            ),
        ] {
            assert_eq!(one_line(text), title);
        }
    }

    proptest! {
        #[test]
        fn a_title_is_one_short_line(text in "(\\PC|[\\x00-\\x20\u{200b}-\u{200f}\u{300}-\u{320}]){0,200}") {
            let title = one_line(&text);
            prop_assert!(!title.contains(is_invisible));
            prop_assert!(!title.contains(|c: char| c.is_whitespace() && c != ' '));
            prop_assert!(!title.contains("  "));
            prop_assert!(title.graphemes(true).count() <= MAX_LENGTH.saturating_mul(2));
        }
    }
}
