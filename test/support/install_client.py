"""What people find on the ejabberd of this machine, for install_test.sh. It has accounts for
alice, bob and carol, whose password is "secret".

    install_client.py PORT befriend             alice and bob come to be friends
    install_client.py PORT publish TEXT         alice posts, and bob has it at once
    install_client.py PORT posts TEXT...        alice and bob read these posts of hers, carol none
    install_client.py PORT closed TEXT...       there are no microblogs: alice has these in her own node,
                                                nobody else finds it; an ordinary node works
"""

from __future__ import annotations

import asyncio
import logging
import sys

from xmpp_client import PUBSUB, Client, Refused, is_event

HOST = "localhost"
SERVICE = f"pubsub.{HOST}"
# Where the posts are kept, seen without the plugin.
STORED = f"/twitter/alice@{HOST}/MyStream"


def texts(items: list) -> list[str]:
    return sorted("".join(item.itertext()) for item in items)


async def befriend(people: dict[str, Client]) -> None:
    await people["alice"].befriend(people["bob"])


async def publish(people: dict[str, Client], text: str) -> None:
    await people["alice"].publish(SERVICE, "/twitter/MyStream", f"<item>{text}</item>")
    event = await people["bob"].expect(is_event("/twitter/FriendsStream", SERVICE), "the post")
    assert text in "".join(event.itertext()), event


async def posts(people: dict[str, Client], *expected: str) -> None:
    alice, bob, carol = people["alice"], people["bob"], people["carol"]
    for person, node in ((alice, "MyStream"), (bob, "FriendsStream"), (bob, f"MyFriends/alice@{HOST}")):
        found = texts(await person.items(SERVICE, f"/twitter/{node}"))
        assert found == sorted(expected), (node, found)
    assert not await carol.items(SERVICE, "/twitter/FriendsStream")
    await refused(carol, f"/twitter/MyFriends/alice@{HOST}")
    for person in (bob, carol):
        await refused(person, STORED)


async def closed(people: dict[str, Client], *expected: str) -> None:
    alice, bob, carol = people["alice"], people["bob"], people["carol"]
    for person in (bob, carol):
        for node in (STORED, "/twitter/MyStream", "/twitter/FriendsStream", f"/twitter/MyFriends/alice@{HOST}"):
            await refused(person, node)
    found = await alice.items(SERVICE, STORED)
    assert len(found) == len(expected), found
    for item in found:
        assert any(text in "".join(item.itertext()) for text in expected), texts(found)
    node = "an ordinary node"
    await alice.request("set", SERVICE, f"<pubsub xmlns='{PUBSUB}'><create node='{node}'/></pubsub>")
    await alice.publish(SERVICE, node, "<item id='1'><word xmlns='urn:x'>ordinary</word></item>")
    assert texts(await carol.items(SERVICE, node)) == ["ordinary"]
    await alice.request("set", SERVICE, f"<pubsub xmlns='{PUBSUB}#owner'><delete node='{node}'/></pubsub>")


async def refused(person: Client, node: str) -> None:
    """Fails if he finds anything there."""
    try:
        found = await person.items(SERVICE, node)
    except Refused:
        return
    raise AssertionError(f"{person.boundjid.bare} found {texts(found)} at {node}")


async def main(port: int, step: str, *arguments: str) -> None:
    people = {name: Client(f"{name}@{HOST}/test", "secret") for name in ("alice", "bob", "carol")}
    try:
        for person in people.values():
            await person.login(port)
        await {"befriend": befriend, "publish": publish, "posts": posts, "closed": closed}[step](people, *arguments)
    finally:
        for person in people.values():
            await person.logout()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
