"""What the demo prints: a colour for each person, arrows for who sends, XML indented."""

from __future__ import annotations

from tree import Node
from xml_text import indented, parse
from xmpp_client import Trace

_COLORS = {"alice": "35", "bob": "36", "carol": "33"}
_BOLD = "1"
_DIM = "2"


class Screen:
    """Standard output, for people."""

    def __init__(self, *, color: bool) -> None:
        self._color = color

    def title(self, text: str) -> None:
        """Opens a section."""
        print(f"\n{self._paint(f'== {text}', _BOLD)}", flush=True)

    def note(self, text: str) -> None:
        """One line by the narrator."""
        print(f"   {text}", flush=True)

    def setting(self, name: str, value: str, remark: str = "") -> None:
        """One line of a table of settings."""
        note = self._paint(remark, _DIM)
        print(f"   {name:<11} {self._paint(f'{value:<17}', _BOLD)} {note}".rstrip(), flush=True)

    def trace(self, person: str) -> Trace:
        """Shows what passes over this person's connection, presence apart."""

        def show(direction: str, xml: str) -> None:
            if not xml.startswith(("<iq", "<message")):
                return
            arrow = f"{person} sends" if direction == "sent" else f"{person} receives"
            print(self._paint(arrow, _COLORS[person] + ";" + _BOLD))
            print(self._paint(indented(parse(xml), indent="   "), _COLORS[person]), flush=True)

        return show

    def tree(self, person: str, root: Node) -> None:
        """A person's view of the service."""
        for line in root.lines():
            print("   " + self._paint(line, _COLORS[person]), flush=True)

    def _paint(self, text: str, code: str) -> str:
        if not self._color or not text:
            return text
        return "\n".join(f"\x1b[{code}m{line}\x1b[0m" for line in text.split("\n"))
