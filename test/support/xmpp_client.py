"""A slixmpp client that waits on events, for the demo and the tests from outside.

slixmpp does connecting, logging in, and parsing. What is sent is written as XML,
since what goes over the wire is what matters here; what is received is kept, in its
order, until somebody asks for it.

Works with slixmpp 1.8 (Debian 12) and later ones.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import xml.etree.ElementTree as ET
from typing import Callable, Optional
from xml.sax.saxutils import escape, quoteattr

# Says on import that its string preparation is slow; a handful of JIDs can wait.
logging.getLogger("slixmpp.stringprep").setLevel(logging.ERROR)

import slixmpp  # noqa: E402

from xml_text import compact  # noqa: E402

LOOPBACK = "127.0.0.1"
CLIENT = "jabber:client"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
PUBSUB = "http://jabber.org/protocol/pubsub"
PUBSUB_EVENT = "http://jabber.org/protocol/pubsub#event"

Match = Callable[[ET.Element], bool]
# Is called with "sent" or "received", and the XML.
Trace = Callable[[str, str], None]

# How long a step may take before it counts as failed, in seconds.
TIMEOUT = 10.0


class NotReceived(AssertionError):
    """What was expected did not come; the text says what came instead."""


class Refused(Exception):
    """The server answered with an error."""


def tag(name: str, namespace: str = CLIENT) -> str:
    """The name as ElementTree writes it."""
    return f"{{{namespace}}}{name}"


def is_stanza(name: str, sender: Optional[str] = None, **attributes: str) -> Match:
    """Matches stanzas by name, sender and attributes; `sender` may be a bare JID."""

    def match(stanza: ET.Element) -> bool:
        came_from = stanza.get("from", "")
        return (
            stanza.tag == tag(name)
            and sender in (None, came_from, came_from.split("/")[0])
            and all(stanza.get(key) == value for key, value in attributes.items())
        )

    return match


def is_event(node: str, service: Optional[str] = None) -> Match:
    """Matches pubsub events of one node."""

    def match(stanza: ET.Element) -> bool:
        items = stanza.find(f"{tag('event', PUBSUB_EVENT)}/{tag('items', PUBSUB_EVENT)}")
        return is_stanza("message", service)(stanza) and items is not None and items.get("node") == node

    return match


class Client(slixmpp.ClientXMPP):
    """One connection of one user."""

    def __init__(self, jid: str, password: str, trace: Optional[Trace] = None) -> None:
        super().__init__(
            jid,
            password,
            plugin_config={"feature_mechanisms": {"unencrypted_plain": True, "use_mech": "PLAIN"}},
        )
        self.trace = trace
        self.received: list[ET.Element] = []
        self._waiting: list[tuple[Match, asyncio.Future[ET.Element]]] = []
        self._ids = (f"q{number}" for number in itertools.count(1))

    async def login(self, port: int, *, available: bool = True) -> None:
        """Logs in on loopback; `available` sends the first presence as well."""
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def settle(event: str) -> Callable[[object], None]:
            return lambda _: None if outcome.done() else outcome.set_result(event)

        for event in ("session_start", "failed_all_auth", "connection_failed", "disconnected"):
            self.add_event_handler(event, settle(event), disposable=True)
        self._connect(port)
        result = await asyncio.wait_for(outcome, TIMEOUT)
        if result != "session_start":
            self.abort()
            raise Refused(f"{self.boundjid.bare} could not log in: {result}")
        if available:
            await self.request("get", None, "<query xmlns='jabber:iq:roster'/>")
            self.send_raw("<presence/>")
            await self.expect(is_stanza("presence", self.boundjid.full))

    def _connect(self, port: int) -> None:
        if "disable_starttls" in inspect.signature(self.connect).parameters:
            self.connect((LOOPBACK, port), disable_starttls=True, use_ssl=False)
        else:
            self.enable_plaintext = True
            self.enable_starttls = False
            self.enable_direct_tls = False
            self.connect(LOOPBACK, port)

    async def logout(self) -> None:
        """Closes the stream and returns when the connection is gone."""
        if self.is_connected():
            await self.disconnect(wait=1.0)

    # What passes over the wire

    def send_raw(self, data: str | bytes) -> None:
        """Sends text as it is; slixmpp's own stanzas come through here as well."""
        if self.trace is not None:
            self.trace("sent", data.decode() if isinstance(data, bytes) else data)
        super().send_raw(data)

    def incoming_filter(self, xml: ET.Element) -> ET.Element:
        """slixmpp shows each stanza here before it handles it."""
        if self.trace is not None:
            self.trace("received", compact(xml))
        for entry in self._waiting:
            match, future = entry
            if not future.done() and match(xml):
                future.set_result(xml)
                self._waiting.remove(entry)
                break
        else:
            self.received.append(xml)
        return xml

    async def expect(self, match: Match, what: str = "a stanza", timeout: float = TIMEOUT) -> ET.Element:
        """Takes the first received stanza that matches, and waits for it if need be."""
        for stanza in self.received:
            if match(stanza):
                self.received.remove(stanza)
                return stanza
        future: asyncio.Future[ET.Element] = asyncio.get_running_loop().create_future()
        entry = (match, future)
        self._waiting.append(entry)
        try:
            return await asyncio.wait_for(future, timeout)
        except asyncio.TimeoutError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            others = "\n".join(compact(one) for one in self.received)
            raise NotReceived(
                f"{self.boundjid.full} waited {timeout} s for {what}; unclaimed so far:\n{others}"
            ) from None

    async def request(self, kind: str, to: Optional[str], payload: str) -> ET.Element:
        """Sends an IQ and returns its result. Raises Refused with the server's error."""
        iq_id = next(self._ids)
        address = "" if to is None else f" to={quoteattr(to)}"
        self.send_raw(f"<iq type='{kind}' id='{iq_id}'{address}>{payload}</iq>")
        answer = await self.expect(
            lambda stanza: stanza.tag == tag("iq")
            and stanza.get("id") == iq_id
            and stanza.get("type") in ("result", "error"),
            f"the answer to {payload}",
        )
        if answer.get("type") == "error":
            raise Refused(compact(answer))
        return answer

    async def sync(self) -> list[ET.Element]:
        """Takes all that was received before the server's answer to a question."""
        await self.request("get", None, "<ping xmlns='urn:xmpp:ping'/>")
        received, self.received = self.received, []
        return received

    # Friends

    async def befriend(self, other: Client) -> None:
        """Both come to see each other's presence, as any two clients do it; slixmpp
        answers the requests."""
        me, you = self.boundjid.bare, other.boundjid.bare
        self.send_raw(f"<presence to={quoteattr(you)} type='subscribe'/>")
        await asyncio.gather(
            self.expect(_is_roster_push(you, "both"), f"{you} as a friend"),
            other.expect(_is_roster_push(me, "both"), f"{me} as a friend"),
        )

    async def name_contact(self, contact: str, name: str) -> None:
        """Gives a contact a name in the roster."""
        await self.request(
            "set",
            None,
            "<query xmlns='jabber:iq:roster'>"
            f"<item jid={quoteattr(contact)} name={quoteattr(name)}/></query>",
        )

    # Publish-subscribe

    async def publish(self, service: str, node: str, item: str) -> str:
        """Publishes the XML of one item and returns its id."""
        answer = await self.request(
            "set",
            service,
            f"<pubsub xmlns='{PUBSUB}'><publish node={quoteattr(node)}>{item}</publish></pubsub>",
        )
        item_element = answer.find(f".//{tag('item', PUBSUB)}")
        return "" if item_element is None else item_element.get("id", "")

    async def items(self, service: str, node: str, inside: str = "") -> list[ET.Element]:
        """The items of a node; `inside` goes into the request's <items/>."""
        answer = await self.request(
            "get", service, f"<pubsub xmlns='{PUBSUB}'><items node={quoteattr(node)}>{inside}</items></pubsub>"
        )
        return answer.findall(f".//{tag('item', PUBSUB)}")

    async def disco_items(self, service: str, node: Optional[str] = None) -> list[ET.Element]:
        """What a service browser shows below a node."""
        which = "" if node is None else f" node={quoteattr(node)}"
        answer = await self.request("get", service, f"<query xmlns='{DISCO_ITEMS}'{which}/>")
        return answer.findall(f".//{tag('item', DISCO_ITEMS)}")


def _is_roster_push(contact: str, subscription: str) -> Match:
    def match(stanza: ET.Element) -> bool:
        item = stanza.find(f"{tag('query', 'jabber:iq:roster')}/{tag('item', 'jabber:iq:roster')}")
        return (
            stanza.get("type") == "set"
            and item is not None
            and item.get("jid") == contact
            and item.get("subscription") == subscription
        )

    return match


async def register(port: int, user: str, host: str, password: str) -> None:
    """Makes an account by in-band registration (XEP-0077)."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
            f"version='1.0' to={quoteattr(host)}>"
            "<iq type='set' id='register'><query xmlns='jabber:iq:register'>"
            f"<username>{escape(user)}</username><password>{escape(password)}</password>"
            "</query></iq>".encode()
        )
        answer = await asyncio.wait_for(_first_iq(reader), TIMEOUT)
        if answer.get("type") != "result":
            raise Refused(compact(answer))
    finally:
        writer.close()


async def _first_iq(reader: asyncio.StreamReader) -> ET.Element:
    parser = ET.XMLPullParser(["end"])
    while data := await reader.read(4096):
        parser.feed(data)
        for _, element in parser.read_events():
            if isinstance(element, ET.Element) and element.tag == tag("iq"):
                return element
    raise Refused("the server closed the connection")
