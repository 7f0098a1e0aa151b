//! IQ stanzas in a stream of bytes, found without a parser: the server writes its attributes in
//! single quotes, and what it sends us has no IQ within an IQ.

use memchr::memmem::find;

/// An IQ stanza.
#[derive(Debug, PartialEq, Eq)]
pub struct Iq {
    /// Its `type`.
    pub kind: String,
    /// Its `id`.
    pub id: String,
    /// Its `from`; empty if it has none.
    pub from: String,
    /// All of it.
    pub text: String,
}

/// What has come and is not yet understood.
#[derive(Default)]
pub struct Inbox {
    bytes: Vec<u8>,
}

impl Inbox {
    /// Adds what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Whether this text has come.
    pub fn has(&self, text: &str) -> bool {
        find(&self.bytes, text.as_bytes()).is_some()
    }

    /// What has come, to show it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Takes the next whole IQ, and all that came before it.
    pub fn take_iq(&mut self) -> Option<Iq> {
        let Some(start) = find(&self.bytes, b"<iq ") else {
            // Its beginning may have come.
            let surplus = self.bytes.len().saturating_sub(3);
            self.bytes.drain(..surplus);
            return None;
        };
        self.bytes.drain(..start);
        let head = find(&self.bytes, b">")?.saturating_add(1);
        let tag = String::from_utf8_lossy(self.bytes.get(..head)?).into_owned();
        let end = if tag.ends_with("/>") {
            head
        } else {
            find(&self.bytes, b"</iq>")?.saturating_add(5)
        };
        let whole: Vec<u8> = self.bytes.drain(..end).collect();
        Some(Iq {
            kind: attribute(&tag, "type"),
            id: attribute(&tag, "id"),
            from: attribute(&tag, "from"),
            text: String::from_utf8_lossy(&whole).into_owned(),
        })
    }
}

/// The value of the first attribute of this name, empty if there is none.
pub fn attribute(text: &str, name: &str) -> String {
    text.split_once(&format!(" {name}='"))
        .and_then(|(_, rest)| rest.split_once('\''))
        .map(|(value, _)| value.to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Inbox;

    #[test]
    fn piece_by_piece() {
        let text = "<presence from='a'/><iq type='result' from='x' id='q1'/><message/>\
                    <iq id='q2' type='error'><error type='cancel'/></iq><iq";
        for size in 1..text.len() {
            let mut inbox = Inbox::default();
            let mut taken = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                inbox.push(piece);
                while let Some(iq) = inbox.take_iq() {
                    taken.push((iq.kind, iq.id, iq.from));
                }
            }
            let expected = [("result", "q1", "x"), ("error", "q2", "")];
            let expected = expected.map(|(kind, id, from)| (kind.into(), id.into(), from.into()));
            assert_eq!(taken, expected, "pieces of {size} bytes");
        }
    }
}
