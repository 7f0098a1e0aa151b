"""A foreign server, as far as this one can tell: an external component (XEP-0114) whose
users send and receive what people on another server would. It has no rosters, and answers
nothing by itself; whatever its users say is written in the test.

Works with slixmpp 1.8 (Debian 12) and later ones.
"""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET

# First of all: it quiets what slixmpp says on import.
from xmpp_party import CLIENT, Party, open_session

import slixmpp

_COMPONENT = "jabber:component:accept"


class Component(slixmpp.ComponentXMPP):
    """The connection of the foreign server. `host` is the server that it connects to."""

    def __init__(self, domain: str, secret: str, host: str) -> None:
        super().__init__(domain, secret)
        self.domain = domain
        self.host = host
        self._users: dict[str, RemoteUser] = {}
        # Slixmpp's own rosters would answer subscriptions.
        self.remove_handler("Presence")

    async def login(self, port: int) -> None:
        """Logs in on loopback."""
        await open_session(self, port)

    async def logout(self) -> None:
        """Closes the stream and returns when the connection is gone."""
        if self.is_connected():
            await self.disconnect(wait=1.0)

    def user(self, name: str) -> RemoteUser:
        """A user of this domain; what is sent to his address is his from now on."""
        user = RemoteUser(self, f"{name}@{self.domain}/phone")
        self._users[user.boundjid.bare] = user
        return user

    def incoming_filter(self, xml: ET.Element) -> ET.Element:
        """slixmpp shows each stanza here before it handles it."""
        user = self._users.get(slixmpp.JID(xml.get("to", "")).bare)
        if user is not None:
            user.take(_as_client(xml))
        return super().incoming_filter(xml)


class RemoteUser(Party):
    """Somebody with an account on the foreign server, online there."""

    def __init__(self, component: Component, jid: str) -> None:
        super().__init__()
        self.boundjid = slixmpp.JID(jid)
        self.sender = jid
        self._component = component

    def send_raw(self, data: str | bytes) -> None:
        """Sends text as it is."""
        self._component.send_raw(data)

    async def sync(self) -> list[ET.Element]:
        """Takes all that was received before the server's answer to a question."""
        await self.request("get", self._component.host, "<ping xmlns='urn:xmpp:ping'/>")
        return self.take_all()


def _as_client(xml: ET.Element) -> ET.Element:
    """A copy in the namespace of clients, so that the same matches fit."""
    stanza = copy.deepcopy(xml)
    for element in stanza.iter():
        if element.tag.startswith(f"{{{_COMPONENT}}}"):
            element.tag = f"{{{CLIENT}}}{element.tag.rpartition('}')[2]}"
    return stanza
