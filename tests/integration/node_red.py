"""Node-RED from its registry, outside the repository, running flows without an editor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from dynexport.broker import free_port

VERSION = "node-red@4"
FOLDER = Path(os.environ.get("DYNEXPORT_NODE_RED", Path(tempfile.gettempdir()) / "dynexport-node-red-4"))
INSTALLS_WITHIN_S = 300
SETTINGS = """\
module.exports = {
    uiHost: "127.0.0.1", uiPort: %d, httpAdminRoot: false, httpNodeRoot: false, disableEditor: true,
    flowFile: "flows.json", credentialSecret: false, functionExternalModules: true,
    logging: {console: {level: "warn", metrics: false, audit: false}}
};
"""


def installed() -> Path:
    """The program's folder; skips the test with one line when it cannot be had."""
    program = FOLDER / "node_modules" / "node-red" / "red.js"
    if program.is_file():
        return program
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm is not installed: the Node-RED flows are not tried")
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = [
        "npm",
        "install",
        "--no-save",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(FOLDER),
    ]
    try:
        done = subprocess.run(
            [*command, VERSION], capture_output=True, text=True, timeout=INSTALLS_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install {VERSION} within {INSTALLS_WITHIN_S} s: the flows are not tried")
    if done.returncode != 0 or not program.is_file():
        pytest.skip(f"npm cannot install {VERSION}: {done.stderr.strip().splitlines()[:1]}")
    return program


def command(program: Path, flows: Sequence[Path], folder: Path) -> list[str]:
    """How to run these flows together."""
    nodes = [node for flow in flows for node in json.loads(flow.read_text())]
    (folder / "flows.json").write_text(json.dumps(nodes))
    (folder / "settings.js").write_text(SETTINGS % free_port())
    return ["node", str(program), "--userDir", str(folder), "--settings", str(folder / "settings.js")]
