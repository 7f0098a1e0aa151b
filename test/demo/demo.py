"""The demo: a day of 2008, on a private server.

Starts an ejabberd with the plugin, lets alice, bob and carol share presence, and plays
what the article of 2008 shows: alice publishes a line of text, her friends have it
at once, and everybody sees a tree of his own. Then it prints how to log in with any
client, shows what arrives, and stays up until Ctrl-C.

With --once it ends after the scenario, with an error if something did not come true.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from private_ejabberd import LOOPBACK, ROOT, NotStarted, PrivateEjabberd  # noqa: E402
from screen import Screen  # noqa: E402
from tree import Node, walk  # noqa: E402
from xmpp_client import (  # noqa: E402
    PUBSUB_EVENT,
    Client,
    NotReceived,
    Refused,
    is_event,
    is_stanza,
    register,
    tag,
)

HOST = "localhost"
SERVICE = f"pubsub.{HOST}"
PEOPLE = ("alice", "bob", "carol")
TEXT = "Demoing my Twitter-like code"

# What the article of 2008 sends. Clients give each IQ an id, and ejabberd wants one.
STANZA_OF_2008 = (
    f"<iq type='set' to='{SERVICE}' id='demo-2008'>"
    "<pubsub xmlns='http://jabber.org/protocol/pubsub'>"
    "<publish node='/twitter/MyStream'>"
    f"<item>{TEXT}</item>"
    "</publish></pubsub></iq>"
)

ENTRY = (
    "<item><entry xmlns='http://www.w3.org/2005/Atom'>"
    "<title type='text'>Reading Alice, from a service browser</title>"
    "</entry></item>"
)


class Failed(Exception):
    """Something was answered, but not what the contract promises."""


def arguments() -> argparse.Namespace:
    """The options; environment variables (so also Make's) give the defaults."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__.split("\n")[0])
    parser.add_argument("--once", action="store_true", help="end after the scenario")
    parser.add_argument(
        "--port",
        type=int,
        default=int(os.environ.get("DEMO_PORT", "15222")),
        help="port for clients on 127.0.0.1, 0 for any that is free (DEMO_PORT; default %(default)s)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(os.environ.get("DEMO_FOLDER", ROOT / "_build" / "demo")),
        help="where the server keeps its data; emptied first (DEMO_FOLDER; default _build/demo)",
    )
    parser.add_argument("--password", default="secret", help="everybody's (default %(default)s)")
    parser.add_argument("--no-color", action="store_true", help="no colours")
    return parser.parse_args()


async def enter(port: int, password: str, screen: Screen) -> dict[str, Client]:
    """Makes the accounts, logs them in, and makes all of them friends."""
    clients: dict[str, Client] = {}
    for name in PEOPLE:
        await register(port, name, HOST, password)
        clients[name] = Client(f"{name}@{HOST}/demo", password)
        await clients[name].login(port)
        screen.note(f"{name}@{HOST} has an account and is online")
    for one, other in itertools.combinations(PEOPLE, 2):
        await clients[one].befriend(clients[other])
        await clients[one].name_contact(f"{other}@{HOST}", other.capitalize())
        await clients[other].name_contact(f"{one}@{HOST}", one.capitalize())
        screen.note(f"{one} and {other} share presence")
    for name, client in clients.items():
        await client.sync()
        client.trace = screen.trace(name)
    return clients


async def publish_of_2008(clients: dict[str, Client], screen: Screen) -> None:
    """Alice publishes bare text; the push arrives at both friends."""
    screen.title("alice publishes, with the stanza of 2008; her friends have it at once")
    alice = clients["alice"]
    alice.send_raw(STANZA_OF_2008)
    answer = await alice.expect(is_stanza("iq", SERVICE, id="demo-2008"), "the answer to her publish")
    if answer.get("type") != "result":
        raise Failed("alice's publish was refused")
    for name in ("bob", "carol"):
        event = await clients[name].expect(is_event("/twitter/FriendsStream", SERVICE), "alice's post")
        item = event.find(f".//{tag('item', PUBSUB_EVENT)}")
        if item is None or (item.text, item.get("publisher")) != (TEXT, f"alice@{HOST}"):
            raise Failed(f"{name} was sent something else than alice's post")


async def publish_entry(clients: dict[str, Client], screen: Screen) -> None:
    """Bob answers with an Atom entry, as microblogs over XMPP do today."""
    screen.title("bob publishes an Atom entry")
    await clients["bob"].publish(SERVICE, "/twitter/MyStream", ENTRY)
    for name in ("alice", "carol"):
        await clients[name].expect(is_event("/twitter/FriendsStream", SERVICE), "bob's post")


async def trees(clients: dict[str, Client], screen: Screen) -> None:
    """Everybody browses the service, and sees a tree of his own."""
    for name, client in clients.items():
        screen.title(f"the tree that {name} sees (disco#items, from the root down)")
        # One question to see what it looks like, the rest of them in peace.
        await client.disco_items(SERVICE, "/twitter")
        client.trace = None
        root = await walk(client, SERVICE)
        client.trace = screen.trace(name)
        screen.tree(name, root)
        check_tree(name, root)


def check_tree(name: str, root: Node) -> None:
    """The tree has what the contract promises to this reader."""
    nodes = root.nodes()
    friends = [f"/twitter/MyFriends/{other}@{HOST}" for other in PEOPLE if other != name]
    for node in ["/twitter/MyStream", "/twitter/FriendsStream", "/twitter/MyFriends", *friends]:
        if node not in nodes:
            raise Failed(f"{name} does not see {node}")
    if f"/twitter/MyFriends/{name}@{HOST}" in nodes:
        raise Failed(f"{name} is among his own friends")


async def read(client: Client, node: str, texts: list[Optional[str]], screen: Screen) -> None:
    """Reads one stream, which must hold these items; None stands for an element."""
    screen.title(f"{client.boundjid.user} reads {node}")
    items = await client.items(SERVICE, node)
    if [None if len(item) else item.text for item in items] != texts:
        raise Failed(f"{node} does not hold what was published")


async def play(port: int, password: str, screen: Screen) -> dict[str, Client]:
    """The whole scenario; returns the clients, still online."""
    screen.title("three accounts that share presence")
    clients = await enter(port, password, screen)
    await publish_of_2008(clients, screen)
    await publish_entry(clients, screen)
    await trees(clients, screen)
    await read(clients["bob"], f"/twitter/MyFriends/alice@{HOST}", [TEXT], screen)
    await read(clients["carol"], "/twitter/FriendsStream", [TEXT, None], screen)
    await read(clients["alice"], "/twitter/MyStream", [TEXT], screen)
    return clients


def how_to_log_in(port: int, password: str, screen: Screen) -> None:
    """The settings that any client needs."""
    screen.title("log in yourself, with Psi or any other client")
    for name in PEOPLE:
        screen.setting("JID", f"{name}@{HOST}", f"password {password}")
    screen.setting("host", LOOPBACK, "to be entered by hand")
    screen.setting("port", str(port))
    screen.setting("encryption", "none", "in Psi: Encrypt connection: When available; Allow plaintext authentication: Always")
    screen.setting("service", SERVICE, "in Psi: Service Discovery; publish from the XML console")
    screen.note("the three stay online as .../demo: what they are sent from now on is shown here")
    screen.note("Ctrl-C ends the server")


async def run(port: int, options: argparse.Namespace, screen: Screen) -> None:
    """Plays, and then waits for the end if that is wanted."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    playing = asyncio.create_task(play(port, options.password, screen))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not playing.done():
        playing.cancel()
        return
    clients = playing.result()
    if not options.once:
        how_to_log_in(port, options.password, screen)
        await stopping
    stopping.cancel()
    for client in clients.values():
        client.trace = None
        await client.logout()


def main() -> int:
    """Returns the exit status."""
    options = arguments()
    # What matters is shown here anyway.
    logging.disable(logging.CRITICAL)
    screen = Screen(color=sys.stdout.isatty() and not options.no_color)
    server = PrivateEjabberd(options.folder, port=options.port or None)
    try:
        server.start(fresh=True)
        screen.note(f"a private ejabberd listens on {LOOPBACK}:{server.port}; its log: {server.log_path}")
        asyncio.run(run(server.port, options, screen))
    except (Failed, NotReceived, NotStarted, Refused) as error:
        print(f"demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        server.stop()
    screen.note("the server is stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
