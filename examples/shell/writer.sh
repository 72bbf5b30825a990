#!/usr/bin/env bash
# A writer for one inverter that a command controls, to copy.
#
#   INVERTER=roof RATED_W=5000 FAILSAFE_W=1500 READ=./read LIMIT=./limit ./writer.sh
#
# READ prints two whole numbers: the watts that the inverter makes, and the limit that stands in it. `LIMIT WATTS` sets
# the limit. FAILSAFE_W is this inverter's failsafe share, as `dynexport check` names it. The rules are those of
# docs/conform.md; their reason is one sentence: silence, age and doubt never raise a limit.
# Needs mosquitto_sub, mosquitto_pub and jq. MQTT_HOST, MQTT_PORT, MQTT_USER, MQTT_PASSWORD say where the broker is.
set -u
export LC_ALL=C
root=${DYNEXPORT_ROOT:-dynexport} inverter=${INVERTER:-roof} service=${SERVICE:-inverter-writer}
rated=$RATED_W failsafe=$FAILSAFE_W lease=1500 longest_ttl=1500 # hundredths of a second
availability=$root/service/$service/availability topic=$root/inverter/$inverter
broker=(-V mqttv5 -h "${MQTT_HOST:-localhost}" -p "${MQTT_PORT:-1883}")
[ -z "${MQTT_USER:-}" ] || broker+=(-u "$MQTT_USER" -P "${MQTT_PASSWORD:-}")

target='' deadline=0 seq='' engine='' holder='' heard=0 # the setpoint in force, and who holds the lease
applied='' read_back='' written=0 looked=0 said='' said_at=0
declare -A seqs=() # the last seq of each engine

now() { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }
clock() { read -r mono _ </proc/uptime && mono=${mono/./}; } # sets `mono`, hundredths of a second, never jumping
least() { printf '%s\n' "$@" | grep . | sort -n | head -1; }
number() { [[ $1 =~ ^[0-9]{1,9}$ ]]; }
store() { mosquitto_pub "${broker[@]}" -q 1 -r "$@"; }

# One line of words for a setpoint that counts as far as its own text tells; nothing for any other.
parse='
  select(type == "object" and (.target_w | type) == "number" and .target_w >= 0 and (.seq | type) == "number")
  | select((.engine_id | type) == "string" and (.engine_id | test("^[!-~]{1,64}$")))
  | (.issued_at | capture("^(?<s>.{19})(?<f>[.][0-9]+)?Z$")) as $t
  | (now - (($t.s + "Z" | fromdateiso8601) + ("0" + ($t.f // "") | tonumber))) as $age
  | select($age < 5 and $age > -5)
  | [.engine_id, .seq, ([.target_w, 1e8] | min | floor), ([.ttl_s // 15, 15] | min * 100 | floor),
     (.connect != false), (.release == true)] | @tsv'

offer() { # offer RETAINED PAYLOAD: take a setpoint in, or drop it
  local id number watts ttl connect release
  [ "$1" = 0 ] || return
  read -r id number watts ttl connect release < <(jq -r "$parse" <<<"$2" 2>/dev/null) || return
  [ "$number" -gt "${seqs[$id]:--1}" ] || return
  [ "$connect" = true ] || watts=0 # this device cannot disconnect: nothing is what it may make
  clock
  seqs[$id]=$number
  if [ -z "$holder" ] || [ "$holder" = "$id" ] || [ $((mono - heard)) -gt $lease ]; then
    heard=$mono holder=$id
    [ "$release" = false ] || holder=''
  elif [ -n "$target" ]; then # another engine can only tighten
    watts=$(least "$watts" "$target")
  fi
  target=$(least "$watts" "$rated") seq=$number engine=$id
  deadline=$((mono + (ttl < longest_ttl ? ttl : longest_ttl)))
}

want() { # sets `state` and `wanted`: without a valid setpoint the smallest of all that is known
  if [ -n "$target" ] && [ "$mono" -le $deadline ]; then
    state=following wanted=$target
  else
    state=failsafe wanted=$(least "$failsafe" "$applied" "$target")
  fi
}

look() { # read the device and say what it makes; one that does not answer is silent
  local power limit time
  read -r power limit < <(timeout 3 "$READ") && number "$power" && number "$limit" || return
  [ -n "$read_back" ] || applied=$limit # first contact: what stands there may be the installer's limit
  read_back=$limit time=$(now)
  state=mppt
  [ $((power * 100)) -lt $((limit * 95)) ] || state=throttled
  mosquitto_pub "${broker[@]}" -q 0 -t "$topic/reading" -m "{\"v\": 1, \"issued_at\": \"$time\",
    \"measured_at\": \"$time\", \"power_w\": $power, \"state\": \"$state\"}"
}

write() { timeout 3 "$LIMIT" "$1" && applied=$1 written=$mono; }

write_if_due() { # a tightening at once, a raise once a second, a refresh every 8 s
  [ -n "$read_back" ] || return
  local since=$((mono - written))
  if [ "$wanted" -lt "${applied:-$rated}" ] || [ $since -ge 800 ] \
    || { [ $since -ge 100 ] && [ "$wanted" != "$applied" ]; }; then
    write "$wanted"
  fi
}

tell() { # `control`, on change and every 10 s
  local fields="\"state\": \"$state\", \"requested_w\": $wanted"
  [ -z "$applied" ] || fields+=", \"applied_w\": $applied"
  [ -z "$read_back" ] || fields+=", \"read_back_w\": $read_back"
  [ "$fields" != "$said" ] || [ $((mono - said_at)) -ge 1000 ] || return
  said=$fields said_at=$mono
  [ -z "$seq" ] || fields+=", \"setpoint_seq\": $seq, \"engine_id\": \"$engine\""
  store -t "$topic/control" -m "{\"v\": 1, \"issued_at\": \"$(now)\", $fields}"
}

leave() { # the smaller of the last target and the failsafe share is left behind
  clock
  [ -z "$read_back" ] || write "$(least "$failsafe" "$applied" "$target")"
  kill "$listener" 2>/dev/null
  store -t "$availability" -m offline
  exit 0
}

# One connection for the setpoints; %r is 1 for a stored copy, and for one that was sent to be stored.
exec 3< <(exec mosquitto_sub "${broker[@]}" -i "$root-$service" -k 10 -q 0 -t "$root/setpoint/$inverter" \
  --retain-as-published -F '%r %p' \
  --will-topic "$availability" --will-payload offline --will-retain --will-qos 1)
listener=$!
# When this shell is killed, the connection is cut, and the broker then says `offline` for it.
(while kill -0 $$ 2>/dev/null; do sleep 1; done; kill -9 $listener 2>/dev/null) &
trap leave TERM INT
store -t "$availability" -m online
store -t "$topic/capability" -m "{\"v\": 1, \"issued_at\": \"$(now)\", \"max_w\": $rated,
  \"hardware_fallback\": \"holds_last\"}"

while true; do
  if read -r -t 0.2 -u 3 retained payload; then
    offer "$retained" "$payload"
  elif [ $? -le 128 ]; then # the end of its input: the listener is gone, and with it every word of the engine
    leave
  fi
  clock
  if [ $((mono - looked)) -ge 100 ]; then
    looked=$mono
    look
  fi
  want
  write_if_due
  tell
done
