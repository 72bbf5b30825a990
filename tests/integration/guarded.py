"""Our own Mosquitto configuration, as it is in the repository, on a loopback port of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from dynexport.broker import HOST, RunningBroker, mosquitto

MOSQUITTO = Path(__file__).resolve().parents[2] / "mosquitto"


def configuration(access: Path, port: int) -> Path:
    """`mosquitto/mosquitto.conf` but for its folders, its listener and, as root, its user."""
    stored = access.parent / "stored"
    stored.mkdir(exist_ok=True)
    text = (MOSQUITTO / "mosquitto.conf").read_text()
    for ours, here in (
        ("/etc/dynexport/", f"{access}/"),
        ("/var/lib/mosquitto/", f"{stored}/"),
        ("\nlistener 1883\n", f"\nlistener {port} {HOST}\n"),
    ):
        assert ours in text
        text = text.replace(ours, here)
    path = access.parent / "mosquitto.conf"
    path.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
    return path


def guarded_broker(access: Path, port: int) -> RunningBroker:
    """Started by `mosquitto/run`, which watches the folder."""
    program = mosquitto()
    assert program is not None
    path = f"PATH={Path(program).parent}:{os.environ['PATH']}"
    command = ["env", path, f"DYNEXPORT_BROKER={access / 'mosquitto'}", str(MOSQUITTO / "run")]
    return RunningBroker(
        "mosquitto", port, [*command, "-c", str(configuration(access, port))], access.parent / "log"
    )
