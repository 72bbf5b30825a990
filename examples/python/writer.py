"""A writer for one inverter that a command controls, to copy.

    INVERTER=roof RATED_W=5000 FAILSAFE_W=1500 READ="./read" LIMIT="./limit" python3 writer.py

`READ` prints two numbers: the watts that the inverter makes, and the limit that stands in it. `LIMIT WATTS` sets the
limit. FAILSAFE_W is this inverter's failsafe share, as `dynexport check` names it. The rules are those of
docs/conform.md; their reason is one sentence: silence, age and doubt never raise a limit.
Needs paho-mqtt 2; MQTT_HOST, MQTT_PORT, MQTT_USER, MQTT_PASSWORD say where the broker is.
"""

import contextlib
import json
import math
import os
import queue
import shlex
import signal
import subprocess
import threading
import time
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

ROOT = os.environ.get("DYNEXPORT_ROOT", "dynexport")
INVERTER = os.environ.get("INVERTER", "roof")
NAME = os.environ.get("SERVICE", "inverter-writer")  # whose place it takes; the broker drops one of two
RATED_W, FAILSAFE_W = float(os.environ["RATED_W"]), float(os.environ["FAILSAFE_W"])
READ, LIMIT = shlex.split(os.environ["READ"]), shlex.split(os.environ["LIMIT"])
AVAILABILITY = f"{ROOT}/service/{NAME}/availability"
LEASE_S, LONGEST_TTL_S, SKEW_S = 15.0, 15.0, 5.0


def now():
    """The time as the contract writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Acceptance:
    """Which setpoint counts, and what is wanted now."""

    def __init__(self):
        self.target_w = self.deadline = self.seq = self.engine = self.holder = None
        self.heard = -math.inf
        self.seqs = {}

    def offer(self, message, mono):
        """Take a setpoint in, or drop it."""
        if message.retain:
            return
        try:
            s = json.loads(message.payload)
            age_s = time.time() - datetime.fromisoformat(s["issued_at"].replace("Z", "+00:00")).timestamp()
            engine, seq, target_w = str(s["engine_id"]), int(s["seq"]), float(s["target_w"])
            ttl_s = min(float(s.get("ttl_s", 15)), LONGEST_TTL_S)
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if not 0 <= target_w < math.inf or abs(age_s) > SKEW_S or seq <= self.seqs.get(engine, -1):
            return
        if s.get("connect", True) is not True:
            target_w = 0.0  # this device cannot disconnect: nothing is what it may make
        self.seqs[engine] = seq
        if self.holder in (None, engine) or mono - self.heard > LEASE_S:
            self.holder, self.heard = None if s.get("release") is True else engine, mono
        elif self.target_w is not None:  # another engine can only tighten
            target_w = min(target_w, self.target_w)
        self.target_w, self.deadline, self.seq, self.engine = (
            min(target_w, RATED_W),
            mono + ttl_s,
            seq,
            engine,
        )

    def wanted(self, standing_w, mono):
        """(state, watts): without a valid setpoint the smallest of all that is known."""
        if self.target_w is not None and mono <= self.deadline:
            return "following", self.target_w
        known = [FAILSAFE_W, standing_w, self.target_w]
        return "failsafe", min(watts for watts in known if watts is not None)


class Writer:
    """The device, and what is said of it."""

    def __init__(self):
        self.inbox, self.acceptance, self.stopping = queue.Queue(1000), Acceptance(), threading.Event()
        self.applied_w = self.read_back_w = None
        self.said, self.said_at, self.written_at, self.read_at = None, 0.0, 0.0, 0.0
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=f"{ROOT}-{NAME}", protocol=mqtt.MQTTv5
        )
        self.client.username_pw_set(os.environ.get("MQTT_USER"), os.environ.get("MQTT_PASSWORD"))
        self.client.will_set(AVAILABILITY, "offline", qos=1, retain=True)
        self.client.on_connect = self.arrived
        self.client.on_message = lambda _client, _user, message: self.inbox.full() or self.inbox.put(message)

    def arrived(self, *_):
        """Say all afresh. Stored setpoints are not asked for, and one that was sent as such shows its flag."""
        options = SubscribeOptions(qos=0, retainAsPublished=True, retainHandling=2)
        self.client.subscribe(f"{ROOT}/setpoint/{INVERTER}", options=options)
        self.client.publish(AVAILABILITY, "online", qos=1, retain=True)
        self.publish("capability", 1, max_w=RATED_W, hardware_fallback="holds_last")
        self.said = None

    def publish(self, what, qos, **fields):
        """One message; readings (QoS 0) are not stored, the rest is. Nothing is kept for later."""
        if self.client.is_connected():
            text = json.dumps({"v": 1, "issued_at": now(), **fields})
            self.client.publish(f"{ROOT}/inverter/{INVERTER}/{what}", text, qos=qos, retain=qos > 0)

    def read(self):
        """Ask the device; one that does not answer is silent, and its reading is left out."""
        try:
            done = subprocess.run(READ, capture_output=True, text=True, timeout=3, check=True)
            power_w, limit_w = (float(word) for word in done.stdout.split())
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            print(f"the inverter does not answer: {error}", flush=True)
            return
        if self.read_back_w is None:  # first contact: what stands there may be the installer's limit
            self.applied_w = limit_w
        self.read_back_w = limit_w
        state = "throttled" if power_w >= 0.95 * limit_w else "mppt"
        self.publish("reading", 0, power_w=power_w, state=state, measured_at=now())

    def write(self, watts):
        """Set the limit, rounded down."""
        try:
            subprocess.run([*LIMIT, str(math.floor(watts))], timeout=3, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"the limit could not be written: {error}", flush=True)
            return
        self.applied_w, self.written_at = float(math.floor(watts)), time.monotonic()

    def step(self):
        """Take setpoints in, write what is due (a tightening at once, all else once a second), say it."""
        mono = time.monotonic()
        state, wanted_w = self.acceptance.wanted(self.applied_w, mono)
        since = mono - self.written_at
        tighter = self.applied_w is None or math.floor(wanted_w) < self.applied_w
        if self.read_back_w is not None and (
            tighter or (since >= 1 and math.floor(wanted_w) != self.applied_w) or since >= 8
        ):
            self.write(wanted_w)
        if mono - self.read_at >= 1.0:
            self.read_at = mono
            self.read()
        self.tell(state, wanted_w, mono)

    def tell(self, state, wanted_w, mono):
        """`control`, on change and every 10 s."""
        fields = {
            "state": state,
            "requested_w": wanted_w,
            "applied_w": self.applied_w,
            "read_back_w": self.read_back_w,
        }
        if fields != self.said or mono - self.said_at >= 10:
            self.said, self.said_at = fields, mono
            known = {**fields, "setpoint_seq": self.acceptance.seq, "engine_id": self.acceptance.engine}
            self.publish("control", 1, **{name: value for name, value in known.items() if value is not None})

    def run(self):
        """Until SIGTERM: then the smaller of the last target and the failsafe share is left behind."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        self.client.connect_async(
            os.environ.get("MQTT_HOST", "localhost"), int(os.environ.get("MQTT_PORT", "1883")), keepalive=10
        )
        self.client.loop_start()
        while not self.stopping.is_set():
            with contextlib.suppress(queue.Empty):
                self.acceptance.offer(self.inbox.get(timeout=0.1), time.monotonic())
            self.step()
        if self.read_back_w is not None:
            self.write(
                min(x for x in (FAILSAFE_W, self.applied_w, self.acceptance.target_w) if x is not None)
            )
        if self.client.is_connected():
            with contextlib.suppress(RuntimeError):  # the broker has just gone: then the last will speaks
                self.client.publish(AVAILABILITY, "offline", qos=1, retain=True).wait_for_publish(3)
        self.client.disconnect()


if __name__ == "__main__":
    Writer().run()
