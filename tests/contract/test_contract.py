"""Every topic: example, model, schema and documentation say the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dynexport.docs import example, files
from dynexport.messages import Message
from dynexport.settings.load import load, warnings
from dynexport.testing.examples import EXAMPLES
from dynexport.topics import TABLE, Topic

ROOT = Path(__file__).resolve().parents[2]
WITH_MODEL = [topic for topic in TABLE if topic.model is not None]


@pytest.mark.parametrize("topic", TABLE, ids=lambda topic: topic.name)
def test_every_topic_has_an_example(topic: Topic) -> None:
    assert topic in EXAMPLES


@pytest.mark.parametrize("topic", WITH_MODEL, ids=lambda topic: topic.name)
def test_an_example_survives_the_wire(topic: Topic) -> None:
    sample = EXAMPLES[topic]
    assert isinstance(sample, Message)
    assert topic.model is not None
    assert topic.model.model_validate_json(sample.to_payload()).to_payload() == sample.to_payload()


@pytest.mark.parametrize("topic", WITH_MODEL, ids=lambda topic: topic.name)
def test_an_example_is_one_object_of_listed_fields_that_says_its_version_and_its_time(topic: Topic) -> None:
    sample = EXAMPLES[topic]
    assert isinstance(sample, Message)
    payload = json.loads(sample.to_payload())
    assert payload["v"] == 1
    assert payload["issued_at"].endswith("Z")
    assert topic.model is not None
    assert set(payload) <= set(topic.model.model_json_schema()["properties"])


@pytest.mark.parametrize("name", sorted(files()))
def test_generated_pages_are_fresh(name: str) -> None:
    path = ROOT / name
    assert path.is_file(), "run `make docs`"
    assert path.read_text(encoding="utf-8") == files()[name], "run `make docs`"


def test_no_schema_stands_that_no_topic_has() -> None:
    assert {f"docs/schemas/{path.name}" for path in (ROOT / "docs" / "schemas").iterdir()} <= set(files())


def test_the_example_of_site_yaml_loads_without_errors_or_doubts(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(example(), encoding="utf-8")
    assert load(path, {}).inverters[0].id == "roof"
    assert warnings(path, {}) == []
