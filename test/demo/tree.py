"""A service as a tree: what a person sees who opens every row of a service browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterator, Optional

from xmpp_client import Client

# Far deeper than the tree is; a service that shows itself below itself ends here.
_MAX_DEPTH = 8


@dataclass
class Node:
    """A row of the browser and the rows below it."""

    name: str
    node: Optional[str]
    children: list[Node] = field(default_factory=list)

    def nodes(self) -> set[Optional[str]]:
        """The ids of this node and all below."""
        return {self.node}.union(*(child.nodes() for child in self.children))

    def lines(self, first: str = "", rest: str = "") -> Iterator[str]:
        """The tree as text, a row a line."""
        label = f"{self.name}  ({self.node})" if self.node and self.node != self.name else self.name
        yield first + label
        for number, child in enumerate(self.children, 1):
            is_last = number == len(self.children)
            yield from child.lines(
                rest + ("└─ " if is_last else "├─ "), rest + ("   " if is_last else "│  ")
            )


async def walk(client: Client, service: str, node: Optional[str] = None, name: str = "", depth: int = 0) -> Node:
    """Asks disco#items of every row."""
    row = Node(name or node or service, node)
    if depth < _MAX_DEPTH:
        for item in await client.disco_items(service, node):
            child, label = item.get("node"), item.get("name") or ""
            if item.get("jid") == service and child is not None:
                row.children.append(await walk(client, service, child, label, depth + 1))
            else:
                row.children.append(Node(label or item.get("jid") or "", child))
    return row
