//! Characters that a reader does not see, or that turn around what stands beside them.
//!
//! The lists are those of Unicode 16: `Default_Ignorable_Code_Point`, `Bidi_Control`, and what else shows
//! nothing. They change rarely, and a character that is missing here does no harm but to be kept.

use unicode_segmentation::UnicodeSegmentation as _;

/// Shows nothing, and a line of text is the same without it: control and format characters, fillers,
/// noncharacters. Joiners, selectors and tags show nothing either, but may be part of what does.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || is_embedding(c)
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e001f}' | '\u{e0080}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}'
        )
        || is_nonchar(c)
}

/// Begins or ends an embedding, an override or an isolate (UAX #9): what turns the text around it.
pub(crate) fn is_embedding(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Looks like a space: white space, and symbols that are blank.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

/// Zero-width (non-)joiners: part of some scripts and of emoji, between two characters.
pub(crate) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Chooses a form of the character before it.
pub(crate) fn is_selector(c: char) -> bool {
    matches!(
        c,
        '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}'
    )
}

/// The black flag on which the flags of regions are written, in [tags](is_tag).
pub(crate) const FLAG: char = '\u{1f3f4}';
/// The end of what is written in tags.
pub(crate) const LAST_TAG: char = '\u{e007f}';

/// Invisible letters and digits.
pub(crate) fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007f}')
}

/// The color of the person before it; alone, a patch of that color.
pub(crate) fn is_skin(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

/// Whether it is drawn on, or is otherwise one with, the character before it (UAX #29): marks above all.
pub(crate) fn attaches(c: char) -> bool {
    // No ASCII character does, nor does any of the Latin ones that follow.
    c >= '\u{300}' && {
        let mut bytes = [b'x'; 5];
        let (_, room) = bytes.split_at_mut(1);
        let length = c.encode_utf8(room).len().saturating_add(1);
        bytes
            .get(..length)
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .is_some_and(|pair| pair.graphemes(true).count() == 1)
    }
}

fn is_nonchar(c: char) -> bool {
    u32::from(c) & 0xfffe == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}')
}
