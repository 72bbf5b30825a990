"""The programs that are assigned to us: function set assignments, their lists of programs, and what stands there."""

from __future__ import annotations

from collections.abc import Sequence

from csip_client.fetch import Fetcher
from csip_client.model import Assignments
from csip_client.programs import Content, Reader
from csip_client.wire.document import Node, WireError
from csip_client.wire.read import function_set_assignments, poll_rate


class Assigned:
    """What has been read since our registration was found; addresses come from links only."""

    def __init__(self, fetch: Fetcher, reader: Reader) -> None:
        self._fetch = fetch
        self._reader = reader
        self.lists: tuple[str, ...] = ()  # addresses of program lists, one per function set assignment
        self._listed = False
        self._contents: dict[str, list[Content]] = {}
        self._unread: set[str] = set()  # lists with an entry that could not be read and was not known before

    def ask_lists(self, href: str) -> int:
        """Read the function set assignments at `href`; their pollRate, seconds."""
        first, nodes = self._fetch.get_list(href, "FunctionSetAssignmentsList")
        found, self._listed = self._readable(href, nodes)
        kept = () if self._listed else self.lists  # what cannot be read may be any of them
        self.lists = tuple(dict.fromkeys((*found, *kept)))
        self._contents = {href: content for href, content in self._contents.items() if href in self.lists}
        return poll_rate(first)

    def _readable(self, href: str, nodes: Sequence[Node]) -> tuple[list[str], bool]:
        """The lists of programs that the entries lead to, and whether every entry could be read."""
        found: list[str] = []
        for node in nodes:
            try:
                link = function_set_assignments(node).DERProgramListLink
            except WireError as error:
                self._reader.warn(f"an entry of {href} cannot be read, what it held stays: {error}")
                continue
            if link:
                found.append(link)
        return found, all(node.name == "FunctionSetAssignments" for node in nodes)

    def ask_programs(self, href: str) -> int:
        """Read one list of programs with all that belongs to it; its pollRate, seconds.

        Raises what ended the reading early, after what was read before has been taken in.
        """
        before = {content.program.id: content for content in self._contents.get(href, [])}
        read = self._reader.read(href, before)
        self._contents[href] = read.contents
        (self._unread.add if read.unread else self._unread.discard)(href)
        if read.ended_by is not None:
            raise read.ended_by
        return read.rate_s

    def assignments(self) -> Assignments | None:
        """All that is known; None while that is nothing and may still come."""
        contents = [content for listed in self._contents.values() for content in listed]
        unread = self._unread & set(self.lists)
        complete = self._listed and not unread and set(self._contents) == set(self.lists)
        if not contents and not complete:
            return None
        programs = tuple(content.program for content in contents)
        controls = tuple(each for content in contents for each in content.controls)
        return Assignments(programs, controls, complete)

    def forget(self) -> None:
        """Nothing of it counts any more, or it stands elsewhere now."""
        self.lists, self._listed, self._contents, self._unread = (), False, {}, set()
