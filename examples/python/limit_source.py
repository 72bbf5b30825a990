"""A source of limits, to copy: it says what stands in a file, which any other program may write.

    echo 1500 > limit.txt      export at most 1500 W
    echo none > limit.txt      this source says: no limit
    rm limit.txt               it takes its word back, and says nothing

    SOURCE=mine LIMIT_FILE=limit.txt python3 limit_source.py

A file older than MAX_AGE_S (default 3600) no longer counts. site.yaml has to list the source:
`sources: {mine: {kind: preference}}`. Needs paho-mqtt 2; MQTT_HOST, MQTT_PORT, MQTT_USER, MQTT_PASSWORD say where.
"""

import contextlib
import json
import os
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt

ROOT = os.environ.get("DYNEXPORT_ROOT", "dynexport")
SOURCE = os.environ.get("SOURCE", "mine")
NAME = os.environ.get("SERVICE", SOURCE)
FILE = Path(os.environ.get("LIMIT_FILE", "limit.txt"))
MAX_AGE_S = float(os.environ.get("MAX_AGE_S", "3600"))
AVAILABILITY = f"{ROOT}/service/{NAME}/availability"
TOPIC = f"{ROOT}/limit/{SOURCE}"
EVERY_S, TTL_S = 10.0, 30.0  # said every 10 s; when we are silent for 30 s it no longer counts


def rfc3339(seconds):
    """A time as the contract writes it."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def wanted():
    """(watts or None for "no limit", until when); None when there is nothing to say."""
    try:
        word, until = FILE.read_text().strip(), FILE.stat().st_mtime + MAX_AGE_S
        watts = None if word == "none" else float(word)
    except (OSError, ValueError):
        return None
    if time.time() >= until or (watts is not None and not 0 <= watts <= 1e8):
        return None
    return watts, until


def payload(found):
    """The statement; an empty payload takes it back. It never outlives `until`."""
    if found is None:
        return b""
    watts, until = found
    now = time.time()
    return json.dumps({
        "v": 1,
        "issued_at": rfc3339(now),
        "export_limit_w": watts,  # null is "no limit"; left out it would say nothing
        "ttl_s": round(min(TTL_S, max(0.0, until - now)), 3),
        "until": rfc3339(until),
        "reason": f"{FILE.name} says so",
    })  # fmt: skip


def connect(said_anew):
    """A connection that comes back by itself, and says everything anew when it does."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"{ROOT}-{NAME}", protocol=mqtt.MQTTv5)
    client.username_pw_set(os.environ.get("MQTT_USER"), os.environ.get("MQTT_PASSWORD"))
    client.will_set(AVAILABILITY, "offline", qos=1, retain=True)

    def arrived(*_):
        client.publish(AVAILABILITY, "online", qos=1, retain=True)
        said_anew.set()

    client.on_connect = arrived
    client.connect_async(
        os.environ.get("MQTT_HOST", "localhost"), int(os.environ.get("MQTT_PORT", "1883")), keepalive=10
    )
    client.loop_start()
    return client


def main():
    """Look at the file every second; say it on change and every 10 s."""
    stop, anew = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    client = connect(anew)
    said, said_at = None, 0.0
    while not stop.wait(1.0):
        found = wanted()
        due = found is not None and time.monotonic() - said_at >= EVERY_S
        if client.is_connected() and (due or found != said or anew.is_set()):
            anew.clear()
            client.publish(TOPIC, payload(found), qos=1, retain=True)
            said, said_at = found, time.monotonic()
    if client.is_connected():  # a source that leaves takes its word back
        client.publish(TOPIC, b"", qos=1, retain=True)
        with contextlib.suppress(RuntimeError):  # the broker has just gone: then the last will speaks
            client.publish(AVAILABILITY, "offline", qos=1, retain=True).wait_for_publish(3)
    client.disconnect()


if __name__ == "__main__":
    main()
