"""The heart of it, with a client library that knows nothing of the plugin: what one
person publishes reaches the friends, and nobody else."""

from __future__ import annotations

from twitter_case import SERVICE, TwitterCase
from xmpp_client import PUBSUB_EVENT, is_event, tag

TEXT = "Demoing my Twitter-like code"


class Smoke(TwitterCase):
    """The scenario of 2008."""

    async def test_a_post_reaches_a_friend(self) -> None:
        alice, bob = await self.friends("alice", "bob")
        item_id = await alice.publish(SERVICE, "/twitter/MyStream", f"<item>{TEXT}</item>")
        self.assertNotEqual(item_id, "")

        message = await bob.expect(is_event("/twitter/FriendsStream", SERVICE), "alice's post")
        self.assertEqual(message.get("type"), "headline")
        item = message.find(f".//{tag('item', PUBSUB_EVENT)}")
        assert item is not None
        self.assertEqual(item.text, TEXT)
        self.assertEqual(item.get("id"), item_id)
        self.assertEqual(item.get("publisher"), alice.boundjid.bare)
        self.assertEqual(message.findtext(tag("body")), f"{alice.boundjid.bare}: {TEXT}")

    async def test_a_friend_reads_what_was_published(self) -> None:
        alice, bob = await self.friends("alice", "bob")
        await alice.publish(SERVICE, "/twitter/MyStream", f"<item id='one'>{TEXT}</item>")
        for node in ("/twitter/FriendsStream", f"/twitter/MyFriends/{alice.boundjid.bare}"):
            with self.subTest(node=node):
                items = await bob.items(SERVICE, node)
                self.assertEqual([(item.get("id"), item.text) for item in items], [("one", TEXT)])

    async def test_a_post_does_not_reach_a_stranger(self) -> None:
        alice, bob = await self.friends("alice", "bob")
        carol = await self.client("carol")
        await carol.sync()
        await alice.publish(SERVICE, "/twitter/MyStream", f"<item>{TEXT}</item>")
        # The friend has it; so would the stranger.
        await bob.expect(is_event("/twitter/FriendsStream", SERVICE), "alice's post")
        events = [stanza for stanza in await carol.sync() if stanza.tag == tag("message")]
        self.assertEqual(events, [])
        self.assertEqual(await carol.items(SERVICE, "/twitter/FriendsStream"), [])
