"""What SunSpec inverters are rated and set to: models 120, 121 and the newer 702."""

from __future__ import annotations

from dataclasses import dataclass

from dynexport.modbus.sunspec import BadValue, Values

NAMEPLATE, SETTINGS, CAPACITY = 120, 121, 702
LARGEST_RATING = 1e8


@dataclass(frozen=True, slots=True)
class Rated:
    """The rating models of one device, each None where it has not got it; watts, VA and var."""

    nameplate: Values | None
    settings: Values | None
    capacity: Values | None

    def base_w(self, *, newer: bool) -> float | None:
        """What percentages are of: 702 WMax for 704 (`newer`), 121 WMax for 123; else the nearest rating.

        Raises BadValue for one that no inverter can have: the next best would be another base.
        """
        older = [(self.settings, ("WMax",)), (self.nameplate, ("WRtg",))]
        capacity = [(self.capacity, ("WMax", "WMaxRtg"))]
        for values, names in [*capacity, *older] if newer else [*older, *capacity]:
            if (found := _rating(values, *names)) is not None:
                return found
        return None

    @property
    def nameplate_w(self) -> float | None:
        """120 WRtg, 702 WMaxRtg."""
        return _first((self.nameplate, ("WRtg",)), (self.capacity, ("WMaxRtg",)))

    @property
    def max_va(self) -> float | None:
        """121 VAMax, 702 VAMax, else the ratings."""
        return _first(
            (self.settings, ("VAMax",)), (self.capacity, ("VAMax", "VAMaxRtg")), (self.nameplate, ("VARtg",))
        )

    @property
    def max_var(self) -> float | None:
        """121 VArMaxQ1, 702 VarMaxInj, else its rating."""
        return _first((self.settings, ("VArMaxQ1",)), (self.capacity, ("VarMaxInj", "VarMaxInjRtg")))

    @property
    def der_type(self) -> int | None:
        """120 DERTyp; the newer models have none."""
        return self.nameplate.integer("DERTyp") if self.nameplate else None


def _rating(values: Values | None, *names: str) -> float | None:
    """The size of the first that is given (some makers sign the reactive one), watts, VA or var; 0 is not given.

    Raises BadValue for one that no inverter can have.
    """
    if values is None:
        return None
    for name in names:
        found = values.checked(name)
        if found is not None and abs(found) > LARGEST_RATING:
            raise BadValue(f"{values.where}: {name} is {found}")
        if found:
            return abs(found)
    return None


def _first(*wanted: tuple[Values | None, tuple[str, ...]]) -> float | None:
    """The first of several models' ratings, for the record only: nonsense counts as not given."""
    for values, names in wanted:
        try:
            found = _rating(values, *names)
        except BadValue:
            continue
        if found is not None:
            return found
    return None
