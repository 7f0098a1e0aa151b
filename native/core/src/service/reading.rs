//! What is read of the index: pages, and posts by id, with their payloads.

use ahash::AHashSet;

use super::{Cached, NotLoaded, Service};
use crate::cache::StoredPayload;
use crate::jid::BareJid;
use crate::slots::{Asked, Hold, Snapshot, Version};
use crate::timeline::{Page, PostRef, Request, Timeline};
use crate::unread::Gap;

impl Service {
    /// One page of the merged streams of `authors`, and beside each post its payload. Of payloads it
    /// gives no more when `max_bytes` are reached, beginning with the post next to the anchor. Of streams
    /// that were heard it has what is for this reader, and nothing if there is none.
    ///
    /// # Errors
    /// [`NotLoaded`] names the streams to load first, into `hold`, which has the others then: the
    /// next try with the same hold finds all of them.
    pub fn page(
        &self,
        authors: &[BareJid],
        reader: Option<&str>,
        request: &Request,
        hold: &Hold,
        max_bytes: usize,
    ) -> Result<(Page, Vec<Cached>), NotLoaded> {
        let sources = self.sources(authors, reader, hold)?;
        let page = timeline(&sources).page(request);
        let payloads = if request.anchor.is_end() {
            let mut payloads = self.payloads(&sources, page.posts.iter().rev(), max_bytes);
            payloads.reverse();
            payloads
        } else {
            self.payloads(&sources, page.posts.iter(), max_bytes)
        };
        Ok((page, payloads))
    }

    /// All posts of `authors` that have one of these ids (see [`Timeline::find`]) and that the reader may see
    /// as of [`Service::page`], and beside each its payload. Of payloads it gives no more when `max_bytes` are
    /// reached.
    ///
    /// # Errors
    /// [`NotLoaded`], as of [`Service::page`].
    pub fn find(
        &self,
        authors: &[BareJid],
        reader: Option<&str>,
        ids: &[&str],
        hold: &Hold,
        max_bytes: usize,
    ) -> Result<(Vec<PostRef>, Vec<Cached>), NotLoaded> {
        let sources = self.sources(authors, reader, hold)?;
        let posts = timeline(&sources).find(ids);
        let payloads = self.payloads(&sources, posts.iter(), max_bytes);
        Ok((posts, payloads))
    }

    /// The newest posts of `authors` in these gaps (see [`Timeline::missed`]) that the reader may see as of
    /// [`Service::page`], beside each its payload, and how many there are. Of payloads it gives no more when
    /// `max_bytes` are reached.
    ///
    /// # Errors
    /// [`NotLoaded`], as of [`Service::page`].
    pub fn missed(
        &self,
        authors: &[BareJid],
        reader: Option<&str>,
        gaps: &[Gap],
        limit: usize,
        hold: &Hold,
        max_bytes: usize,
    ) -> Result<(Vec<PostRef>, Vec<Cached>, usize), NotLoaded> {
        let sources = self.sources(authors, reader, hold)?;
        let (posts, count) = timeline(&sources).missed(gaps, limit);
        let payloads = self.payloads(&sources, posts.iter(), max_bytes);
        Ok((posts, payloads, count))
    }

    /// The streams of these authors, each once, in an order in which they are found again.
    fn sources<'a>(
        &self,
        authors: &'a [BareJid],
        reader: Option<&str>,
        hold: &Hold,
    ) -> Result<Vec<Source<'a>>, NotLoaded> {
        let asked = self.slots.asked(authors);
        let mut sources = Vec::with_capacity(asked.len());
        let mut missing = AHashSet::new();
        for (asked, current) in asked.iter().zip(self.slots.snapshots(&asked)) {
            let is_current = current.is_some();
            if let Some(snapshot) = current.or_else(|| hold.get(asked.author)) {
                sources.push(Source {
                    asked: *asked,
                    snapshot,
                    is_current,
                });
            } else {
                missing.insert(asked.author);
            }
        }
        if missing.is_empty() {
            for source in &mut sources {
                source.snapshot.show_to(reader);
            }
            return Ok(sources);
        }
        for source in sources {
            hold.keep(source.asked.author, source.snapshot);
        }
        // Each once, and in the order asked for.
        let missing = authors
            .iter()
            .filter(|author| missing.remove(author.as_str()));
        Err(NotLoaded(missing.cloned().collect()))
    }

    fn payloads<'p>(
        &self,
        sources: &[Source<'_>],
        posts: impl Iterator<Item = &'p PostRef>,
        max_bytes: usize,
    ) -> Vec<Cached> {
        let mut bytes = 0usize;
        let cached = |post: &PostRef| {
            let asked = self.slots.asked_one(&post.author);
            let found = sources.binary_search_by(|source| source.asked.cmp(&asked));
            // Every post comes from one of the sources; and nothing has the version 0.
            let Some(source) = found.ok().and_then(|at| sources.get(at)) else {
                return Cached::Unread(Version(0));
            };
            let unread = Cached::Unread(source.snapshot.version);
            // What is only held may have changed since.
            if bytes >= max_bytes || !source.is_current {
                return unread;
            }
            let payload = self.cache.get(source.snapshot.incarnation, &post.id);
            // Of a post that was heard it may be of an edit since, which is not for this reader.
            let is_his = |_: &StoredPayload| {
                source.snapshot.heard.is_none()
                    || self.slots.is_still(&source.asked, source.snapshot.version)
            };
            match payload.filter(is_his) {
                Some(payload) => {
                    bytes = bytes.saturating_add(payload.len());
                    Cached::Payload(payload)
                }
                None => unread,
            }
        };
        posts.map(cached).collect()
    }
}

/// A stream that a page is made of.
struct Source<'a> {
    asked: Asked<'a>,
    /// With what the reader sees of it.
    snapshot: Snapshot,
    /// It is from the index, not from a hold.
    is_current: bool,
}

fn timeline<'a>(sources: &'a [Source<'_>]) -> Timeline<'a> {
    let streams = sources
        .iter()
        .map(|source| (source.asked.author, &*source.snapshot.stream));
    Timeline::new(streams.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audience::{bucket_of, Bucket};
    use crate::jid::InvalidJid;
    use crate::service::Offer;
    use crate::stream::{Micros, Place};

    /// A post is edited, for somebody else, between the two looks that a page takes.
    #[test]
    fn no_payload_of_an_edit_for_others() -> Result<(), InvalidJid> {
        let service = Service::new(1 << 20, 1 << 20);
        let authors = [BareJid::parse("alice@a")?];
        let [author] = &authors;
        let place = || Place {
            at: Micros(1),
            id: "1".into(),
        };
        let row = |reader: &str, row: &str| {
            let bucket = Bucket::decode(&format!("{reader} {row}\n"));
            [(bucket_of(reader), bucket)].into()
        };
        let hold = Hold::default();
        let version = service.version(author);
        assert_eq!(
            service.load_heard(author, version, vec![], row("bob@b", "1-1"), &hold),
            Offer::Taken
        );
        let put = |seq, payload: &[u8], rows| {
            let version = service.version(author);
            service.put_heard(author, version, (place(), seq), payload.into(), rows)
        };
        assert_eq!(put(1, b"for bob", row("bob@b", "1-1")), Offer::Taken);
        let sources = service.sources(&authors, Some("bob@b"), &hold);
        let sources = sources.unwrap_or_default();
        let post = PostRef {
            author: author.to_string(),
            id: "1".into(),
            at: Micros(1),
        };
        let payloads = || service.payloads(&sources, [&post].into_iter(), usize::MAX);
        assert_eq!(payloads(), [Cached::Payload(b"for bob"[..].into())]);
        assert_eq!(put(2, b"for eve", row("eve@b", "2-2")), Offer::Taken);
        assert!(matches!(payloads()[..], [Cached::Unread(_)]));
        Ok(())
    }
}
