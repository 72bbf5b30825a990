"""A reader of the site meter, to copy: `my-meter | python3 reader.py`.

Reads watts from its input, one number a line (+ import, - export), and says each as a reading. When the input is
silent it is silent too: a measurement is never said twice, so whoever controls by it knows that it is old.
Needs paho-mqtt 2. The environment says where the broker is: MQTT_HOST, MQTT_PORT, MQTT_USER, MQTT_PASSWORD.
"""

import contextlib
import json
import math
import os
import signal
import sys
from datetime import UTC, datetime

import paho.mqtt.client as mqtt

ROOT = os.environ.get("DYNEXPORT_ROOT", "dynexport")
NAME = os.environ.get("SERVICE", "meter-reader")  # whose place it takes; the broker drops one of two
LOCATION = os.environ.get("METER_LOCATION", "feed_in")  # or "consumption": the same as in site.yaml
AVAILABILITY = f"{ROOT}/service/{NAME}/availability"


def now():
    """The time as the contract writes it: UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def connect():
    """A connection that comes back by itself; the broker says `offline` for us when we are gone."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"{ROOT}-{NAME}", protocol=mqtt.MQTTv5)
    client.username_pw_set(os.environ.get("MQTT_USER"), os.environ.get("MQTT_PASSWORD"))
    client.will_set(AVAILABILITY, "offline", qos=1, retain=True)
    client.on_connect = lambda *_: client.publish(AVAILABILITY, "online", qos=1, retain=True)
    client.reconnect_delay_set(1, 30)
    client.connect_async(
        os.environ.get("MQTT_HOST", "localhost"), int(os.environ.get("MQTT_PORT", "1883")), keepalive=10
    )
    client.loop_start()
    return client


def leave(client):
    """Say `offline` and wait until it is sent."""
    if client.is_connected():
        with contextlib.suppress(RuntimeError):  # the broker has just gone: then the last will speaks
            client.publish(AVAILABILITY, "offline", qos=1, retain=True).wait_for_publish(3)
    client.disconnect()


def readings(lines):
    """Each line's number with the moment of its arrival; what is no number is skipped, not guessed."""
    for line in lines:
        try:
            watts = float(line)
        except ValueError:
            watts = math.nan
        if math.isfinite(watts):
            yield watts, now()
        else:
            print(f"no number of watts, skipped: {line.strip()!r}", file=sys.stderr)


def main():
    """Until the input ends, or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    client = connect()
    try:
        for watts, measured_at in readings(sys.stdin):
            reading = {
                "v": 1,
                "issued_at": now(),
                "measured_at": measured_at,
                "power_w": watts,
                "location": LOCATION,
            }
            if client.is_connected():  # never kept for later: what is late is worthless
                client.publish(f"{ROOT}/meter/site/reading", json.dumps(reading), qos=0, retain=False)
    except KeyboardInterrupt:
        pass
    finally:
        leave(client)


if __name__ == "__main__":
    main()
