"""What an admin posts, as a client library for feeds reads it: an entry with all that RFC 4287,
XEP-0277 and XEP-0472 ask for."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from urllib.parse import unquote

from slixmpp.plugins import xep_0082
from slixmpp.stanza.atom import AtomEntry
from twitter_case import SERVICE, TwitterCase, server
from xmpp_client import is_event

ATOM = "{http://www.w3.org/2005/Atom}"
MUST_BE_THERE_ONCE = ("title", "id", "published", "updated", "author")


def admin_posts(jid: str, text: str) -> str:
    """By the HTTP API; the id of the post."""
    user, host = jid.split("@")
    port = server().config["listen"][2]["port"]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/twitter_post",
        data=json.dumps({"user": user, "host": host, "text": text}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found = json.loads(answer.read())
    return found["id"] if isinstance(found, dict) else found


class Entries(TwitterCase):
    """Entries that are made by the server."""

    async def test_an_entry_has_all_it_must_have(self) -> None:
        alice, bob = await self.friends("alice", "bob")
        for text in ("One line & no more", "First\nsecond\x07\n\nlast"):
            with self.subTest(text=text):
                item_id = await asyncio.to_thread(admin_posts, alice.boundjid.bare, text)
                await bob.expect(is_event("/twitter/FriendsStream", SERVICE), "alice's post")
                [item] = [
                    item
                    for item in await bob.items(SERVICE, "/twitter/FriendsStream")
                    if item.get("id") == item_id
                ]
                [xml] = item
                entry = AtomEntry(xml=xml)
                for name in MUST_BE_THERE_ONCE:
                    self.assertEqual(len(xml.findall(ATOM + name)), 1, name)
                self.assertEqual(xml.find(ATOM + "title").get("type"), "text")
                self.assertNotIn("\n", entry["title"])
                self.assertTrue(entry["id"].startswith("tag:localhost,"))
                self.assertEqual(entry["published"], entry["updated"])
                self.assertIsNotNone(xep_0082.parse(entry["published"]).tzinfo)
                # slixmpp's own class for authors looks for them in another namespace.
                author = xml.find(ATOM + "author")
                self.assertEqual(author.findtext(ATOM + "name"), alice.boundjid.user)
                self.assertEqual(author.findtext(ATOM + "uri"), f"xmpp:{alice.boundjid.bare}")
                # All of it is read in one of the two, and it is found where the link says.
                content = xml.find(ATOM + "content")
                whole = entry["title"] if content is None else content.text
                self.assertEqual(whole, text.replace("\x07", ""))
                link = xml.find(ATOM + "link").get("href")
                self.assertTrue(link.startswith(f"xmpp:{SERVICE}?;node="))
                node, linked = link.split(";node=")[1].split(";item=")
                self.assertEqual(unquote(linked), item_id)
                there = await bob.items(SERVICE, unquote(node))
                self.assertIn(item_id, [item.get("id") for item in there])
