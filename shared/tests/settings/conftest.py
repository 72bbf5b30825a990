"""A good `site.yaml` that a test changes in one place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from dynexport.settings.load import ConfigError, load, load_with_warnings
from dynexport.settings.models import Site
from dynexport.settings.problems import Problem

GOOD = """\
site: {name: Home, time_zone: Australia/Adelaide}
mqtt: {host: localhost}
agreement:
  export_limit_w: 5000
  failsafe_export_limit_w: 1500
meter: {driver: sunspec, tcp: {host: 192.0.2.10}, unit: 240}
inverters:
  - {id: roof, driver: sunspec, tcp: {host: 192.0.2.11}, rated_w: 10000}
sources:
  manual: {kind: preference}
"""


class SiteFile:
    """`site.yaml` in a folder of its own: GOOD, changed by `put` and `add`, or another text by `write`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write(GOOD)

    def write(self, text: str | bytes) -> SiteFile:
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self

    def put(self, old: str, new: str) -> SiteFile:
        """Replace what stands exactly once."""
        text = self.path.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        return self.write(text.replace(old, new))

    def add(self, text: str) -> SiteFile:
        return self.write(self.path.read_text() + text)

    def load(self, env: Mapping[str, str] | None = None) -> Site:
        return load(self.path, env or {})

    def warnings(self) -> list[Problem]:
        return load_with_warnings(self.path, {})[1]

    def problems(self, env: Mapping[str, str] | None = None) -> list[Problem]:
        with pytest.raises(ConfigError) as error:
            load(self.path, env or {})
        return error.value.problems

    def problem(self, env: Mapping[str, str] | None = None) -> Problem:
        """The only one."""
        (problem,) = self.problems(env)
        return problem


@pytest.fixture
def site_file(tmp_path: Path) -> SiteFile:
    return SiteFile(tmp_path / "site.yaml")
