"""`site.yaml` as plain data, and the line on which each setting stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dynexport.settings.models import Site
from dynexport.settings.problems import ConfigError, Problem
from dynexport.settings.shape import Location, dotted

if TYPE_CHECKING:
    from pydantic import BaseModel
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.nodes import MappingNode, Node

START = "start from docs/site.example.yaml"
MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Source:
    """One file, read: the whole of a `root`. `variables` names the environment variable that overrode a setting."""

    file: str
    data: dict[str, Any]
    lines: dict[Location, int] = field(default_factory=dict)
    variables: dict[Location, str] = field(default_factory=dict)
    root: type[BaseModel] = Site

    def problem(
        self,
        location: Location,
        message: str,
        *,
        value: str | None = None,
        hint: str | None = None,
        level: Literal["error", "warning"] = "error",
    ) -> Problem:
        """A problem at a place: the setting's own line, or the nearest one above it, or the variable."""
        above = [location[:length] for length in range(len(location), 0, -1)]
        for place in above:
            if place in self.variables:
                return Problem("environment", None, self.variables[place], message, value, hint, level)
        line = next((self.lines[place] for place in above if place in self.lines), None)
        return Problem(self.file, line, dotted(location), message, value, hint, level)


def read(path: Path, root: type[BaseModel] = Site, *, start: str = START) -> Source:
    """Read a file; raises ConfigError for one that is missing, empty or not YAML."""
    node = _compose(str(path), _text(path, start))
    reader = _Reader(str(path))
    data = reader.value(node, ()) if node is not None else None
    if reader.problems:
        raise ConfigError(reader.problems)
    if not isinstance(data, dict):
        what = "is empty" if data is None else "must be settings, one `key: value` a line"
        raise ConfigError([Problem(str(path), None, "", what, hint=start)])
    return Source(str(path), data, reader.lines, root=root)


def scalar(text: str) -> Any:
    """A single value as YAML reads it; text that YAML cannot read is that text."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return text


def _text(path: Path, start: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        hint = f"name it with --config or DYNEXPORT_CONFIG, or {start}" if start is START else start
        raise ConfigError([Problem(str(path), None, "", "there is no such file", hint=hint)]) from None
    except UnicodeDecodeError:
        raise ConfigError([Problem(str(path), None, "", "is not text in UTF-8")]) from None
    except OSError as error:
        raise ConfigError([Problem(str(path), None, "", f"cannot be read: {error.strerror}")]) from None


def _compose(file: str, text: str) -> Node | None:
    """The tree with its lines; ruamel.yaml is imported here only, and nothing of it outlives `read`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        raise ConfigError([_not_yaml(file, text, error)]) from None
    except YAMLError as error:
        raise ConfigError([Problem(file, None, "", f"is not YAML: {error}")]) from None
    except RecursionError:
        raise ConfigError([Problem(file, None, "", "is nested too deep", hint=START)]) from None
    return node


def _not_yaml(file: str, text: str, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    lines = text.splitlines()
    tab = line is not None and any("\t" in lines[number] for number in range(line - 1, min(line, len(lines))))
    hint = "indent with spaces, never with tabs" if tab else "look at this line and the one before it"
    return Problem(file, line, "", f"is not YAML: {error.problem or error.context}", hint=hint)


class _Reader:
    """Turns the tree into plain data; keeps lines, and every mistake that is the file's, not a setting's."""

    def __init__(self, file: str) -> None:
        from ruamel.yaml import YAML

        self.file = file
        self.lines: dict[Location, int] = {}
        self.problems: list[Problem] = []
        self._constructor = YAML(typ="safe", pure=True).constructor
        self._open: list[Node] = []

    def value(self, node: Node, location: Location) -> Any:
        """The data of a node."""
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        if node in self._open:
            return self._refuse(node, location, "holds itself", "write it out")
        self._open.append(node)
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, location)
            if isinstance(node, SequenceNode):
                return [self._at(child, (*location, number)) for number, child in enumerate(node.value)]
            return self._scalar(node, location)
        finally:
            self._open.pop()

    def _mapping(self, node: MappingNode, location: Location) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, below in node.value:
            if not isinstance(key.value, str) or key.tag == MERGE:
                self._refuse(key, location, "must be named by a word", "write the settings out")
                continue
            place = (*location, key.value)
            if key.value in data:
                hint = f"keep one of the two: the other is on line {self.lines[place]}"
                self._refuse(key, place, f'there are two of the same key "{key.value}"', hint)
                continue
            self.lines[place] = key.start_mark.line + 1
            data[key.value] = self.value(below, place)
        return data

    def _at(self, node: Node, location: Location) -> Any:
        self.lines[location] = node.start_mark.line + 1
        return self.value(node, location)

    def _scalar(self, node: Node, location: Location) -> Any:
        from ruamel.yaml.error import YAMLError

        try:
            return self._constructor.construct_object(node)
        except (YAMLError, ValueError):
            return self._refuse(node, location, "cannot be read", f"put it in quotes: '{node.value}'")

    def _refuse(self, node: Node, location: Location, message: str, hint: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(Problem(self.file, line, dotted(location), message, hint=hint))
