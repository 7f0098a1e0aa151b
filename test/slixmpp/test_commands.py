"""Commands (XEP-0050) by a library that knows nothing of the plugin: what people do with
them from any client."""

from __future__ import annotations

import asyncio
from typing import Any, Optional

from twitter_case import SERVICE, TwitterCase
from xmpp_client import TIMEOUT, Client, is_event

FRIENDS = "/twitter/FriendsStream"


class Dialog:
    """One command, by the library's own way to keep a session of it."""

    def __init__(self, client: Client) -> None:
        self.adhoc = client.plugin["xep_0050"]
        self.forms = client.plugin["xep_0004"]
        self.answer: Any = None
        self._coming: Optional[asyncio.Future[Any]] = None
        self._session: dict[str, Any] = {"next": self._answered, "error": self._answered}

    def _answered(self, iq: Any, session: dict[str, Any]) -> None:
        self._session = session
        assert self._coming is not None
        self._coming.set_result(iq)

    async def _wait(self) -> Dialog:
        assert self._coming is not None
        self.answer = await asyncio.wait_for(self._coming, TIMEOUT)
        return self

    async def start(self, node: str) -> Dialog:
        self._coming = asyncio.get_running_loop().create_future()
        self.adhoc.start_command(SERVICE, node, self._session)
        return await self._wait()

    async def go(self, direction: str, values: Optional[dict[str, Any]] = None) -> Dialog:
        """`next`, `prev`, `complete` or `cancel`, with a filled form."""
        self._coming = asyncio.get_running_loop().create_future()
        self._session["payload"] = None
        # The library forgets the handlers when it calls one.
        self._session.update(next=self._answered, error=self._answered)
        if values is not None:
            form = self.forms.make_form(ftype="submit")
            for var, value in values.items():
                # The library sends a `no` only if it knows what it is an answer to.
                ftype = "boolean" if isinstance(value, bool) else "text-multi"
                form.add_field(var=var, ftype=ftype, value=value)
            self._session["payload"] = form
        if direction == "complete":
            self.adhoc.complete_command(self._session)
        elif direction == "cancel":
            self.adhoc.cancel_command(self._session)
        else:
            self.adhoc.continue_command(self._session, direction)
        return await self._wait()

    @property
    def status(self) -> str:
        return str(self.answer["command"]["status"])

    @property
    def notes(self) -> list[str]:
        return [text for _, text in self.answer["command"]["notes"]]

    @property
    def values(self) -> dict[str, Any]:
        return dict(self.answer["command"]["form"].get_values())

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.answer["command"]["form"]["items"]]

    def options(self, var: str) -> list[str]:
        field = self.answer["command"]["form"].get_fields()[var]
        return [option["value"] for option in field["options"]]


class Commands(TwitterCase):
    """Two friends and their service."""

    async def people(self) -> list[Client]:
        clients = await self.friends("alice", "bob")
        for client in clients:
            client.register_plugin("xep_0050")
        return clients

    async def test_they_are_found(self) -> None:
        alice, _ = await self.people()
        listed = await alice.plugin["xep_0050"].get_commands(SERVICE)
        nodes = {node for _, node, _ in listed["disco_items"]["items"]}
        ours = ["post", "edit", "latest", "missed", "mute", "settings"]
        theirs = "http://jabber.org/protocol/pubsub#get-pending"
        self.assertEqual(nodes, {theirs} | {f"twitter#{name}" for name in ours})

    async def test_a_post_is_made_changed_and_deleted(self) -> None:
        alice, bob = await self.people()
        dialog = await Dialog(alice).start("twitter#post")
        self.assertEqual(dialog.status, "executing")
        await dialog.go("complete", {"text": "Hello\nworld"})
        self.assertEqual((dialog.status, len(dialog.notes)), ("completed", 1))
        await bob.expect(is_event(FRIENDS, SERVICE), "the post")

        dialog = await Dialog(alice).start("twitter#edit")
        (post,) = dialog.options("post")
        await dialog.go("next", {"post": post})
        # Newer slixmpp gives the lines.
        self.assertIn(dialog.values["text"], ("Hello\nworld", ["Hello", "world"]))
        await dialog.go("prev")
        self.assertEqual(dialog.options("post"), [post])
        await dialog.go("next", {"post": post})
        await dialog.go("complete", {"text": "Hello, world", "delete": False})
        self.assertEqual(dialog.status, "completed")
        (row,) = (await Dialog(bob).start(FRIENDS)).rows
        self.assertEqual((row["text"], row["jid"]), ("Hello, world", alice.boundjid.bare))

        dialog = await Dialog(alice).start(f"/twitter/MyStream/{post}")
        await dialog.go("complete", {"delete": True})
        self.assertEqual(dialog.status, "completed")
        self.assertEqual((await Dialog(bob).start(FRIENDS)).rows, [])

    async def test_a_friend_is_muted(self) -> None:
        alice, bob = await self.people()
        dialog = await Dialog(alice).start("twitter#mute")
        await dialog.go("next", {"friend": bob.boundjid.bare})
        await dialog.go("complete", {"until": "week"})
        self.assertEqual(dialog.status, "completed")
        await bob.publish(SERVICE, "/twitter/MyStream", "<item>Not heard</item>")
        self.assertEqual(await alice.items(SERVICE, FRIENDS), [])
        dialog = await Dialog(alice).start(f"/twitter/MyFriends/{bob.boundjid.bare}")
        await dialog.go("complete", {"until": "unmute"})
        self.assertEqual(len(await alice.items(SERVICE, FRIENDS)), 1)

    async def test_settings_are_changed(self) -> None:
        alice, _ = await self.people()
        dialog = await Dialog(alice).start("twitter#settings")
        self.assertEqual(dialog.values, {"pushes": True, "bodies": True, "catch_up": True})
        await dialog.go("complete", {"bodies": False})
        dialog = await Dialog(alice).start("/twitter")
        values = {"text": None, "pushes": True, "bodies": False, "catch_up": True}
        self.assertEqual(dialog.values, values)

    async def test_a_mistake_can_be_mended(self) -> None:
        alice, _ = await self.people()
        dialog = await Dialog(alice).start("twitter#post")
        await dialog.go("complete", {"text": " "})
        self.assertEqual(dialog.answer["error"]["condition"], "bad-request")
        self.assertNotEqual(dialog.answer["error"]["text"], "")
        await dialog.go("complete", {"text": "Better"})
        self.assertEqual(dialog.status, "completed")
        dialog = await Dialog(alice).start("twitter#post")
        await dialog.go("cancel")
        self.assertEqual(dialog.status, "canceled")
        self.assertEqual(len(await alice.items(SERVICE, "/twitter/MyStream")), 1)
