"""XML as people like to read it: no prefixes, a namespace where it changes, indented."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

_XML = "{http://www.w3.org/XML/1998/namespace}"


def parse(text: str) -> ET.Element:
    """A stanza as it is written inside a client's stream."""
    return ET.fromstring(f"<stream xmlns='jabber:client'>{text}</stream>")[0]


def compact(element: ET.Element, namespace: str = "jabber:client") -> str:
    """The element on one line, inside a parent of that namespace."""
    inside = "".join(
        compact(child, _namespace(element)) + escape(child.tail or "") for child in element
    )
    return _wrap(element, namespace, escape(element.text or "") + inside)


def indented(element: ET.Element, namespace: str = "jabber:client", indent: str = "") -> str:
    """The element with a line for each child, where there is no text in between."""
    has_text = (element.text or "").strip() or any((child.tail or "").strip() for child in element)
    if has_text or len(element) == 0:
        return indent + compact(element, namespace)
    children = (indented(child, _namespace(element), indent + "  ") for child in element)
    return indent + _wrap(element, namespace, "\n" + "\n".join(children) + f"\n{indent}")


def _wrap(element: ET.Element, namespace: str, inside: str) -> str:
    name = element.tag.rpartition("}")[2]
    own = _namespace(element)
    xmlns = "" if own == namespace else f" xmlns={quoteattr(own)}"
    attributes = "".join(
        f" {key.replace(_XML, 'xml:')}={quoteattr(value)}" for key, value in element.attrib.items()
    )
    start = f"<{name}{xmlns}{attributes}"
    return f"{start}>{inside}</{name}>" if inside else f"{start}/>"


def _namespace(element: ET.Element) -> str:
    return element.tag.rpartition("}")[0].lstrip("{")
