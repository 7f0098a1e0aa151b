"""Readers and followers on another server, which a component plays (XEP-0114): they have
no roster here, and what authors here let them see is all that they see."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Optional
from xml.sax.saxutils import quoteattr

from remote_case import FRIENDS_STREAM, LOST, MY_FRIENDS, MY_STREAM, NEVER, NOBODY, RSM
from remote_case import RemoteCase, block, block_domain, follow_back, let_follow, posts, requests, rows, unblock
from twitter_case import SERVICE
from xml_text import compact
from xmpp_client import DISCO_INFO, DISCO_ITEMS, PUBSUB, Party, is_stanza, tag
from xmpp_component import RemoteUser

TEXT = "Demoing my Twitter-like code"
# Ids, index, count, first and last cursor.
Page = tuple[list[Optional[str]], Optional[str], Optional[str], str, str]
ENTRY = "<entry xmlns='http://www.w3.org/2005/Atom'><title>Edited</title></entry>"


class Push(RemoteCase):
    """What reaches another server without being asked for."""

    async def test_a_follower_gets_posts_edits_and_retractions(self) -> None:
        for subscription in ("from", "both"):
            with self.subTest(subscription=subscription):
                eve = self.reader(f"eve-{subscription}")
                alice = await self.author("alice", eve)
                if subscription == "both":
                    await follow_back(alice, eve, "both")
                jid = alice.boundjid.bare
                item_id = await alice.publish(SERVICE, MY_STREAM, f"<item>{TEXT}</item>")
                self.assertNotEqual(item_id, "")
                post = f"id='{item_id}' publisher='{jid}'"
                await self.assert_event(eve, f"<item {post}>{TEXT}</item>", f"{jid}: {TEXT}")
                await alice.publish(SERVICE, MY_STREAM, f"<item id='{item_id}'>{ENTRY}</item>")
                await self.assert_event(eve, f"<item {post}>{ENTRY}</item>", f"{jid}: Edited")
                await self.retract(alice, item_id)
                await self.assert_event(eve, f"<retract {post}/>", None)
                # Each of them once.
                self.assertEqual(await self.messages(eve, alice, eve), [])

    async def test_nobody_else_gets_anything(self) -> None:
        for way in NEVER + LOST:
            with self.subTest(way=way.__name__):
                eve = self.reader(f"eve-{way.__name__}")
                # It is the last one's turn when everybody else of a server had his. Nobody's, if all are blocked.
                witness = await self.client("carol") if way is block_domain else self.reader(f"zoe-{way.__name__}")
                alice = await self.author("alice", *([eve] if way in LOST else []))
                await let_follow(alice, witness)
                await self.say(alice, "old", "Before")
                if way in LOST:
                    await eve.expect(is_stanza("message", SERVICE), "what he still may see")
                await way(alice, eve)
                await self.say(alice, "new", "After")
                await self.say(alice, "old", "Edited")
                await self.retract(alice, "old")
                self.assertEqual([compact(one) for one in await self.messages(eve, alice, witness)], [])

    async def test_others_of_the_same_server_still_get_it(self) -> None:
        eve, mallory, zoe = self.reader("eve"), self.reader("mallory"), self.reader("zoe")
        alice = await self.author("alice", eve, mallory, zoe)
        jid = alice.boundjid.bare
        await block(alice, mallory)
        await self.say(alice, "one", "For some")
        for reader in (eve, zoe):
            await self.assert_event(reader, f"<item id='one' publisher='{jid}'>For some</item>", f"{jid}: For some")
        self.assertEqual(await self.messages(mallory, alice, zoe), [])
        await unblock(alice, mallory)
        await self.say(alice, "two", "For all")
        await self.assert_event(mallory, f"<item id='two' publisher='{jid}'>For all</item>", f"{jid}: For all")


class Read(RemoteCase):
    """What somebody from another server finds in the tree."""

    async def test_the_tree(self) -> None:
        eve = self.reader()
        zoe, alice, carol = [await self.author(name, eve) for name in ("zoe", "alice", "carol")]
        stranger = await self.author("stranger")
        for author in (zoe, alice, carol, stranger):
            await self.say(author, "one", "Hello")
        expected = [(MY_STREAM, "MyStream"), (FRIENDS_STREAM, "FriendsStream"), (MY_FRIENDS, "MyFriends")]
        self.assertEqual(rows(await eve.disco_items(SERVICE, "/twitter")), expected)
        jids = sorted(author.boundjid.bare for author in (zoe, alice, carol))
        friends = await eve.disco_items(SERVICE, MY_FRIENDS)
        self.assertEqual(rows(friends), [(f"{MY_FRIENDS}/{jid}", jid) for jid in jids])
        self.assertEqual({row.get("jid") for row in friends}, {SERVICE})
        for node in ("/twitter", *(node or "" for node, _ in expected + rows(friends))):
            identity = (await self.info(eve, node)).find(f".//{tag('identity', DISCO_INFO)}")
            assert identity is not None
            kind = "collection" if node in ("/twitter", MY_FRIENDS) else "leaf"
            self.assertEqual(identity.attrib, {"category": "pubsub", "type": kind}, node)

    async def test_streams_and_single_posts(self) -> None:
        eve = self.reader()
        alice, bob = await self.author("alice", eve), await self.author("bob", eve)
        stranger = await self.author("stranger")
        for author, item_id in ((alice, "one"), (bob, "two"), (stranger, "three"), (alice, "four/5")):
            await self.say(author, item_id, f"Text {item_id}")
        one, two, four = (
            (item_id, author.boundjid.bare, f"Text {item_id}")
            for item_id, author in (("one", alice), ("two", bob), ("four/5", alice))
        )
        hers = f"{MY_FRIENDS}/{alice.boundjid.bare}"
        for stream, expected in ((hers, [one, four]), (FRIENDS_STREAM, [one, two, four])):
            self.assertEqual(posts(await eve.items(SERVICE, stream)), expected)
            by_id = await eve.items(SERVICE, stream, "<item id='one'/><item id='three'/>")
            self.assertEqual(posts(by_id), [one])
            prefix = stream == FRIENDS_STREAM
            self.assertEqual(
                rows(await eve.disco_items(SERVICE, stream)),
                [(f"{stream}/{i}", f"{who}: {text}" if prefix else text) for i, who, text in reversed(expected)],
            )
            for post in expected:
                node = f"{stream}/{post[0]}"
                self.assertEqual(posts(await eve.items(SERVICE, node)), [post])
                self.assertEqual(await eve.disco_items(SERVICE, node), [])
                self.assertIn(post[2], compact(await self.info(eve, node)))

    async def test_pages(self) -> None:
        eve = self.reader()
        authors = [await self.author("alice", eve), await self.author("bob", eve)]
        for number in range(5):
            await self.say(authors[number % 2], f"{number}", f"Post {number}")
        newest = await self.page(eve, "<before/>")
        self.assertEqual(newest[:3], (["3", "4"], "3", "5"))
        middle = await self.page(eve, f"<before>{newest[3]}</before>")
        self.assertEqual(middle[:3], (["1", "2"], "1", "5"))
        self.assertEqual((await self.page(eve, f"<before>{middle[3]}</before>"))[:3], (["0"], "0", "5"))
        self.assertEqual((await self.page(eve, f"<after>{middle[4]}</after>"))[:3], newest[:3])
        # The rows are the same, in pages of the other order.
        inside = f"<set xmlns='{RSM}'><max>2</max></set>"
        query = f"<query xmlns='{DISCO_ITEMS}' node='{FRIENDS_STREAM}'>{inside}</query>"
        nodes = [f"{FRIENDS_STREAM}/4", f"{FRIENDS_STREAM}/3"]
        answer = await eve.request("get", SERVICE, query)
        self.assertEqual([row.get("node") for row in answer.iter(tag("item", DISCO_ITEMS))], nodes)
        self.assertEqual(answer.findtext(f".//{tag('count', RSM)}"), "5")

    async def test_who_has_no_right_finds_what_he_finds_of_nobody(self) -> None:
        for way in NEVER + LOST:
            eve = self.reader(f"eve-{way.__name__}")
            alice = await self.author("alice", *([eve] if way in LOST else []))
            await self.say(alice, "old", "Before")
            jid = alice.boundjid.bare
            if way in LOST:
                # Read a moment ago, so that anything remembered would show.
                for node in (FRIENDS_STREAM, f"{MY_FRIENDS}/{jid}", f"{FRIENDS_STREAM}/old"):
                    self.assertEqual(posts(await eve.items(SERVICE, node)), [("old", jid, "Before")])
            await way(alice, eve)
            with self.subTest(way=way.__name__):
                self.assertEqual(await eve.items(SERVICE, FRIENDS_STREAM), [])
                self.assertEqual(await eve.disco_items(SERVICE, FRIENDS_STREAM), [])
                self.assertEqual(await eve.disco_items(SERVICE, MY_FRIENDS), [])
            hidden = (f"{MY_FRIENDS}/JID", f"{MY_FRIENDS}/JID/old", "/twitter/JID/MyStream")
            for node in (*hidden, f"{FRIENDS_STREAM}/old"):
                for kind, payload in requests(node):
                    with self.subTest(way=way.__name__, payload=payload):
                        found = await self.answer_about(eve, kind, payload, jid)
                        self.assertEqual(found, await self.answer_about(eve, kind, payload, NOBODY))
                        self.assertIn("<item-not-found", found)

    async def test_what_is_unblocked_is_there_again(self) -> None:
        eve = self.reader()
        alice = await self.author("alice", eve)
        await self.say(alice, "one", "Hello")
        await block(alice, eve)
        self.assertEqual(await eve.items(SERVICE, FRIENDS_STREAM), [])
        await unblock(alice, eve)
        self.assertEqual(posts(await eve.items(SERVICE, FRIENDS_STREAM)), [("one", alice.boundjid.bare, "Hello")])

    async def test_a_friend_who_has_said_nothing_has_an_empty_stream(self) -> None:
        eve = self.reader()
        alice = await self.author("alice", eve)
        node = f"{MY_FRIENDS}/{alice.boundjid.bare}"
        self.assertEqual(await eve.items(SERVICE, node), [])
        self.assertEqual(await eve.disco_items(SERVICE, node), [])
        await self.info(eve, node)

    async def test_a_friend_who_has_said_nothing_is_listed(self) -> None:
        eve = self.reader()
        jid = (await self.author("alice", eve)).boundjid.bare
        self.assertEqual(rows(await eve.disco_items(SERVICE, MY_FRIENDS)), [(f"{MY_FRIENDS}/{jid}", jid)])

    async def test_a_friend_elsewhere_is_listed_and_has_no_posts(self) -> None:
        eve = self.reader()
        bob = await self.author("bob")
        await follow_back(bob, eve)
        await bob.name_contact(eve.boundjid.bare, "Eve")
        node = f"{MY_FRIENDS}/{eve.boundjid.bare}"
        self.assertEqual(rows(await bob.disco_items(SERVICE, MY_FRIENDS)), [(node, "Eve")])
        self.assertEqual(await bob.disco_items(SERVICE, node), [])
        self.assertEqual(await bob.items(SERVICE, node), [])
        await block(bob, eve)
        self.assertEqual(await bob.disco_items(SERVICE, MY_FRIENDS), [])

    async def info(self, reader: Party, node: str) -> ET.Element:
        """What the service says of a node."""
        return await reader.request("get", SERVICE, f"<query xmlns='{DISCO_INFO}' node={quoteattr(node)}/>")

    async def page(self, reader: Party, which: str) -> Page:
        """A page of two posts of FriendsStream."""
        inside = f"<items node='{FRIENDS_STREAM}'/><set xmlns='{RSM}'><max>2</max>{which}</set>"
        answer = await reader.request("get", SERVICE, f"<pubsub xmlns='{PUBSUB}'>{inside}</pubsub>")
        ids = [item.get("id") for item in answer.iter(tag("item", PUBSUB))]
        first, last, count = (answer.find(f".//{tag(name, RSM)}") for name in ("first", "last", "count"))
        assert first is not None and last is not None and count is not None
        return ids, first.get("index"), count.text, first.text or "", last.text or ""

    async def answer_about(self, reader: RemoteUser, kind: str, payload: str, jid: str) -> str:
        """The answer to a question about JID, without what must differ from person to person."""
        # The post of nobody is one that there is not.
        asked = payload.replace(f"{FRIENDS_STREAM}/old", f"{FRIENDS_STREAM}/{jid}") if jid == NOBODY else payload
        asked = asked.replace("jid='JID'", f"jid='{reader.boundjid.bare}'").replace("JID", jid)
        answer = await reader.ask(kind, SERVICE, asked)
        del answer.attrib["id"]
        return compact(answer).replace(jid, "JID")
