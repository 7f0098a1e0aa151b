"""The base of the tests from outside: one private server for a whole run, users of
its own for each test, and clients that are logged out afterwards."""

from __future__ import annotations

import atexit
import itertools
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from private_ejabberd import (  # noqa: E402
    LOOPBACK,
    ROOT,
    PrivateEjabberd,
    component_listener,
    default_config,
    free_ports,
)
from xmpp_client import Client, register  # noqa: E402
from xmpp_component import Component  # noqa: E402

HOST = "localhost"
SERVICE = f"pubsub.{HOST}"
PASSWORD = "secret"

_numbers = itertools.count(1)
_server: Optional[PrivateEjabberd] = None


def server() -> PrivateEjabberd:
    """The server of this run, started when the first test wants it."""
    global _server
    if _server is None:
        folder = ROOT / "_build" / "slixmpp"
        folder.mkdir(parents=True, exist_ok=True)
        client_port, component_port, http_port = free_ports(3)
        config = default_config(client_port, [HOST])
        config["listen"].append(component_listener(component_port, PASSWORD))
        config["listen"].append(
            {
                "port": http_port,
                "ip": LOOPBACK,
                "module": "ejabberd_http",
                "request_handlers": {"/api": "mod_http_api"},
            }
        )
        config["modules"]["mod_http_api"] = {}
        config["api_permissions"] = {"tests": {"who": {"ip": "127.0.0.0/8"}, "what": "*"}}
        _server = PrivateEjabberd(tempfile.mkdtemp(prefix="server-", dir=folder), config=config)
        _server.start()
        atexit.register(_server.stop)
    return _server


class TwitterCase(unittest.IsolatedAsyncioTestCase):
    """Makes users and clients."""

    async def user(self, name: str) -> str:
        """A new account, whose name starts so; its bare JID."""
        user = f"{name}-{next(_numbers)}"
        await register(server().port, user, HOST, PASSWORD)
        return f"{user}@{HOST}"

    async def login(self, jid: str, *, available: bool = True) -> Client:
        """A connection that ends with the test; `jid` may have a resource."""
        client = Client(jid, PASSWORD)
        self.addAsyncCleanup(client.logout)
        await client.login(server().port, available=available)
        return client

    async def client(self, name: str) -> Client:
        """A new user, online."""
        return await self.login(await self.user(name))

    async def foreign_server(self) -> Component:
        """A connection that ends with the test. Each has a domain of its own: the last
        one's may still have its route when the next one comes."""
        component = Component(f"remote-{next(_numbers)}.example", PASSWORD, HOST)
        self.addAsyncCleanup(component.logout)
        await component.login(server().config["listen"][1]["port"])
        return component

    async def friends(self, *names: str) -> list[Client]:
        """New users, online, each of whom shares presence with all the others."""
        clients = [await self.client(name) for name in names]
        for one, other in itertools.combinations(clients, 2):
            await one.befriend(other)
        for client in clients:
            await client.sync()
        return clients
