"""A slixmpp client that waits on events, for the demo and the tests from outside.

slixmpp does connecting, logging in, and parsing; what a client can do with what it
sends and receives is in xmpp_party.

Works with slixmpp 1.8 (Debian 12) and later ones.
"""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from typing import Callable, Optional
from xml.sax.saxutils import escape, quoteattr

# First of all: it quiets what slixmpp says on import.
from xmpp_party import (
    CLIENT,
    DISCO_INFO,
    DISCO_ITEMS,
    LOOPBACK,
    PUBSUB,
    PUBSUB_EVENT,
    ROSTER,
    TIMEOUT,
    Match,
    NotReceived,
    Party,
    Refused,
    is_event,
    is_roster_push,
    is_stanza,
    open_session,
    tag,
)

import slixmpp

from xml_text import compact

__all__ = [
    "CLIENT",
    "DISCO_INFO",
    "DISCO_ITEMS",
    "LOOPBACK",
    "PUBSUB",
    "PUBSUB_EVENT",
    "ROSTER",
    "TIMEOUT",
    "Client",
    "Match",
    "NotReceived",
    "Party",
    "Refused",
    "Trace",
    "is_event",
    "is_roster_push",
    "is_stanza",
    "register",
    "tag",
]

# Is called with "sent" or "received", and the XML.
Trace = Callable[[str, str], None]


class Client(Party, slixmpp.ClientXMPP):
    """One connection of one user."""

    def __init__(self, jid: str, password: str, trace: Optional[Trace] = None) -> None:
        slixmpp.ClientXMPP.__init__(
            self,
            jid,
            password,
            plugin_config={"feature_mechanisms": {"unencrypted_plain": True, "use_mech": "PLAIN"}},
        )
        Party.__init__(self)
        self.trace = trace

    async def login(self, port: int, *, available: bool = True) -> None:
        """Logs in on loopback; `available` sends the first presence as well."""
        await open_session(self, port)
        if available:
            await self.request("get", None, f"<query xmlns='{ROSTER}'/>")
            self.send_raw("<presence/>")
            await self.expect(is_stanza("presence", self.boundjid.full))

    async def logout(self) -> None:
        """Closes the stream and returns when the connection is gone."""
        if self.is_connected():
            await self.disconnect(wait=1.0)

    # What passes over the wire

    def send_raw(self, data: str | bytes) -> None:
        """Sends text as it is; slixmpp's own stanzas come through here as well."""
        if self.trace is not None:
            self.trace("sent", data.decode() if isinstance(data, bytes) else data)
        slixmpp.ClientXMPP.send_raw(self, data)

    def incoming_filter(self, xml: ET.Element) -> ET.Element:
        """slixmpp shows each stanza here before it handles it."""
        if self.trace is not None:
            self.trace("received", compact(xml))
        self.take(xml)
        return xml

    async def sync(self) -> list[ET.Element]:
        """Takes all that was received before the server's answer to a question."""
        await self.request("get", None, "<ping xmlns='urn:xmpp:ping'/>")
        return self.take_all()

    # Friends

    async def befriend(self, other: Client) -> None:
        """Both come to see each other's presence, as any two clients do it; slixmpp
        answers the requests."""
        me, you = self.boundjid.bare, other.boundjid.bare
        self.send_raw(f"<presence to={quoteattr(you)} type='subscribe'/>")
        await asyncio.gather(
            self.expect(is_roster_push(you, "both"), f"{you} as a friend"),
            other.expect(is_roster_push(me, "both"), f"{me} as a friend"),
        )

    async def name_contact(self, contact: str, name: str) -> None:
        """Gives a contact a name in the roster."""
        await self.request(
            "set",
            None,
            "<query xmlns='jabber:iq:roster'>"
            f"<item jid={quoteattr(contact)} name={quoteattr(name)}/></query>",
        )


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
