"""What servers are free to do differently: prefixes, page sizes, order, whole addresses, 204, a pollRate left out."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

EXTENSION = "csipaus"


@dataclass(frozen=True, slots=True)
class Style:
    """How a server writes; the plain one is envoy's. `prefix` "": the standard's elements have none.

    `page` is the most entries of one answer, `order` shuffles lists (None: as they come), `whole` is the share of
    addresses with scheme and host, `empty` answers 204 where there is no default, `unrated` names the lists and
    documents whose pollRate is left out (900 s by the schema).
    """

    prefix: str = ""
    extension: str = EXTENSION
    page: int = 10
    order: int | None = None
    whole: float = 0.3
    empty: bool = False
    unrated: frozenset[str] = frozenset()

    def written(self, body: bytes) -> bytes:
        """The document with this server's prefixes."""
        text = body.decode()
        if self.prefix:
            text = re.sub(rf"<(/?)(?=\w)(?!{EXTENSION}:)", rf"<\1{self.prefix}:", text)
            text = text.replace(" xmlns=", f" xmlns:{self.prefix}=")
        if self.extension != EXTENSION:
            text = text.replace(f"{EXTENSION}:", f"{self.extension}:").replace(
                f"xmlns:{EXTENSION}=", f"xmlns:{self.extension}="
            )
        return text.encode()

    def ordered(self, entries: Sequence[str]) -> list[str]:
        """A list's entries as this server orders them, by their mRIDs: the same for every page of it."""
        if self.order is None:
            return list(entries)
        return sorted(entries, key=lambda entry: zlib.crc32(f"{self.order}{_identity(entry)}".encode()))


PLAIN = Style()


def _identity(entry: str) -> str:
    """What does not change while an entry does."""
    found = re.search(r"<mRID>([^<]*)", entry)
    return found[1] if found else entry


def drawn(rng: random.Random) -> Style:
    """Any server that keeps to the standard; the lists that our tests wait for have their pollRate."""
    prefix, extension = rng.sample(("", "sep", "ns0", "s", "csip", "csipaus", "a-1"), 2)
    return Style(
        prefix=prefix if prefix != EXTENSION else "",
        extension=extension or EXTENSION,
        page=rng.randint(1, 12),
        order=rng.choice((None, rng.getrandbits(20))),
        whole=rng.choice((0.0, 0.3, 1.0)),
        empty=rng.random() < 0.5,
        unrated=frozenset(name for name in ("dcap", "tm", "rg") if rng.random() < 0.4),
    )
