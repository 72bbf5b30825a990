"""The JSON Schema of `site.yaml`, for editors."""

from __future__ import annotations

from typing import Any

from dynexport.settings.models import Site

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema, in the dialect 2020-12."""
    return {"$schema": DIALECT, **Site.model_json_schema(), "title": "site.yaml"}
