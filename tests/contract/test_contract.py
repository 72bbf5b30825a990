"""Every topic: example, model, JSON Schema and documentation say the same."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from dynexport.docs import files, write
from dynexport.docs.meanings import COMMON, MEANINGS, meaning
from dynexport.docs.payload_schema import schema_name
from dynexport.messages import Message
from dynexport.settings.load import load_with_warnings
from dynexport.settings.models import Site
from dynexport.settings.shape import models_in
from dynexport.testing.examples import EXAMPLES, IDS, MORE
from dynexport.topics import TABLE, Topic

from .schema_check import violations

ROOT = Path(__file__).resolve().parents[2]
MODELS = list(dict.fromkeys(topic.model for topic in TABLE if topic.model is not None))
SAMPLES = [(topic, sample) for topic, sample in EXAMPLES.items() if isinstance(sample, Message)]
SAMPLES += [(topic, sample) for topic, samples in MORE.items() for _, sample in samples]

each_sample = pytest.mark.parametrize(("topic", "sample"), SAMPLES, ids=[topic.name for topic, _ in SAMPLES])


def schema_of(topic: Topic) -> dict[str, Any]:
    """The committed one."""
    schema: dict[str, Any] = json.loads((ROOT / "docs" / "schemas" / schema_name(topic)).read_text())
    return schema


@pytest.mark.parametrize("topic", TABLE, ids=lambda topic: topic.name)
def test_every_topic_has_an_example_with_its_ids(topic: Topic) -> None:
    sample = EXAMPLES[topic]
    assert type(sample) is (topic.model or str)
    assert len(IDS.get(topic, ())) == topic.ids


@each_sample
def test_an_example_survives_the_wire(topic: Topic, sample: Message) -> None:
    read = type(sample).model_validate_json(sample.to_payload())
    assert type(sample) is topic.model
    assert read.model_copy(update={"v": 1}) == sample
    assert read.to_payload() == sample.to_payload()


@each_sample
def test_an_example_fits_the_json_schema_and_holds_listed_fields_only(topic: Topic, sample: Message) -> None:
    payload, schema = json.loads(sample.to_payload()), schema_of(topic)
    assert violations(payload, schema) == []
    assert set(payload) <= set(schema["properties"])


@pytest.mark.parametrize(
    "topic", [topic for topic, _ in SAMPLES[: len(EXAMPLES)]], ids=lambda topic: topic.name
)
def test_the_json_schema_refuses_what_the_model_refuses(topic: Topic) -> None:
    """A required field left out, and text in the place of each number."""
    sample = EXAMPLES[topic]
    assert isinstance(sample, Message)
    for broken in broken_payloads(sample):
        assert violations(broken, schema_of(topic)), broken
        with pytest.raises(ValueError, match="validation error"):
            type(sample).model_validate_json(json.dumps(broken))


def broken_payloads(sample: Message) -> Iterator[dict[str, Any]]:
    payload = json.loads(sample.to_payload())
    yield payload | {"v": 2}
    for name, field in type(sample).model_fields.items():
        if field.is_required():
            yield {key: value for key, value in payload.items() if key != name}
        if isinstance(payload.get(name), int | float):
            yield payload | {name: "much"}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_has_a_meaning_and_every_meaning_a_field(model: type[Message]) -> None:
    assert all(meaning(model, name) for name in model.model_fields)
    assert MEANINGS[model].keys() <= model.model_fields.keys()


def test_every_common_meaning_is_used() -> None:
    assert COMMON.keys() <= {name for model in MODELS for name in model.model_fields}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_name_that_ends_in_w_is_a_number_of_watts(model: type[Message]) -> None:
    schema = model.model_json_schema()["properties"]
    for name in model.model_fields:
        if name.endswith("_w"):
            assert "number" in json.dumps(schema[name])


def test_generated_pages_are_fresh_and_nothing_else_lies_among_them(tmp_path: Path) -> None:
    write(tmp_path)
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert {str(path) for path in written} == set(files())
    stale = [str(path) for path in sorted(written) if read(ROOT / path) != read(tmp_path / path)]
    assert stale == [], "run `make docs`"
    assert {path.name for path in (ROOT / "docs" / "schemas").iterdir()} == {
        path.name for path in written if path.parent.name == "schemas"
    }


def read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def test_writing_again_changes_nothing_and_takes_away_the_schema_of_a_topic_that_is_gone(
    tmp_path: Path,
) -> None:
    write(tmp_path)
    (tmp_path / "docs" / "schemas" / "gone.json").write_text("{}")
    first = files()
    write(tmp_path)
    assert not (tmp_path / "docs" / "schemas" / "gone.json").exists()
    assert first == files()


@pytest.mark.parametrize("topic", TABLE, ids=lambda topic: topic.name)
def test_a_topic_stands_in_the_page_with_its_table_row_and_how_to_watch_it(topic: Topic) -> None:
    page = files()["docs/topics.md"]
    assert f"\n| `{topic.name}` |" in page
    section = page.split(f"\n## `{topic.name}`\n")[1].split("\n## ")[0]
    assert (
        re.search(rf"mosquitto_sub -v -t '?dynexport/{re.escape(topic.name)}\b", section) or "+" in topic.name
    )
    assert f"dynexport/{topic.name}" in section


def test_every_setting_has_a_description_and_a_row() -> None:
    page = files()["docs/config.md"]
    seen: set[tuple[str, str]] = set()
    waiting: list[tuple[str, type[BaseModel]]] = [("", Site)]
    while waiting:
        above, model = waiting.pop()
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            seen.add((above, name))
            waiting += [(name, inner) for inner in models_in(field.annotation)]
    for above, name in seen - {("", name) for name in Site.model_fields}:
        assert re.search(rf"^\| `[^`]*\b{above}(\[0\]|\.NAME)?\.{name}` \|", page, re.MULTILINE), (
            f"{above}.{name}"
        )


def test_the_example_of_site_yaml_loads_without_mistakes_or_doubts() -> None:
    site, doubts = load_with_warnings(ROOT / "docs" / "site.example.yaml", {})
    assert doubts == []
    assert not site.control.enabled


def test_every_key_of_the_example_of_site_yaml_has_a_comment() -> None:
    lines = (ROOT / "docs" / "site.example.yaml").read_text().splitlines()
    bare = [
        line
        for above, line in itertools.pairwise(lines)
        if re.match(r"\s*(- )?\w+:", line) and "  # " not in line and not above.lstrip().startswith("# ")
    ]
    assert bare == []
