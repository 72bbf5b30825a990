"""Answers as the text of `site.yaml`: a new file with comments, or an owner's file with its comments kept."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from dynexport.settings.commented import commented
from dynexport.settings.models import Site
from dynexport.settings.shape import Location

HEAD = """\
# site.yaml: one file for the whole site, written by `dynexport setup`. docs/config.md explains every setting.
# Look at it with `dynexport check` after every change, and restart the services.
"""
ORDER = tuple(Site.model_fields)
REPLACED = ("meter", "inverters", "batteries", "uncontrolled", "sources", "tariff", "csip")
MEANINGS = {
    "manual": "Limits of your own, as `dynexport limit 0 --for 1h` sets them.",
    "tariff": "The windows below.",
    "csip": "The distributor's limits over CSIP-AUS.",
}


def new_text(answers: Mapping[str, Any]) -> str:
    """A file that did not exist; writing to inverters is off."""
    site = {**answers, "control": {**(answers.get("control") or {}), "enabled": False}}
    ordered = {name: site[name] for name in ORDER if name in site}
    names: dict[Location, str] = {
        ("sources", name): MEANINGS.get(name, "A source of your own.") for name in site.get("sources") or {}
    }
    return HEAD + commented(ordered, names)


def changed_text(text: str, answers: Mapping[str, Any]) -> str:
    """An existing file with these answers; what was not asked, and every comment on what stays, is kept."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(type(None), _null)
    site = yaml.load(text)
    for name, value in answers.items():
        _put(site, name, value, whole=name in REPLACED)
    if "tariff" in site and "tariff" not in (site.get("sources") or {}):
        del site["tariff"]  # without its source its windows would have no effect
    if "csip" in site and "csip" not in (site.get("sources") or {}):
        del site["csip"]  # nor would the server
    if site == yaml.load(text):
        return text
    out = io.StringIO()
    yaml.dump(site, out)
    return out.getvalue()


def _null(representer: Any, _nothing: None) -> Any:
    """`null` in words, as a new file has it; ruamel would write nothing at all."""
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _put(section: Any, key: Any, value: Any, *, whole: bool) -> None:
    """Set a value where it differs; below `whole` sections what is not answered goes."""
    before = section.get(key) if isinstance(section, dict) else section[key]
    if before == value:
        return
    if isinstance(before, dict) and isinstance(value, dict):
        for gone in [name for name in before if whole and name not in value]:
            del before[gone]
        for name, below in value.items():
            _put(before, name, below, whole=whole)
    elif isinstance(before, list) and isinstance(value, list) and _named(before) and _named(value):
        _put_entries(before, value, whole=whole)
    else:
        section[key] = value


def _named(entries: list[Any]) -> bool:
    return all(isinstance(entry, dict) and "id" in entry for entry in entries)


def _put_entries(before: Any, entries: list[Any], *, whole: bool) -> None:
    """Entries by their ids: those that stay keep their comments."""
    wanted = {entry["id"] for entry in entries}
    for number in range(len(before) - 1, -1, -1):
        if before[number]["id"] not in wanted:
            del before[number]
    for number, entry in enumerate(entries):
        at = next((place for place, other in enumerate(before) if other["id"] == entry["id"]), None)
        if at is None:
            before.insert(number, entry)
        else:
            _put(before, at, entry, whole=whole)
