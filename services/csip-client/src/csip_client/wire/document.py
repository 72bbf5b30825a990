"""XML in and out, hardened: no document types, no entities, bounded size and depth; prefixes may have any name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

SEP = "urn:ieee:std:2030.5:ns"
LARGEST_BODY = 2_000_000
DEEPEST = 30
WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
SEPARATOR = "\n"  # cannot stand in a namespace or a name


class WireError(ValueError):
    """A document that cannot be read; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a version of CSIP-AUS changes on the wire: the extensions' namespace and the media type."""

    name: str
    namespace: str
    media_type: str


V1_2 = Version("1.2", "https://csipaus.org/ns", "application/sep+xml")
V1_3 = Version("1.3", "https://csipaus.org/ns/v1.3", "application/sep+xml; csipaus=1.3")


@dataclass(slots=True)
class Node:
    """An element: namespace, local name, attributes without their prefixes, text, children in order."""

    namespace: str
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def child(self, name: str, namespace: str = SEP) -> Node | None:
        """The first child of this name."""
        return next(self.all(name, namespace), None)

    def all(self, name: str, namespace: str = SEP) -> Iterator[Node]:
        """All children of this name."""
        return (child for child in self.children if child.name == name and child.namespace == namespace)

    def word(self, name: str, namespace: str = SEP) -> str | None:
        """A child's text without surrounding space; None when there is no such child, or nothing in it."""
        found = self.child(name, namespace)
        return (found.text.strip() or None) if found is not None else None

    def whole(self, name: str, namespace: str = SEP) -> int | None:
        """A child's whole number; None when absent; raises WireError for anything else."""
        word = self.word(name, namespace)
        return None if word is None else whole(word, name)


def whole(word: str, name: str) -> int:
    """A decimal whole number; raises WireError."""
    if not WHOLE.fullmatch(word):
        raise WireError(f"{name} is {word[:40]!r}, which is no whole number")
    return int(word)


def parse(body: bytes) -> Node:
    """The root element; raises WireError for what is no XML, has a document type, or is too large or deep."""
    if len(body) > LARGEST_BODY:
        raise WireError(f"a body of {len(body)} bytes, at most {LARGEST_BODY} are read")
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=SEPARATOR)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(body, True)
    except WireError:
        raise
    except (expat.ExpatError, ValueError, LookupError) as error:  # ValueError: an encoding of several bytes
        raise WireError(f"no well-formed XML: {error}") from error
    if builder.root is None:
        raise WireError("an empty document")
    return builder.root


def _refuse(*_: object) -> None:
    raise WireError("a document type or an entity, which no utility server needs")


class _Builder:
    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= DEEPEST:
            raise WireError(f"elements nested more than {DEEPEST} deep")
        node = Node(*_split(name), {_split(key)[1]: value for key, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, _: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text


def _split(name: str) -> tuple[str, str]:
    namespace, found, local = name.rpartition(SEPARATOR)
    return (namespace, local) if found else ("", name)


def element(name: str, *content: str | int | None, **attributes: str) -> str:
    """One element as text; without content it is left out (an empty string), a leaf's text is escaped by `leaf`."""
    inside = "".join(str(part) for part in content if part is not None)
    named = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{named}>{inside}</{name}>" if inside else ""


def leaf(name: str, value: str | int | None) -> str:
    """`<name>value</name>`, or nothing for None."""
    return "" if value is None else f"<{name}>{escape(str(value))}</{name}>"


def document(
    root: str, version: Version, *content: str, attributes: Mapping[str, str] | None = None
) -> bytes:
    """A whole document with both namespaces declared; extension elements carry the prefix `csipaus`."""
    named = "".join(f" {key}={quoteattr(value)}" for key, value in (attributes or {}).items())
    spaces = f' xmlns="{SEP}" xmlns:csipaus="{version.namespace}"'
    inside = "".join(content)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}{spaces}{named}>{inside}</{root}>'.encode()
