"""The procedures name resources by envoy's paths; here they stand at addresses drawn at random."""

from __future__ import annotations

import re
from typing import Any

from utility_simulator.controls import Program
from utility_simulator.tree import Request, Utility

FIXED = {
    "/tm": "tm",
    "/edev": "edev",
    "/edev/1/rg": "rg",
    "/edev/1/cp": "cp",
    "/edev/1/der": "der",
    "/edev/1/der/1/ders": "ders",
    "/edev/1/der/1/derg": "derg",
    "/edev/1/der/1/dercap": "dercap",
    "/edev/1/fsa": "fsa",
    "/edev/1/rsps/site_control/rsp": "rsp",
    "/mup": "mup",
}
PROGRAMS = re.compile(r"/edev/1/fsa/(\d+)/derp$")
BELOW = re.compile(r"/edev/1/derp/(\d+)/(derc|dderc)$")


class Places:
    """`programs` in the order in which they were made: envoy numbers them so."""

    def __init__(self, utility: Utility) -> None:
        self._utility = utility
        self.programs: list[Program] = []

    def matches(self, endpoint: Any, request: Request) -> bool:
        """Whether a request asked for this endpoint."""
        if not isinstance(endpoint, str):
            raise TypeError(f"{endpoint} must be resolved first")
        if endpoint == "/mup/*":
            return request.name is not None and request.name.startswith("mirror:")
        if (name := self._name(endpoint)) is not None:
            return request.name == name
        return request.path == endpoint

    def _name(self, endpoint: str) -> str | None:
        if found := PROGRAMS.fullmatch(endpoint):
            return f"derp:{int(found[1]) - 1}"
        if found := BELOW.fullmatch(endpoint):
            return f"{found[2]}:{self._place(int(found[1]))}"
        return FIXED.get(endpoint)

    def _place(self, number: int) -> str:
        """Where the n-th program stands: its assignment, and its index there."""
        if number > len(self.programs):
            return "not made yet"
        wanted = self.programs[number - 1]
        for assignment, programs in enumerate(self._utility.programs):
            for index, program in enumerate(programs):
                if program is wanted:
                    return f"{assignment}:{index}"
        return "withdrawn"
