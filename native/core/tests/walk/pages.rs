//! What a reader finds where.

use twitter_core::friends::{Contact, Friend, Roster};
use twitter_core::jid::BareJid;
use twitter_core::service::{Cached, Hold, NotLoaded, Offer};
use twitter_core::timeline::{Anchor, Order, Page, PostRef, Request};
use twitter_model::model::{self, Post};
use twitter_model::op::{Who, IDS, PEOPLE};
use twitter_model::pages::Row;

use crate::payloads::{bytes, read};
use crate::world::{jid, place, World};

impl World {
    pub fn check_pages(&self) {
        for reader in self.model.accounts.iter().copied() {
            let friends = self.friends(reader);
            let rows = friends.iter().map(|friend| Row {
                name: friend.name.clone(),
                node: format!("/twitter/MyFriends/{}", friend.jid),
            });
            assert_eq!(rows.collect::<Vec<_>>(), self.model.my_friends(reader));
            let authors: Vec<BareJid> = friends.iter().map(|friend| friend.jid.clone()).collect();
            let stream = self.model.friends_stream(reader);
            self.check_stream(&authors, &stream);
            self.check_stream(&[jid(reader)], &self.model.my_stream(reader));
            self.check_posts(reader, &authors);
            self.check_rows(reader, &friends, &stream);
        }
    }

    fn friends(&self, reader: Who) -> Vec<Friend> {
        let name = jid(reader);
        let contacts = self.model.people.iter().map(|contact| Contact {
            jid: jid(contact),
            name: self.model.line(reader, contact).name.to_owned(),
            subscription: self.subscription(reader, contact),
        });
        let mut friends = Roster::new(&name, contacts).friends();
        let authors: Vec<BareJid> = friends.iter().map(|friend| friend.jid.clone()).collect();
        let mut known = self.rosters.sees_all(&name, &authors).into_iter();
        friends.retain(|friend| {
            let author = PEOPLE
                .into_iter()
                .find(|who| Some(*who) == friend.jid.local());
            let author = author.unwrap_or_else(|| panic!("{} is one of the people", friend.jid));
            let sees = known.next().flatten().unwrap_or_else(|| {
                let version = self.rosters.version(&friend.jid);
                let sees = self.model.line(author, reader).from;
                self.rosters.answer(&friend.jid, version, &name, sees);
                sees
            });
            sees && !self.model.is_blocked(reader, author)
        });
        friends
    }

    /// The whole stream, then the same in pages, the newest first.
    fn check_stream(&self, authors: &[BareJid], expected: &[Post]) {
        let key = |post: &Post| (model::jid(post.author), post.id.to_owned(), post.at);
        let found = |page: &Page| -> Vec<(String, String, u64)> {
            let key = |post: &PostRef| (post.author.clone(), post.id.to_string(), post.at.0);
            page.posts.iter().map(key).collect()
        };
        let expected: Vec<_> = expected.iter().map(key).collect();
        let whole = self.page(authors, Order::OldestFirst, Anchor::Start, usize::MAX);
        assert_eq!((whole.index, whole.count), (0, expected.len()));
        assert_eq!(found(&whole), expected);
        let (mut anchor, mut seen) = (Anchor::Start, vec![]);
        loop {
            let page = self.page(authors, Order::NewestFirst, anchor, 2);
            assert_eq!((page.index, page.count), (seen.len(), expected.len()));
            let Some(last) = page.posts.last() else { break };
            anchor = Anchor::After(last.cursor());
            seen.extend(found(&page));
        }
        seen.reverse();
        assert_eq!(seen, expected);
    }

    /// A page; the payloads that come with it must be those that the posts have now.
    fn page(&self, authors: &[BareJid], order: Order, anchor: Anchor, limit: usize) -> Page {
        let request = Request {
            order,
            anchor,
            limit,
        };
        let hold = Hold::default();
        let ask = || {
            self.service
                .page(authors, None, &request, &hold, usize::MAX)
        };
        let (page, payloads) = self.answered(ask, &hold);
        for (post, cached) in page.posts.iter().zip(payloads) {
            let is_it =
                |stored: &&Post| model::jid(stored.author) == post.author && post.id == stored.id;
            let stored = self.model.posts.iter().find(is_it);
            let stored = stored.unwrap_or_else(|| panic!("there is no {post:?}"));
            match cached {
                Cached::Payload(payload) => assert_eq!(payload, bytes(stored)),
                Cached::Unread(version) => {
                    let author = jid(stored.author);
                    self.service
                        .keep_payload(&author, version, &post.id, bytes(stored));
                }
            }
        }
        page
    }

    /// Loads what the service lacks: after one round it has its answer.
    fn answered<T>(&self, ask: impl Fn() -> Result<T, NotLoaded>, hold: &Hold) -> T {
        let missing = match ask() {
            Ok(answer) => return answer,
            Err(NotLoaded(missing)) => missing,
        };
        for author in missing {
            let posts = self
                .model
                .posts
                .iter()
                .filter(|post| jid(post.author) == author);
            let version = self.service.version(&author);
            let offer = self
                .service
                .load(&author, version, posts.map(place).collect(), hold);
            assert_eq!(offer, Offer::Taken);
        }
        ask().unwrap_or_else(|NotLoaded(missing)| panic!("{missing:?} were loaded"))
    }

    fn check_posts(&self, reader: Who, authors: &[BareJid]) {
        for id in IDS {
            let hold = Hold::default();
            let (found, _) = self.answered(
                || self.service.find(authors, None, &[id], &hold, usize::MAX),
                &hold,
            );
            let first = found.first().map(|post| (post.author.clone(), post.at.0));
            let expected = self.model.friends_post(reader, id);
            assert_eq!(
                first,
                expected.map(|post| (model::jid(post.author), post.at))
            );
        }
    }

    fn check_rows(&self, reader: Who, friends: &[Friend], stream: &[Post]) {
        let name = |author: Who| {
            let friend = friends.iter().find(|friend| friend.jid == jid(author));
            friend.map_or("", |friend| friend.name.as_str())
        };
        let rows = stream.iter().rev().map(|post| {
            let title = read(&post.payload, |payload| payload.title());
            format!("{}: {title}", name(post.author))
        });
        let expected = self.model.friends_rows(reader);
        assert_eq!(
            rows.collect::<Vec<_>>(),
            expected.into_iter().map(|row| row.name).collect::<Vec<_>>()
        );
    }
}
