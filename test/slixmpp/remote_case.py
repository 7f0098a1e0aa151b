"""The base of test_remote: people on another server, authors here whom they follow, and
all the ways of having no right to read an author."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from typing import Awaitable, Callable, Optional
from xml.sax.saxutils import quoteattr

from twitter_case import SERVICE, TwitterCase
from xml_text import compact, parse
from xmpp_client import DISCO_INFO, DISCO_ITEMS, PUBSUB, PUBSUB_EVENT, Client, Party
from xmpp_client import is_event, is_roster_push, is_stanza, tag
from xmpp_component import RemoteUser

MY_STREAM = "/twitter/MyStream"
FRIENDS_STREAM = "/twitter/FriendsStream"
MY_FRIENDS = "/twitter/MyFriends"
NOBODY = "nobody@localhost"
MARKER = "marker-"
PUBSUB_OWNER = f"{PUBSUB}#owner"
RSM = "http://jabber.org/protocol/rsm"
RELAY = "urn:ejabberd:twitter:relay:0"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"

# Brings an author and a reader into some relation, which is so when it returns.
Way = Callable[[Client, Party], Awaitable[None]]


async def do_nothing(author: Client, reader: Party) -> None:
    """They do not know each other."""


async def let_ask(author: Client, reader: Party) -> None:
    """The reader asks for a subscription; nobody has answered yet."""
    reader.send_stanza("presence", author.boundjid.bare, type="subscribe")
    await author.expect(is_stanza("presence", reader.boundjid.bare, type="subscribe"), "the request")


async def let_follow(author: Client, reader: Party) -> None:
    """The reader comes to see the author's presence."""
    await let_ask(author, reader)
    author.send_stanza("presence", reader.boundjid.bare, type="subscribed")
    await author.expect(is_roster_push(reader.boundjid.bare, "from"), "a follower")
    await reader.expect(is_stanza("presence", author.boundjid.bare, type="subscribed"), "the approval")


async def follow_back(author: Client, reader: Party, subscription: str = "to") -> None:
    """The author comes to see the reader's presence."""
    author.send_stanza("presence", reader.boundjid.bare, type="subscribe")
    await reader.expect(is_stanza("presence", author.boundjid.bare, type="subscribe"), "the request")
    reader.send_stanza("presence", author.boundjid.bare, type="subscribed")
    await author.expect(is_roster_push(reader.boundjid.bare, subscription), f"{subscription} in the roster")


async def claim(author: Client, reader: Party) -> None:
    """The reader approves what nobody asked him for."""
    reader.send_stanza("presence", author.boundjid.bare, type="subscribed")
    await reader.sync()


async def unsubscribe(author: Client, reader: Party) -> None:
    """The author takes the subscription back."""
    author.send_stanza("presence", reader.boundjid.bare, type="unsubscribed")
    await author.expect(is_roster_push(reader.boundjid.bare, "none"), "the end of the subscription")


async def give_up(author: Client, reader: Party) -> None:
    """The reader ends his subscription."""
    reader.send_stanza("presence", author.boundjid.bare, type="unsubscribe")
    await author.expect(is_roster_push(reader.boundjid.bare, "none"), "the end of the subscription")


async def remove(author: Client, reader: Party) -> None:
    """The author removes the contact."""
    item = f"<item jid={quoteattr(reader.boundjid.bare)} subscription='remove'/>"
    await author.request("set", None, f"<query xmlns='jabber:iq:roster'>{item}</query>")


async def block(author: Client, reader: Party) -> None:
    """The author blocks the reader (XEP-0191)."""
    await _block(author, "block", reader.boundjid.bare)


async def unblock(author: Client, reader: Party) -> None:
    """The author takes that back."""
    await _block(author, "unblock", reader.boundjid.bare)


async def block_domain(author: Client, reader: Party) -> None:
    """The author blocks everybody on the reader's server."""
    await _block(author, "block", reader.boundjid.domain)


async def _block(author: Client, what: str, jid: str) -> None:
    await author.request("set", None, f"<{what} xmlns='urn:xmpp:blocking'><item jid={quoteattr(jid)}/></{what}>")


# Who never was a follower, and who is none any more.
NEVER: tuple[Way, ...] = (do_nothing, let_ask, follow_back, claim)
LOST: tuple[Way, ...] = (unsubscribe, give_up, remove, block, block_domain)


def requests(node: str) -> list[tuple[str, str]]:
    """Everything that can be asked about a node: type and payload of each IQ."""
    at = f"node={quoteattr(node)}"
    return [
        *(("get", f"<query xmlns='{namespace}' {at}/>") for namespace in (DISCO_INFO, DISCO_ITEMS)),
        *(
            (kind, f"<pubsub xmlns='{PUBSUB}'>{inside}</pubsub>")
            for kind, inside in (
                ("get", f"<items {at}/>"),
                ("get", f"<items {at} max_items='1'/>"),
                ("get", f"<items {at}><item id='old'/></items>"),
                ("get", f"<items {at}/><set xmlns='{RSM}'><max>1</max><before/></set>"),
                ("get", f"<subscriptions {at}/>"),
                ("get", f"<affiliations {at}/>"),
                ("set", f"<subscribe {at} jid='JID'/>"),
                ("set", f"<unsubscribe {at} jid='JID'/>"),
                ("set", f"<publish {at}><item id='old'>Mine now</item></publish>"),
                ("set", f"<retract {at}><item id='old'/></retract>"),
                ("set", f"<create {at}/>"),
            )
        ),
        *(
            (kind, f"<pubsub xmlns='{PUBSUB_OWNER}'><{what} {at}/></pubsub>")
            for kind, what in (("set", "purge"), ("set", "delete"), ("get", "configure"), ("get", "affiliations"))
        ),
    ]


def posts(items: list[ET.Element]) -> list[tuple[Optional[str], Optional[str], Optional[str]]]:
    """Id, publisher and text of each."""
    return [(item.get("id"), item.get("publisher"), item.text) for item in items]


def rows(items: list[ET.Element]) -> list[tuple[Optional[str], Optional[str]]]:
    """Node and name of each row of a service browser."""
    return [(item.get("node"), item.get("name")) for item in items]


class RemoteCase(TwitterCase):
    """Has a foreign server."""

    async def asyncSetUp(self) -> None:
        """Comes first, so that it is there until all others have left."""
        self.remote = await self.foreign_server()
        self._markers = itertools.count(1)

    def reader(self, name: str = "eve") -> RemoteUser:
        """A new user of the foreign server."""
        return self.remote.user(name)

    async def author(self, name: str, *followers: RemoteUser) -> Client:
        """A new user here, online, whom these follow. Answers no request by himself."""
        author = await self.client(name)
        author.auto_authorize = None
        for follower in followers:
            await let_follow(author, follower)
        return author

    async def say(self, author: Client, item_id: str, text: str) -> None:
        """Publishes a post under this id."""
        await author.publish(SERVICE, MY_STREAM, f"<item id={quoteattr(item_id)}>{text}</item>")

    async def retract(self, author: Client, item_id: str) -> None:
        """Deletes a post."""
        inside = f"<retract node='{MY_STREAM}' notify='1'><item id={quoteattr(item_id)}/></retract>"
        await author.request("set", SERVICE, f"<pubsub xmlns='{PUBSUB}'>{inside}</pubsub>")

    async def messages(self, party: Party, author: Client, witness: Party) -> list[ET.Element]:
        """Every message that `party` has from before now. The witness, whose turn comes after
        that of `party`, gets the author's next post, hence everything before it has been sent;
        an answer that goes the same way says that it has arrived."""
        marker = f"{MARKER}{next(self._markers)}"
        await self.say(author, marker, "Until here")
        await witness.expect(lambda stanza: event_ids(stanza) == [marker], "the marker")
        received = [stanza for stanza in await party.sync() if stanza.tag == tag("message")]
        return [stanza for stanza in received if not is_marker(stanza)]

    async def assert_event(self, reader: RemoteUser, entry: str, body: Optional[str]) -> None:
        """The next message is an event of FriendsStream with this entry."""
        message = await reader.expect(is_stanza("message"), "an event")
        self.assertEqual(message.get("from"), SERVICE)
        self.assertEqual(message.get("to"), reader.boundjid.bare)
        self.assertEqual(message.get("type"), "headline")
        event = f"<event xmlns='{PUBSUB_EVENT}'><items node='{FRIENDS_STREAM}'>{entry}</items></event>"
        self.assertEqual(compact(message[0]), compact(parse(event)))
        # What servers tell each other beside the event.
        stamp, *others = message[1:]
        self.assertEqual(stamp.tag, tag("relayed", RELAY))
        self.assertEqual("published" in stamp.attrib, "<item" in entry)
        self.assertEqual([(child.tag, child.text) for child in others], [(tag("body"), body)] if body else [])

    def assert_error(self, answer: ET.Element, kind: str, condition: str, text: str) -> None:
        """The answer is this error, and nothing else."""
        self.assertEqual(answer.get("type"), "error", compact(answer))
        error = answer.find(tag("error"))
        assert error is not None
        self.assertEqual(error.get("type"), kind)
        inside = [(child.tag, child.text) for child in error]
        self.assertCountEqual(inside, [(tag(condition, STANZAS), None), (tag("text", STANZAS), text)])


def event_ids(stanza: ET.Element) -> list[Optional[str]]:
    """The ids of the posts that an event of FriendsStream brings."""
    if not is_event(FRIENDS_STREAM, SERVICE)(stanza):
        return []
    return [item.get("id") for item in stanza.iter(tag("item", PUBSUB_EVENT))]


def is_marker(stanza: ET.Element) -> bool:
    """Whether it is the post that says that all before it has come."""
    return any((item_id or "").startswith(MARKER) for item_id in event_ids(stanza))
