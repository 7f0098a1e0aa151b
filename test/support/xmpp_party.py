"""One who sends and receives stanzas, whatever connection they pass over: a client that
is logged in, or a user of another server whose stanzas come through a component.

What is sent is written as XML, since what goes over the wire is what matters here;
what is received is kept, in its order, until somebody asks for it.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import xml.etree.ElementTree as ET
from typing import Callable, Optional
from xml.sax.saxutils import quoteattr

# Says on import that its string preparation is slow; a handful of JIDs can wait.
logging.getLogger("slixmpp.stringprep").setLevel(logging.ERROR)

import slixmpp  # noqa: E402
from slixmpp.xmlstream import XMLStream  # noqa: E402

from xml_text import compact  # noqa: E402

LOOPBACK = "127.0.0.1"
CLIENT = "jabber:client"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
PUBSUB = "http://jabber.org/protocol/pubsub"
PUBSUB_EVENT = "http://jabber.org/protocol/pubsub#event"
ROSTER = "jabber:iq:roster"

Match = Callable[[ET.Element], bool]

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


def is_roster_push(contact: str, subscription: str) -> Match:
    """Matches the news that a contact has this subscription now."""

    def match(stanza: ET.Element) -> bool:
        item = stanza.find(f"{tag('query', ROSTER)}/{tag('item', ROSTER)}")
        return (
            stanza.get("type") == "set"
            and item is not None
            and item.get("jid") == contact
            and item.get("subscription") == subscription
        )

    return match


class Party:
    """What all of them can do; who inherits connects it to the wire."""

    # Who it is, to itself and to others.
    boundjid: slixmpp.JID
    # What it says of itself in `from`; a client need not, its server knows.
    sender: Optional[str] = None

    def __init__(self) -> None:
        self.received: list[ET.Element] = []
        self._waiting: list[tuple[Match, asyncio.Future[ET.Element]]] = []
        self._ids = (f"q{number}" for number in itertools.count(1))

    # What passes over the wire

    def send_raw(self, data: str | bytes) -> None:
        """Sends text as it is."""
        raise NotImplementedError

    async def sync(self) -> list[ET.Element]:
        """Takes all that was received before the server's answer to a question."""
        raise NotImplementedError

    def take(self, stanza: ET.Element) -> None:
        """A stanza came: for whoever waits for it, or to be kept."""
        for entry in self._waiting:
            match, future = entry
            if not future.done() and match(stanza):
                future.set_result(stanza)
                self._waiting.remove(entry)
                break
        else:
            self.received.append(stanza)

    def take_all(self) -> list[ET.Element]:
        """Takes all that was received so far."""
        received, self.received = self.received, []
        return received

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

    def send_stanza(self, name: str, to: Optional[str], payload: str = "", **attributes: str) -> None:
        """Sends a stanza with this XML inside."""
        addresses = {key: value for key, value in (("to", to), ("from", self.sender)) if value is not None}
        written = "".join(f" {key}={quoteattr(value)}" for key, value in {**attributes, **addresses}.items())
        self.send_raw(f"<{name}{written}>{payload}</{name}>")

    async def ask(self, kind: str, to: Optional[str], payload: str) -> ET.Element:
        """Sends an IQ and returns its answer, be it a result or an error."""
        iq_id = next(self._ids)
        self.send_stanza("iq", to, payload, type=kind, id=iq_id)
        return await self.expect(
            lambda stanza: stanza.tag == tag("iq")
            and stanza.get("id") == iq_id
            and stanza.get("type") in ("result", "error"),
            f"the answer to {payload}",
        )

    async def request(self, kind: str, to: Optional[str], payload: str) -> ET.Element:
        """Sends an IQ and returns its result. Raises Refused with the server's error."""
        answer = await self.ask(kind, to, payload)
        if answer.get("type") == "error":
            raise Refused(compact(answer))
        return answer

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


async def open_session(stream: XMLStream, port: int) -> None:
    """Logs in on loopback, without encryption. Raises Refused if that does not succeed."""
    outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def settle(event: str) -> Callable[[object], None]:
        return lambda _: None if outcome.done() else outcome.set_result(event)

    for event in ("session_start", "failed_all_auth", "connection_failed", "disconnected"):
        stream.add_event_handler(event, settle(event), disposable=True)
    if "disable_starttls" in inspect.signature(stream.connect).parameters:
        stream.connect((LOOPBACK, port), disable_starttls=True, use_ssl=False)
    else:
        stream.enable_plaintext = True
        stream.enable_starttls = False
        stream.enable_direct_tls = False
        stream.connect(LOOPBACK, port)
    result = await asyncio.wait_for(outcome, TIMEOUT)
    if result != "session_start":
        stream.abort()
        raise Refused(f"{stream.boundjid.bare} could not log in: {result}")
