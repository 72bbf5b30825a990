"""Sense checks of inverters and loads behind MQTT: whose topics they are, and how often an inverter is published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dynexport.settings.problems import Problem
from dynexport.settings.sections import MqttSection
from dynexport.settings.shape import Location, dotted, value_at
from dynexport.settings.source import Source

SLOWEST_S = 1.0
SILENT_AFTER_S = 5.0


def mqtt_doubts(source: Source) -> list[Problem]:
    """Every doubt; those of level `error` are sure to be mistakes."""
    found = [*_topics(source, "inverters"), *_topics(source, "loads")]
    return [*_ours(found, source), *_echoes(source), *_one_command(found, source), *_periods(source)]


def _entries(source: Source, section: str) -> list[tuple[Location, dict[str, Any]]]:
    entries = value_at(source.data, (section,))
    listed = enumerate(entries) if isinstance(entries, list) else ()
    return [((section, number), entry) for number, entry in listed if isinstance(entry, dict)]


def _topics(source: Source, section: str) -> Iterator[tuple[Location, str]]:
    for place, _ in _entries(source, section):
        for below in (("topic",), ("command", "topic"), ("read_back", "topic")):
            topic = value_at(source.data, (*place, *below))
            if isinstance(topic, str):
                yield (*place, *below), topic


def _ours(found: list[tuple[Location, str]], source: Source) -> Iterator[Problem]:
    """Below our own root only our own services speak, each on its own topics."""
    root = value_at(source.data, ("mqtt", "root")) or MqttSection.model_fields["root"].default
    for place, topic in found:
        if topic == root or topic.startswith(f"{root}/"):
            hint = f"name the topic of the other side; below `{root}/` only Dynexport speaks"
            yield source.problem(place, "is one of Dynexport's own topics", value=topic, hint=hint)


def _echoes(source: Source) -> Iterator[Problem]:
    """What we send must not come back as what the device says."""
    for section in ("inverters", "loads"):
        for place, _ in _entries(source, section):
            sent = value_at(source.data, (*place, "command", "topic"))
            for below in (("topic",), ("read_back", "topic")):
                if isinstance(sent, str) and value_at(source.data, (*place, *below)) == sent:
                    message = f"is also what is read as {dotted((*place, *below))}"
                    yield source.problem((*place, "command", "topic"), message, value=sent)


def _one_command(found: list[tuple[Location, str]], source: Source) -> Iterator[Problem]:
    """Two devices that are told on one topic would each obey the other's limit."""
    first: dict[str, Location] = {}
    for place, topic in found:
        if place[-2] != "command":
            continue
        if topic in first:
            yield source.problem(place, f"is {dotted(first[topic])} too: each needs its own", value=topic)
        first.setdefault(topic, place)


def _periods(source: Source) -> Iterator[Problem]:
    """Contract: readings once a second or faster; an inverter counts as silent after 5 s."""
    for place, _ in _entries(source, "inverters"):
        period_s = value_at(source.data, (*place, "period_s"))
        if isinstance(period_s, bool) or not isinstance(period_s, int | float) or period_s <= SLOWEST_S:
            continue
        message = "the times promised in docs/safety.md hold for 1 s or less"
        if period_s > SILENT_AFTER_S / 2:
            message = (
                f"it counts as silent after {SILENT_AFTER_S:g} s, and then as making what it was last allowed"
            )
        yield source.problem((*place, "period_s"), message, value=f"{period_s:g}", level="warning")
