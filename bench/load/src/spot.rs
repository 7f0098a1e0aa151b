//! Finding a word in a stream of bytes, also where two reads meet.

use memchr::memmem::Finder;

/// A word, and how many bytes behind it are wanted with it.
pub struct Word {
    finder: Finder<'static>,
    length: usize,
}

impl Word {
    /// The word, wanted with so many bytes behind it.
    pub fn new(word: &'static str, behind: usize) -> Self {
        Self {
            finder: Finder::new(word),
            length: word.len().saturating_add(behind),
        }
    }

    /// Calls `found` with each whole occurrence in `bytes` that begins before `end`.
    fn search(&self, bytes: &[u8], end: usize, found: &mut impl FnMut(&[u8])) {
        for start in self.finder.find_iter(bytes) {
            let whole = bytes.get(start..start.saturating_add(self.length));
            match whole {
                Some(whole) if start < end => found(whole),
                _ => return,
            }
        }
    }
}

/// How far one stream has been searched for one word: the end of what came before.
#[derive(Default)]
pub struct Spot {
    rest: Vec<u8>,
}

impl Spot {
    /// Searches what has come, and calls `found` with each occurrence. Cost: one pass.
    pub fn feed(&mut self, word: &Word, bytes: &[u8], mut found: impl FnMut(&[u8])) {
        let keep = word.length.saturating_sub(1);
        let begun = self.rest.len();
        if begun > 0 {
            // What began in the rest ends within so many bytes.
            let seam = bytes.get(..keep.min(bytes.len())).unwrap_or(bytes);
            self.rest.extend_from_slice(seam);
            word.search(&self.rest, begun, &mut found);
        }
        word.search(bytes, bytes.len(), &mut found);
        if bytes.len() >= keep {
            self.rest.clear();
            let from = bytes.len().saturating_sub(keep);
            self.rest
                .extend_from_slice(bytes.get(from..).unwrap_or(&[]));
        } else {
            if begun == 0 {
                self.rest.extend_from_slice(bytes);
            }
            let surplus = self.rest.len().saturating_sub(keep);
            self.rest.drain(..surplus);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Spot, Word};

    fn found(parts: &[&[u8]]) -> Vec<String> {
        let word = Word::new("post-", 2);
        let mut spot = Spot::default();
        let mut all = Vec::new();
        for part in parts {
            spot.feed(&word, part, |whole| {
                all.push(String::from_utf8_lossy(whole).into_owned());
            });
        }
        all
    }

    #[test]
    fn wherever_the_reads_meet() {
        let text = b"a post-01 postpost-02post-03";
        let expected = ["post-01", "post-02", "post-03"];
        assert_eq!(found(&[text]), expected);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(found(&bytes), expected);
        for size in 2..text.len() {
            let parts: Vec<&[u8]> = text.chunks(size).collect();
            assert_eq!(found(&parts), expected, "reads of {size} bytes");
        }
    }
}
