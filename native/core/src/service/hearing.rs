//! Streams that were heard of authors on other servers: as others, but with each post goes for whom it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{held, taken, Offer, Service};
use crate::audience::{Bucket, Seq};
use crate::cache::StoredPayload;
use crate::failpoints::point;
use crate::heard::Heard;
use crate::jid::BareJid;
use crate::slots::{Hold, Version};
use crate::stream::Place;

impl Service {
    /// Offers all that was heard of an author, as [`Service::load`], and what each reader may see of it.
    /// Cost: O(n log n + rows).
    pub fn load_heard(
        &self,
        author: &BareJid,
        read_under: Version,
        posts: Vec<(Place, Seq)>,
        rows: BTreeMap<u8, Bucket>,
        hold: &Hold,
    ) -> Offer {
        let (stream, heard) = Heard::new(posts, rows);
        let (stream, heard) = (Arc::new(stream), Arc::new(heard));
        let loaded = self.slots.change(author, read_under, |slot| {
            if slot.heard.is_none() {
                slot.heard = Some(heard);
                point!();
                slot.stream = Some(stream);
            }
            slot.snapshot()
        });
        held(author, loaded.flatten(), hold)
    }

    /// Offers a post that was recorded, and the parts of the rows that changed with it. Cost: as for
    /// [`Service::put`], and O(rows in them).
    pub fn put_heard(
        &self,
        author: &BareJid,
        read_under: Version,
        (place, seq): (Place, Seq),
        payload: StoredPayload,
        changed: BTreeMap<u8, Bucket>,
    ) -> Offer {
        taken(self.slots.change(author, read_under, |slot| {
            slot.version = self.slots.new_version();
            point!();
            self.cache.put(slot.incarnation, &place.id, payload);
            point!();
            match (&mut slot.stream, &mut slot.heard) {
                (Some(stream), Some(heard)) => {
                    let heard = Arc::make_mut(heard);
                    // First who may see it.
                    heard.set(changed);
                    point!();
                    heard.put(Arc::make_mut(stream), place, seq);
                }
                // It is read again.
                _ => drop(slot.empty()),
            }
        }))
    }

    /// Offers parts of the rows of readers that changed. Cost: O(rows in them).
    pub fn set_heard(
        &self,
        author: &BareJid,
        read_under: Version,
        changed: BTreeMap<u8, Bucket>,
    ) -> Offer {
        taken(self.slots.change(author, read_under, |slot| {
            slot.version = self.slots.new_version();
            point!();
            if let Some(heard) = &mut slot.heard {
                Arc::make_mut(heard).set(changed);
            }
        }))
    }
}
