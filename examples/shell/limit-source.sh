#!/usr/bin/env bash
# A source of limits, to copy: it says what stands in a file, which any other program may write.
#
#   echo 1500 > limit.txt      export at most 1500 W
#   echo none > limit.txt      this source says: no limit
#   rm limit.txt               it takes its word back, and says nothing
#
#   SOURCE=mine LIMIT_FILE=limit.txt ./limit-source.sh
#
# A file older than MAX_AGE_S (default 3600) no longer counts. site.yaml has to list the source.
# Needs mosquitto_pub. MQTT_HOST, MQTT_PORT, MQTT_USER, MQTT_PASSWORD say where the broker is.
set -u
export LC_ALL=C
root=${DYNEXPORT_ROOT:-dynexport} source=${SOURCE:-mine} file=${LIMIT_FILE:-limit.txt} max_age=${MAX_AGE_S:-3600}
service=${SERVICE:-$source}
availability=$root/service/$service/availability
broker=(-V mqttv5 -h "${MQTT_HOST:-localhost}" -p "${MQTT_PORT:-1883}")
[ -z "${MQTT_USER:-}" ] || broker+=(-u "$MQTT_USER" -P "${MQTT_PASSWORD:-}")
every=10 ttl=30

uptime_s() { read -r up _ </proc/uptime && echo "${up%.*}"; } # a clock that never jumps
say() { mosquitto_pub "${broker[@]}" -q 1 -r "$@"; }

statement() { # statement WATTS UNTIL(epoch): never outlives `until`; null is "no limit", left out would say nothing
  local left=$(($2 - $(date +%s)))
  printf '{"v": 1, "issued_at": "%s", "export_limit_w": %s, "ttl_s": %d, "until": "%s", "reason": "%s says so"}' \
    "$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)" "$1" $((left < ttl ? left : ttl)) \
    "$(date -u -d "@$2" +%Y-%m-%dT%H:%M:%SZ)" "${file##*/}"
}

wanted() { # "WATTS UNTIL", or nothing when there is nothing to say
  local word until
  word=$(head -c 32 "$file" 2>/dev/null) && until=$(($(stat -c %Y "$file") + max_age)) || return 0
  [ "$(date +%s)" -lt "$until" ] || return 0
  [ "$word" != none ] || word=null
  [[ $word =~ ^(null|[0-9]{1,8}([.][0-9]+)?)$ ]] && echo "$word $until"
}

leave() { # a source that leaves takes its word back: an empty payload, stored as nothing
  say -t "$root/limit/$source" -n
  say -t "$availability" -m offline
  exit 0
}
trap leave TERM INT

# A connection only for the last will; it is cut when this shell is gone, and the broker then says `offline` for it.
(
  mosquitto_sub "${broker[@]}" -i "$root-$service" -k 10 -t "$availability/nothing" \
    --will-topic "$availability" --will-payload offline --will-retain --will-qos 1 &
  while kill -0 $$ 2>/dev/null; do sleep 1; done
  kill -9 $!
) &
say -t "$availability" -m online

said= said_at=0
while true; do
  found=$(wanted)
  if [ "$found" != "$said" ] || { [ -n "$found" ] && [ $(($(uptime_s) - said_at)) -ge $every ]; }; then
    if [ -n "$found" ]; then
      # shellcheck disable=SC2086 # two words
      say -t "$root/limit/$source" -m "$(statement $found)" && said=$found said_at=$(uptime_s)
    else
      say -t "$root/limit/$source" -n && said=
    fi
  fi
  sleep 1 &
  wait $!
done
