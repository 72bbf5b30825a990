"""A topic's JSON Schema: the payload model's own, with what each field means."""

from __future__ import annotations

from typing import Any

from dynexport.docs.meanings import meaning, unit
from dynexport.messages import Message
from dynexport.settings.schema import DIALECT
from dynexport.topics import Topic


def schema_name(topic: Topic) -> str:
    """The file of a topic's JSON Schema."""
    return topic.name.replace("/+", "").replace("/", "-") + ".json"


def payload_schema(topic: Topic, model: type[Message]) -> dict[str, Any]:
    """The schema, in the dialect 2020-12; fields that it does not list are ignored by who reads."""
    schema = model.model_json_schema()
    for name, described in schema["properties"].items():
        described.pop("title", None)
        described["description"] = meaning(model, name) + (f" Unit: {unit(name)}." if unit(name) else "")
    about = f"{topic.about[0].upper()}{topic.about[1:]}."
    return {"$schema": DIALECT, **schema, "title": topic.name, "description": about}
