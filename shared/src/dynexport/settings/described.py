"""Sense checks of devices with `driver: registers`: their description is read, and must fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynexport.messages import Scope
from dynexport.settings.models import RegisterInverter, RegisterMeter, Site
from dynexport.settings.problems import ConfigError, Problem
from dynexport.settings.shape import Location, value_at
from dynexport.settings.source import Source

if TYPE_CHECKING:
    from dynexport.modbus.registers.model import Description


def descriptions(site: Site, source: Source) -> list[Problem]:
    """What is wrong with the descriptions that this site names, or with naming them here."""
    found: list[Problem] = []
    for place, device in _named(site):
        found += _look(place, device, source)
    return found


def _named(site: Site) -> list[tuple[Location, RegisterInverter | RegisterMeter]]:
    entries: list[tuple[Location, object]] = [(("meter",), site.meter)]
    entries += [(("inverters", number), entry) for number, entry in enumerate(site.inverters)]
    return [(place, entry) for place, entry in entries if isinstance(entry, RegisterInverter | RegisterMeter)]


def _look(place: Location, device: RegisterInverter | RegisterMeter, source: Source) -> list[Problem]:
    from dynexport.modbus.registers.catalogue import description, is_path

    setting = (*place, "device")
    try:
        found = description(device.device)
    except ConfigError as error:
        first = error.problems[0]
        if first.key == "" and first.line is None:  # the whole file, or no such name
            message = f"{first.file}: {first.message}" if is_path(device.device) else first.message
            return [source.problem(setting, message, hint=first.hint)]
        return error.problems
    wanted = "meter" if isinstance(device, RegisterMeter) else "inverter"
    if found.kind != wanted:
        return [source.problem(setting, f"{device.device} describes a device of `kind: {found.kind}`")]
    return _doubts(place, device, found, source)


def _limited_by_phase(source: Source) -> bool:
    limit_w = value_at(source.data, ("agreement", "export_limit_per_phase_w"))
    return limit_w is not None and value_at(source.data, ("site", "phases")) == 3


def _doubts(
    place: Location, device: RegisterInverter | RegisterMeter, found: Description, source: Source
) -> list[Problem]:
    if isinstance(device, RegisterMeter) or found.limit is None:
        return []
    if found.limit.scope is Scope.EXPORT and _limited_by_phase(source):
        message = (
            f"{device.device} holds the site's export as a whole: a limit of each phase would not be kept"
        )
        hint = "take an inverter whose limit holds down what it makes, or agree on a limit of the whole site"
        return [source.problem((*place, "device"), message, hint=hint)]
    if found.confidence == "unconfirmed" and not device.i_have_tested_this:
        message = f"{device.device} is unconfirmed: it is read, and nothing is written to it"
        hint = "test it (docs/devices.md says how), then say `i_have_tested_this: true`"
        return [source.problem((*place, "device"), message, hint=hint, level="warning")]
    return []
