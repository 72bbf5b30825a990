#!/usr/bin/env bash
# A reader of the site meter, to copy: my-meter | ./reader.sh
#
# Reads watts from its input, one number a line (+ import, - export), and says each as a reading. When the input is
# silent it is silent too. Needs mosquitto_pub. MQTT_HOST, MQTT_PORT, MQTT_USER, MQTT_PASSWORD say where the broker is.
set -u
export LC_ALL=C
root=${DYNEXPORT_ROOT:-dynexport} service=${SERVICE:-meter-reader} location=${METER_LOCATION:-feed_in}
availability=$root/service/$service/availability
broker=(-V mqttv5 -h "${MQTT_HOST:-localhost}" -p "${MQTT_PORT:-1883}")
[ -z "${MQTT_USER:-}" ] || broker+=(-u "$MQTT_USER" -P "${MQTT_PASSWORD:-}")
number='^-?[0-9]+([.][0-9]+)?$'

now() { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }
say_available() { mosquitto_pub "${broker[@]}" -q 1 -r -t "$availability" -m "$1"; }

readings() { # each number with the time of its arrival
  while read -r watts; do
    [[ $watts =~ $number ]] || { echo "no number of watts, skipped: $watts" >&2; continue; }
    time=$(now)
    printf '{"v": 1, "issued_at": "%s", "measured_at": "%s", "power_w": %s, "location": "%s"}\n' \
      "$time" "$time" "$watts" "$location"
  done
}

# One connection for all readings (-l: a message a line, QoS 0, not retained). Its last will says `offline` for us.
exec 3< <(readings)
mosquitto_pub "${broker[@]}" -i "$root-$service" -k 10 -q 0 -t "$root/meter/site/reading" -l \
  --will-topic "$availability" --will-payload offline --will-retain --will-qos 1 <&3 &
publisher=$!
# When this shell is killed, the connection is cut, and the broker then says `offline` for it.
(while kill -0 $$ 2>/dev/null; do sleep 1; done; kill -9 $publisher 2>/dev/null) &
trap 'kill $publisher 2>/dev/null; say_available offline; exit 0' TERM INT
say_available online
wait $publisher
say_available offline
