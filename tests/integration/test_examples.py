"""Each stand-in of examples/ passes `dynexport conform`; so do the originals; and stand-ins drive the real stack."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

import pytest
from bench.stack import CLOCK, Stack, stack

from dynexport.bus import MqttBus
from dynexport.ports import RawReceived
from dynexport.settings.models import MqttSection

from . import node_red
from .programs import EXAMPLES, INVERTER_W, Bench, bench, conform, device, feed, verdicts

pytestmark = pytest.mark.integration

READER = ("reader", "--service", "meter-reader", "--for", "44s")
LIMITS = ("limit-source", "--for", "44s", "--source")
WRITER = (
    "writer", "--inverter", "roof", "--service", "inverter-writer", "--ttl", "4s", "--yes", "--for", "44s",
)  # fmt: skip
ALL_KEPT = [
    (0, ["next: let it take the original's place: `dynexport up --without NAME`, see examples/README.md\n"])
]


def judged(
    running: Bench, source: str, stop: Callable[[], None] | None = None
) -> list[tuple[int, list[str]]]:
    """A reader, a limit source and a writer, all at once."""
    judges = [
        conform(running.broker, *READER),
        conform(running.broker, *LIMITS, source, "--service", source),
        conform(running.broker, *WRITER),
    ]
    return verdicts(judges, stop or running.stop)


def start_all(
    running: Bench, reader: Sequence[object], limits: Sequence[object], writer: Sequence[object]
) -> None:
    limit_file = running.folder / "limit.txt"
    limit_file.write_text("1500\n")
    feed(running.start(*map(str, reader), feeds=True), b"-1480.5\n", 0.5)
    running.start(*map(str, limits), env={"SOURCE": "mine", "LIMIT_FILE": str(limit_file)})
    running.start(*map(str, writer), env=device(running.folder))
    CLOCK.sleep(3.0)


def test_the_python_stand_ins_keep_every_rule() -> None:
    python = EXAMPLES / "python"
    with bench() as running:
        start_all(
            running,
            *([sys.executable, python / name] for name in ("reader.py", "limit_source.py", "writer.py")),
        )
        assert judged(running, "mine") == ALL_KEPT * 3
        assert int((running.folder / "state").read_text()) <= 1500, "a writer that stops leaves a safe limit"


def test_the_shell_stand_ins_keep_every_rule() -> None:
    for program in ("bash", "mosquitto_pub", "mosquitto_sub", "jq"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    shell = EXAMPLES / "shell"
    with bench() as running:
        start_all(running, *([shell / name] for name in ("reader.sh", "limit-source.sh", "writer.sh")))
        assert judged(running, "mine") == ALL_KEPT * 3
        assert int((running.folder / "state").read_text()) <= 1500, "a writer that stops leaves a safe limit"


def test_the_node_red_flows_keep_every_rule() -> None:
    program = node_red.installed()
    flows = [EXAMPLES / "node-red" / f"{name}.json" for name in ("reader", "limit-source", "writer")]
    with bench() as running:
        home = Home(running)
        running.start(*node_red.command(program, flows, running.folder))

        def stop() -> None:
            home.wish(b"")
            CLOCK.sleep(1.0)
            running.stop()

        try:
            CLOCK.sleep(8.0)
            assert judged(running, "home", stop) == ALL_KEPT * 3
        finally:
            home.close()


class Home:
    """What the flows stand between: a meter, an owner's wish, and an inverter in full sun, on topics of their own."""

    def __init__(self, running: Bench) -> None:
        self.bus = connect(running.broker.host, running.broker.port, "my", "my/inverter/limit/set")
        self.limit_w = float(INVERTER_W)
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.wish(b"1500")

    def wish(self, word: bytes) -> None:
        self.bus.publish_raw("home/export-limit", word, retain=True)

    def close(self) -> None:
        self.closed.set()
        self.thread.join(5)
        self.bus.stop()

    def _run(self) -> None:
        while not self.closed.wait(0.5):
            for received in self.bus.drain():
                if isinstance(received, RawReceived):
                    self.limit_w = float(received.payload)
            self.bus.publish_raw("my/meter/power", b"-1480.5")
            self.bus.publish_raw("my/inverter/limit", str(self.limit_w).encode())
            self.bus.publish_raw("my/inverter/power", str(self.limit_w).encode())


def connect(host: str, port: int, root: str, topic: str) -> MqttBus:
    """A bus that is connected and hears one foreign topic."""
    bus = MqttBus(MqttSection(host=host, port=port, root=root), f"{root}-beside", clock=CLOCK)
    bus.subscribe_raw(topic)
    bus.start()
    end = CLOCK.mono() + 10.0
    while not bus.connected and CLOCK.mono() < end:
        bus.wait(0.1)
        bus.drain()
    assert bus.connected
    return bus


def tell_the_truth(process: subprocess.Popen[bytes], site: Stack) -> MqttBus:
    """Feed a reader with the power at the grid connection by the simulator's own account."""
    topic = f"{site.bus.root}/simulator/truth"
    bus = connect(site.broker.host, site.broker.port, site.bus.root, topic)

    def feed_it() -> None:
        assert process.stdin is not None
        while process.poll() is None:
            bus.wait(0.5)
            for received in bus.drain():
                if isinstance(received, RawReceived):
                    process.stdin.write(f"{json.loads(received.payload)['site_w']}\n".encode())
                    process.stdin.flush()

    threading.Thread(target=feed_it, daemon=True).start()
    return bus


def settles(site: Stack, low_w: float, high_w: float) -> bool:
    """Whether the mean export of 3 s comes between the two within 40 s."""
    end = CLOCK.mono() + 40.0
    while CLOCK.mono() < end:
        start = CLOCK.mono()
        site.wait(3.0)
        samples = [sample.export_w for sample in site.record.since(start)]
        if low_w < sum(samples) / len(samples) < high_w:
            return True
    return False


def test_a_stand_in_reader_and_a_stand_in_limit_source_drive_the_real_stack() -> None:
    python = EXAMPLES / "python"
    with stack(export_limit_w=5000.0, load_w=3000.0) as site:
        site.start(["inverter_writer", "limit_engine"])
        running = Bench(site.broker, site.directory)
        limit_file = site.directory / "limit.txt"
        root = {"DYNEXPORT_ROOT": site.bus.root}
        try:
            reader = running.start(sys.executable, python / "reader.py", feeds=True, env=root)
            source = {"SOURCE": "tariff", "LIMIT_FILE": str(limit_file)}
            running.start(sys.executable, python / "limit_source.py", env={**source, **root})
            beside = tell_the_truth(reader, site)
            assert settles(site, 4850, 5030), "the reader's word lets the site export what it may"
            limit_file.write_text("1500")
            assert settles(site, 1000, 1530), "the source's word limits it"
            limit_file.unlink()
            assert settles(site, 4850, 5030), "taken back it limits no longer"
            beside.stop()
        finally:
            running.stop()


def test_the_originals_of_reader_and_engine_keep_every_rule() -> None:
    with stack(export_limit_w=5000.0, load_w=3000.0) as site:
        services = ("meter_reader", "inverter_writer", "limit_engine")
        site.start(services)
        site.wait(5.0)
        words = ("--for", "16s", "--root", site.bus.root)
        judges = [
            conform(site.broker, "reader", "--service", "meter-reader", *words),
            conform(site.broker, "engine", "--service", "limit-engine", *words),
        ]
        assert verdicts(judges, lambda: site.stop(services)) == ALL_KEPT * 2


def test_the_original_writer_keeps_every_rule_and_conform_does_not_speak_beside_an_engine() -> None:
    with stack(export_limit_w=5000.0, load_w=3000.0) as site:
        site.start(["inverter_writer"])
        site.wait(4.0)
        words = ("writer", "--inverter", "i0", "--service", "inverter-writer", "--root", site.bus.root)
        judge = conform(site.broker, *words, "--ttl", "4s", "--yes")
        assert verdicts([judge], lambda: site.stop(["inverter_writer"])) == ALL_KEPT
        site.start(["limit_engine"])
        site.wait(4.0)
        beside = conform(site.broker, *words, "--yes")
        assert beside.process.wait(30) == 2
        assert "limit-engine is online" in "".join(beside.lines)
