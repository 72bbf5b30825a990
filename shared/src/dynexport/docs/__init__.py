"""The generated pages, from the one table, the messages and the settings models: `python -m dynexport.docs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dynexport.docs.commands_page import commands_page
from dynexport.docs.config_page import config_page
from dynexport.docs.conform_page import conform_page
from dynexport.docs.devices_page import device_schema, devices_page
from dynexport.docs.payload_schema import payload_schema, schema_name
from dynexport.docs.site_example import site_example
from dynexport.docs.topics_page import topics_page
from dynexport.settings.schema import json_schema
from dynexport.topics import TABLE


def files() -> dict[str, str]:
    """Each generated file's text, by its path in the repository."""
    pages = {
        "docs/topics.md": topics_page(),
        "docs/config.md": config_page(),
        "docs/devices.md": devices_page(),
        "docs/conform.md": conform_page(),
        "docs/commands.md": commands_page(),
        "docs/site.example.yaml": site_example(),
        "docs/schemas/site.json": _json(json_schema()),
        "docs/schemas/device.json": _json(device_schema()),
    }
    for topic in TABLE:
        if topic.model is not None:
            pages[f"docs/schemas/{schema_name(topic)}"] = _json(payload_schema(topic, topic.model))
    return pages


def write(root: Path) -> None:
    """Write every generated file below `root` (the repository); a schema that no topic has goes."""
    pages = files()
    for old in (root / "docs" / "schemas").glob("*.json"):
        if f"docs/schemas/{old.name}" not in pages:
            old.unlink()
    for name, text in pages.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
