//! What a reader finds where.

use crate::model::{jid, Model, Post};
use crate::op::Who;
use crate::posts::{FRIENDS, MINE};

/// So many rows a stream shows at once.
const ROWS: usize = 50;

/// A row of a service browser.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// What a person reads.
    pub name: String,
    /// Where it leads.
    pub node: String,
}

impl Model {
    /// MyFriends: one row for each friend, sorted by name, then by address.
    #[must_use]
    pub fn my_friends(&self, reader: Who) -> Vec<Row> {
        let friends = self
            .people
            .iter()
            .filter(|author| self.is_friend(reader, author));
        let mut rows: Vec<Row> = friends
            .map(|author| Row {
                name: self.name(reader, author),
                node: format!("/twitter/MyFriends/{}", jid(author)),
            })
            .collect();
        rows.sort();
        rows
    }

    /// The name that the reader gave, else the address.
    fn name(&self, reader: Who, author: Who) -> String {
        match self.line(reader, author).name.trim() {
            "" => jid(author),
            name => name.to_owned(),
        }
    }

    /// FriendsStream: the posts of all friends, oldest first.
    #[must_use]
    pub fn friends_stream(&self, reader: Who) -> Vec<Post> {
        let mut posts = self.posts.clone();
        posts.retain(|post| self.is_friend(reader, post.author));
        posts
    }

    /// MyStream: the author's own posts, oldest first.
    #[must_use]
    pub fn my_stream(&self, author: Who) -> Vec<Post> {
        let mut posts = self.posts.clone();
        posts.retain(|post| post.author == author);
        posts
    }

    /// MyFriends/JID: the posts of a friend; `None` if he is none, whether he exists or not.
    #[must_use]
    pub fn friend_stream(&self, reader: Who, author: Who) -> Option<Vec<Post>> {
        self.is_friend(reader, author)
            .then(|| self.my_stream(author))
    }

    /// FriendsStream/ID: of the posts that have the id, the newest one that the reader may see.
    #[must_use]
    pub fn friends_post(&self, reader: Who, id: &str) -> Option<Post> {
        self.friends_stream(reader)
            .into_iter()
            .rfind(|post| post.id == id)
    }

    /// The rows of FriendsStream: the newest posts, newest first, each after its author's name.
    #[must_use]
    pub fn friends_rows(&self, reader: Who) -> Vec<Row> {
        let row = |post: &Post| Row {
            name: format!(
                "{}: {}",
                self.name(reader, post.author),
                post.payload.text()
            ),
            node: format!("{FRIENDS}/{}", post.id),
        };
        self.friends_stream(reader)
            .iter()
            .rev()
            .take(ROWS)
            .map(row)
            .collect()
    }

    /// The rows of MyStream.
    #[must_use]
    pub fn my_rows(&self, author: Who) -> Vec<Row> {
        let row = |post: &Post| Row {
            name: post.payload.text(),
            node: format!("{MINE}/{}", post.id),
        };
        self.my_stream(author)
            .iter()
            .rev()
            .take(ROWS)
            .map(row)
            .collect()
    }
}
