"""People on another server change nothing here: not by requests, which are refused with
the reason, and not by messages that look like the service's own."""

from __future__ import annotations

from typing import Optional

from remote_case import FRIENDS_STREAM, MY_FRIENDS, MY_STREAM, NOBODY, PUBSUB_OWNER
from remote_case import RemoteCase, event_ids, follow_back, let_follow, posts, unsubscribe
from twitter_case import SERVICE
from xml_text import compact
from xmpp_client import PUBSUB, PUBSUB_EVENT, Party, is_stanza, tag

ONLY_LOCAL = "Only users of localhost can publish here"
READ_ONLY = "This node is read only: publish to /twitter/MyStream"
AUTHORIZATION = "http://jabber.org/protocol/pubsub#subscribe_authorization"


def writes(node: str) -> list[str]:
    """The requests that would change a stream."""
    inside = (
        f"<publish node='{node}'><item id='one'>Forged</item></publish>",
        f"<publish node='{node}'><item><x xmlns='urn:x'/></item></publish>",
        f"<publish node='{node}'/>",
        f"<retract node='{node}'><item id='one'/></retract>",
    )
    payloads = [f"<pubsub xmlns='{PUBSUB}'>{one}</pubsub>" for one in inside]
    return [*payloads, f"<pubsub xmlns='{PUBSUB_OWNER}'><purge node='{node}'/></pubsub>"]


def event(author: str, entry: str = "item") -> str:
    """What the service sends when `author` has published, or retracted."""
    inside = f"<{entry} id='one' publisher='{author}'/>"
    return f"<event xmlns='{PUBSUB_EVENT}'><items node='{FRIENDS_STREAM}'>{inside}</items></event>"


def approval(node: str, subscriber: str) -> str:
    """What an owner sends to let somebody subscribe: XEP-0060, section 8.6."""
    values = {
        "FORM_TYPE": AUTHORIZATION,
        "pubsub#node": node,
        "pubsub#subscriber_jid": subscriber,
        "pubsub#allow": "true",
    }
    fields = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in values.items())
    return f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"


class Write(RemoteCase):
    """Requests."""

    async def test_publish_retract_and_purge_are_refused(self) -> None:
        eve = self.reader()
        alice = await self.author("alice", eve)
        await follow_back(alice, eve, "both")
        await self.say(alice, "one", "Hello")
        for payload in writes(MY_STREAM):
            with self.subTest(payload=payload):
                self.assert_error(await eve.ask("set", SERVICE, payload), "cancel", "not-allowed", ONLY_LOCAL)
        for node in (FRIENDS_STREAM, f"{MY_FRIENDS}/{alice.boundjid.bare}", "/twitter"):
            for payload in writes(node):
                with self.subTest(payload=payload):
                    self.assert_error(await eve.ask("set", SERVICE, payload), "auth", "forbidden", READ_ONLY)
        await self.assert_has_nothing(eve)
        self.assertEqual(await alice.items(SERVICE, f"{MY_FRIENDS}/{eve.boundjid.bare}"), [])
        self.assertEqual(await self.own_posts(alice), [("one", "Hello")])
        # Neither the follower's nor the author's clients heard of anything.
        await self.assert_event(eve, self.item(alice, "Hello"), f"{alice.boundjid.bare}: Hello")
        self.assertEqual(await self.messages(eve, alice, eve), [])
        self.assertEqual([one for one in await alice.sync() if one.tag == tag("message")], [])

    async def test_a_namesake_elsewhere_has_no_rights_of_the_author(self) -> None:
        alice, bob = await self.author("alice"), await self.client("bob")
        await let_follow(alice, bob)
        await self.say(alice, "one", "Hello")
        await self.say(alice, "two", "Hello again")
        eve = self.reader(alice.boundjid.user)
        await self.assert_has_nothing(eve)
        self.assertEqual(await eve.items(SERVICE, FRIENDS_STREAM), [])
        for payload in writes(MY_STREAM):
            with self.subTest(payload=payload):
                self.assert_error(await eve.ask("set", SERVICE, payload), "cancel", "not-allowed", ONLY_LOCAL)
        self.assertEqual(await self.own_posts(alice), [("one", "Hello"), ("two", "Hello again")])
        self.assertEqual(await self.messages(eve, alice, bob), [])

    async def test_subscribing_is_not_needed(self) -> None:
        eve = self.reader()
        alice = await self.author("alice", eve)
        bare, full = eve.boundjid.bare, eve.boundjid.full
        hers = f"{MY_FRIENDS}/{alice.boundjid.bare}"
        for node in (MY_STREAM, FRIENDS_STREAM, hers):
            for jid in (bare, full):
                with self.subTest(node=node, jid=jid):
                    inside = f"<subscribe node='{node}' jid='{jid}'/>"
                    answer = await eve.request("set", SERVICE, f"<pubsub xmlns='{PUBSUB}'>{inside}</pubsub>")
                    subscription = answer.find(f".//{tag('subscription', PUBSUB)}")
                    assert subscription is not None
                    expected = {"node": node, "jid": jid, "subscription": "subscribed"}
                    self.assertEqual({key: subscription.get(key) for key in expected}, expected)
        # It stored nothing: no list has it, and it gives no right later.
        answer = await eve.request("get", SERVICE, f"<pubsub xmlns='{PUBSUB}'><subscriptions/></pubsub>")
        self.assertEqual(list(answer.iter(tag("subscription", PUBSUB))), [])
        await self.say(alice, "one", "Hello")
        self.assertEqual([event_ids(one) for one in await self.messages(eve, alice, eve)], [["one"]])
        await unsubscribe(alice, eve)
        zoe = self.reader("zoe")
        await let_follow(alice, zoe)
        await self.say(alice, "two", "Without Eve")
        self.assertEqual(await self.messages(eve, alice, zoe), [])

    async def assert_has_nothing(self, reader: Party) -> None:
        """His own stream is empty."""
        self.assertEqual(await reader.items(SERVICE, MY_STREAM), [])
        self.assertEqual(await reader.disco_items(SERVICE, MY_STREAM), [])

    async def own_posts(self, author: Party) -> list[tuple[Optional[str], Optional[str]]]:
        """Id and text of each."""
        return [(item_id, text) for item_id, _, text in posts(await author.items(SERVICE, MY_STREAM))]

    def item(self, author: Party, text: str) -> str:
        """The post `one` as it is pushed."""
        return f"<item id='one' publisher='{author.boundjid.bare}'>{text}</item>"


class Forged(RemoteCase):
    """Messages."""

    async def test_an_event_to_a_user_changes_nothing(self) -> None:
        eve, foreign_service = self.reader(), self.reader("pubsub")
        alice, bob = await self.author("alice", eve), await self.client("bob")
        await let_follow(alice, bob)
        await self.say(alice, "one", "Hello")
        before = await self.all_streams(alice, bob)
        for sender in (eve, foreign_service):
            for author in (alice.boundjid.bare, bob.boundjid.bare, eve.boundjid.bare):
                for to in (bob.boundjid.bare, bob.boundjid.full):
                    for entry in ("item", "retract"):
                        sender.send_stanza("message", to, event(author, entry), type="headline")
            # A request that goes the same way is answered after them.
            await sender.disco_items(SERVICE, "/twitter")
        self.assertEqual(await self.all_streams(alice, bob), before)
        # What is not true is not even shown.
        self.assertEqual([event_ids(one) for one in await self.messages(bob, alice, bob)], [["one"]])

    async def test_a_message_to_the_service_changes_nothing(self) -> None:
        eve, mallory = self.reader("eve"), self.reader("mallory")
        alice, bob = await self.author("alice", eve), await self.client("bob")
        await let_follow(alice, bob)
        await self.say(alice, "one", "Hello")
        await eve.expect(is_stanza("message", SERVICE), "the post")
        await bob.expect(is_stanza("message", SERVICE), "the post")
        before = await self.all_streams(alice, bob)
        author = alice.boundjid.bare
        payloads = [event(author), event(author, "retract")]
        for node in (MY_STREAM, FRIENDS_STREAM, f"/twitter/{author}/MyStream"):
            payloads += [*writes(node), approval(node, mallory.boundjid.bare)]
        for sender in (eve, mallory):
            for kind in ("normal", "headline", "error"):
                for payload in payloads:
                    sender.send_stanza("message", SERVICE, payload, type=kind)
            # A request that goes the same way is answered after them.
            await sender.disco_items(SERVICE, "/twitter")
        self.assertEqual(await self.all_streams(alice, bob), before)
        self.assertEqual(await mallory.items(SERVICE, FRIENDS_STREAM), [])
        for reader in (bob, eve, mallory):
            heard = [one for one in await self.messages(reader, alice, bob) if one.get("type") != "error"]
            self.assertEqual([compact(one) for one in heard], [])

    async def test_an_approval_does_not_tell_who_has_posts(self) -> None:
        mallory = self.reader("mallory")
        alice = await self.author("alice")
        await self.say(alice, "one", "Hello")
        answers = []
        for author in (alice.boundjid.bare, NOBODY):
            form = approval(f"/twitter/{author}/MyStream", mallory.boundjid.bare)
            mallory.send_stanza("message", SERVICE, form)
            await mallory.disco_items(SERVICE, "/twitter")
            errors = [one.find(tag("error")) for one in mallory.take_all() if one.tag == tag("message")]
            answers.append([compact(error) for error in errors if error is not None])
        self.assertEqual(answers[0], answers[1])

    async def all_streams(self, author: Party, follower: Party) -> list[list[str]]:
        """Every post of theirs, wherever the two find it."""
        hers = f"{MY_FRIENDS}/{author.boundjid.bare}"
        places = ((author, MY_STREAM), (author, FRIENDS_STREAM), (follower, FRIENDS_STREAM), (follower, hers))
        return [[compact(item) for item in await one.items(SERVICE, node)] for one, node in places]
