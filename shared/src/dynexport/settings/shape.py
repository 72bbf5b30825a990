"""Which settings are allowed where: the models of `site.yaml`, walked by place."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, SecretStr

from dynexport.settings.models import Site

Location = tuple[str | int, ...]


def dotted(location: Location) -> str:
    """`inverters[0].tcp.port`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def value_at(data: Any, location: Location) -> Any:
    """What stands at a place of plain data; None where nothing does."""
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def alternatives(annotation: Any) -> list[Any]:
    """The types that a union holds, without null and without constraints."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return alternatives(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return [found for part in arguments for found in alternatives(part)]
    return [] if annotation is type(None) else [annotation]


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The settings models that an annotation holds, in lists and mappings too."""
    found: list[type[BaseModel]] = []
    for kind in alternatives(annotation):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found.append(kind)
        else:
            found += [model for part in typing.get_args(kind) for model in models_in(part)]
    return found


def allowed_types(location: Location, data: Any = None, root: type[BaseModel] = Site) -> list[Any]:
    """The types that fit a place of a file whose whole is a `root`; `data` (that whole) narrows them by the `driver`
    that it names.
    """
    kinds: list[Any] = [root]
    for number, part in enumerate(location):
        kinds = [inner for kind in kinds for inner in _inside(kind, part)]
        kinds = _fitting(kinds, value_at(data, location[: number + 1]))
    return kinds


def keys(location: Location, data: Any = None, root: type[BaseModel] = Site) -> list[str]:
    """The settings allowed below a place, sorted."""
    fields = {
        name for kind in allowed_types(location, data, root) if _is_model(kind) for name in kind.model_fields
    }
    return sorted(fields)


def section_of(key: str, root: type[BaseModel] = Site) -> str | None:
    """The section of a file in which alone a setting of this name stands."""
    sections = [
        name
        for name, field in root.model_fields.items()
        if any(key in model.model_fields for model in models_in(field.annotation))
    ]
    return sections[0] if len(sections) == 1 else None


def is_text(location: Location) -> bool:
    """Whether a place holds free text, so that 0123 stays 0123."""
    return any(kind in (str, SecretStr) for kind in allowed_types(location))


def is_secret(location: Location, root: type[BaseModel] = Site) -> bool:
    """Whether the value at a place must not be shown."""
    return SecretStr in allowed_types(location, root=root)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _inside(kind: Any, part: str | int) -> Sequence[Any]:
    if _is_model(kind):
        field = kind.model_fields.get(part)
        return alternatives(field.annotation) if field else []
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(part, int):
        return alternatives(arguments[0])
    return alternatives(arguments[1]) if origin is dict else []


def _fitting(kinds: list[Any], value: Any) -> list[Any]:
    driver = value.get("driver") if isinstance(value, dict) else None
    fitting = [kind for kind in kinds if driver in drivers(kind)]
    return fitting or kinds


def drivers(kind: Any) -> tuple[str, ...]:
    """The `driver` words of a model; none for what has no such setting."""
    field = kind.model_fields.get("driver") if _is_model(kind) else None
    return typing.get_args(field.annotation) if field else ()
