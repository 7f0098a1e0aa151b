//! What people wrote, as others see it: any text as one short, clean line; and as plain text behind the
//! address of its author.
//!
//! Nothing that an author writes may disturb what stands beside it, or pass for it: `Alice: ` before a row,
//! his address before a message. So no character of his turns the text around, none breaks a row, and no
//! mark gets on to what is before it. Scripts that run from right to left stay: without such characters
//! their order ends where they do.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::characters::{
    attaches, is_blank, is_embedding, is_hidden, is_joiner, is_selector, is_skin, is_tag, FLAG,
    LAST_TAG,
};

/// How long a title may become, in grapheme clusters, the ellipsis included.
pub const MAX_LENGTH: usize = 80;

/// How long a title may become, in bytes.
pub const MAX_BYTES: usize = 1024;

/// How many code points one grapheme cluster of a title may have: enough for any script, and for a
/// couple that kisses (ten, with the colors of both).
const MAX_CLUSTER: usize = 12;

/// How many marks may follow one another: pointed Hebrew has five on a letter.
const MAX_MARKS: usize = 5;

/// How far into a cluster one looks for code points that may stay.
const MAX_LOOK: usize = 48;

/// Tags of the flag of a region: two for the country, up to three for the region, the last.
const MIN_TAGS: usize = 4;
const MAX_TAGS: usize = 6;

const ELLIPSIS: char = '…';

/// The text as one line: white space collapsed; dropped is what shows nothing or turns the line around,
/// and marks without a letter; at most [`MAX_LENGTH`] grapheme clusters and [`MAX_BYTES`] bytes, the last
/// an ellipsis if there was more. Emoji and flags that consist of several code points stay whole.
/// Empty if the text shows nothing. Cost: O(bytes).
///
/// ```
/// use twitter_core::title::one_line;
/// assert_eq!(one_line(" two\n\tlines "), "two lines");
/// assert_eq!(one_line(&"x".repeat(81)), format!("{}…", "x".repeat(79)));
/// assert_eq!(one_line("no\u{202e} e\u{200b}vil"), "no evil");
/// ```
#[must_use]
pub fn one_line(text: &str) -> String {
    let visible = visible(text);
    let mut line = String::new();
    let mut length: usize = 0;
    // Where an ellipsis has room.
    let mut cut = 0;
    for cluster in visible.trim_end().graphemes(true) {
        let before = line.len();
        push_cluster(&mut line, cluster);
        // None, if it would be a second space; more than one, if marks held several together.
        let added = line.get(before..).unwrap_or_default();
        length = length.saturating_add(added.graphemes(true).count());
        if length > MAX_LENGTH || line.len() > MAX_BYTES {
            line.truncate(cut);
            line.truncate(shown(&line).len());
            line.push(ELLIPSIS);
            return line;
        }
        if length < MAX_LENGTH && line.len().saturating_add(ELLIPSIS.len_utf8()) <= MAX_BYTES {
            cut = line.len();
        }
    }
    line.truncate(shown(&line).len());
    line
}

/// Whether a person would see anything of it. Cost: O(bytes).
pub(crate) fn shows_something(text: &str) -> bool {
    !one_line(text).is_empty()
}

/// The text as a message after the address of its author: with its line breaks, but without control
/// characters and without those that turn text around, and beginning with something to see.
/// Cost: O(bytes).
///
/// ```
/// use twitter_core::title::plain;
/// assert_eq!(plain(" two\n\tlines\u{202e}\u{7} "), "two\n\tlines");
/// ```
#[must_use]
pub fn plain(text: &str) -> String {
    let stays = |c: char| !is_embedding(c) && (!c.is_control() || c.is_whitespace());
    let is_before = |c: char| is_hidden(c) || c.is_whitespace() || attaches(c) && !is_skin(c);
    text.trim_start_matches(is_before)
        .trim_end_matches(|c: char| !stays(c) || c.is_whitespace())
        .chars()
        .filter(|c| stays(*c))
        .collect()
}

/// What may be seen of a text, after a space on which marks are that belong to nothing: white space
/// collapsed; of joiners, selectors and tags those that may be part of something.
fn visible(text: &str) -> String {
    let mut visible = String::from(' ');
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let before = visible.chars().next_back().unwrap_or(' ');
        if is_blank(c) {
            visible.truncate(shown(&visible).len());
            visible.push(' ');
        } else if is_joiner(c) {
            if !before.is_ascii() && !is_joiner(before) {
                visible.push(c);
            }
        } else if is_selector(c) {
            if is_written_with_selector(before) {
                visible.push(c);
            }
        } else if !is_hidden(c) && !is_tag(c) {
            if c.is_ascii() && is_joiner(before) {
                visible.pop();
            }
            visible.push(c);
            if c == FLAG {
                if let Some(tags) = flag_tags(rest.as_str()) {
                    visible.push_str(tags);
                }
            }
        }
    }
    visible
}

/// Without spaces and joiners at the end.
fn shown(text: &str) -> &str {
    text.trim_end_matches(|c| c == ' ' || is_joiner(c))
}

fn is_written_with_selector(c: char) -> bool {
    match c {
        '0'..='9' | '#' | '*' => true,
        _ => !c.is_ascii() && !is_joiner(c) && !is_selector(c),
    }
}

/// The tags with which a text begins, if after a flag they say which.
fn flag_tags(text: &str) -> Option<&str> {
    let end = text.find(|c| !is_tag(c) || c == LAST_TAG)?;
    let tags = text.get(..end.saturating_add(LAST_TAG.len_utf8()))?;
    let count = tags.chars().count();
    (tags.ends_with(LAST_TAG) && (MIN_TAGS..=MAX_TAGS).contains(&count)).then_some(tags)
}

/// Adds what a title keeps of a grapheme cluster.
fn push_cluster(line: &mut String, cluster: &str) {
    let (mut kept, mut marks): (usize, usize) = (0, 0);
    for (position, c) in cluster.chars().take(MAX_LOOK).enumerate() {
        if kept == MAX_CLUSTER {
            break;
        }
        let has_no_base = line.is_empty() || line.ends_with(' ');
        let stays = if c == ' ' {
            !has_no_base
        } else if position == 0 || is_tag(c) || !attaches(c) {
            marks = 0;
            true
        } else {
            marks = marks.saturating_add(1);
            marks <= MAX_MARKS && (!has_no_base || is_skin(c))
        };
        if stays {
            line.push(c);
            kept = kept.saturating_add(1);
        }
    }
    if kept == MAX_CLUSTER {
        line.truncate(line.trim_end_matches(is_joiner).len());
    }
}

#[cfg(test)]
mod tests;
