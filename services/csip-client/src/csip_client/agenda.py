"""What the control lane asks next: each resource with a pace of its own, programs before everything else."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from csip_client.pace import Pace

DCAP, TIME, DEVICES, REGISTRATION, FSA = "dcap", "time", "devices", "registration", "fsa"
PROGRAMS = "programs:"  # with the address of the list: one for each function set assignment
ABOVE = (DCAP, TIME, DEVICES)  # what does not depend on our registration
REMEMBERED = 200


class Agenda:
    """The paces by resource; `mono` is ours, seconds.

    How often an address was asked is remembered beyond what leads to it, so that no discovery is a storm.
    """

    def __init__(self, random: Callable[[], float], dcap: Pace) -> None:
        self._random = random
        self.paces: dict[str, Pace] = {DCAP: dcap}
        self._by_address: OrderedDict[str, Pace] = OrderedDict()

    def due(self, mono: float) -> float:
        """Seconds until something is to be asked; 0 or less is now."""
        return min(pace.due for pace in self.paces.values()) - mono

    def next(self, mono: float) -> str:
        """The resource to ask: of what is due a program, because a control may live for a minute only."""
        return min(
            self.paces,
            key=lambda each: (
                self.paces[each].due > mono,
                not each.startswith(PROGRAMS),
                self.paces[each].due,
            ),
        )

    def keep(self, name: str, href: str | None, mono: float) -> None:
        """A resource that a link leads to is asked from now on; without the link no longer."""
        if href is None:
            self.paces.pop(name, None)
        elif name not in self.paces:
            self.begin(name, href, mono)

    def begin(self, name: str, href: str, mono: float) -> Pace:
        """From now on this address is asked; as soon as that is allowed."""
        pace = self.paces[name] = self._by_address.setdefault(href, Pace(self._random))
        self._by_address.move_to_end(href)
        if len(self._by_address) > REMEMBERED:
            self._by_address.popitem(last=False)
        pace.soon(mono)
        return pace

    def keep_programs(self, lists: Iterable[str], mono: float) -> None:
        """These lists of programs are asked from now on, and no other."""
        wanted = {PROGRAMS + href: href for href in lists}
        for name in [name for name in self.paces if name.startswith(PROGRAMS) and name not in wanted]:
            del self.paces[name]
        for name, href in wanted.items():
            self.keep(name, href, mono)

    def only_above(self) -> None:
        """Nothing that our registration led to is asked any more."""
        self.paces = {name: pace for name, pace in self.paces.items() if name in ABOVE}

    def anew(self, mono: float, names: Iterable[str] | None = None) -> None:
        """Ask these at once, or everything."""
        for name in self.paces if names is None else names:
            if name in self.paces:
                self.paces[name].soon(mono)

    def after_an_outage(self, answered: str, mono: float) -> None:
        """The server is back: what failed and all programs are asked at once, except what has just been answered."""
        for name, pace in self.paces.items():
            if name != answered and (pace.failures or name.startswith(PROGRAMS)):
                pace.soon(mono)
