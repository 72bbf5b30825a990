"""The devices as their owners publish them: the command line is no second Modbus master."""

from __future__ import annotations

from typing import Any

from dynexport import messages as m
from dynexport.cli.doctor.evidence import Evidence
from dynexport.cli.doctor.finding import Finding, doubt, ok, wrong
from dynexport.cli.fallback_words import KEEP, of_capability
from dynexport.cli.view import watts
from dynexport.modbus.address import address_of
from dynexport.settings.devices import Inverter
from dynexport.settings.models import MqttInverter, Site, SunSpecInverter, SunSpecMeter

SILENT_AFTER_S = 5.0
METER_SILENT_AFTER_S = 4.0
RATING_OFF, RATING_FAR_OFF = 0.01, 0.2
LATE_METER_S = 2.0
ASLEEP = (m.InverterState.OFF, m.InverterState.SLEEPING)


def meter(site: Site, heard: Evidence) -> list[Finding]:
    """The site meter: fresh, where it should sit, and there at night."""
    found = [_reading(site, heard)]
    learned: dict[str, Any] = _learned(heard).get("meter") or {}
    found.append(_latency(learned.get("latency_s")))
    return [*found, *_sleeper(site)]


def _reading(site: Site, heard: Evidence) -> Finding:
    if heard.snapshot.meter is None:
        owner = "inverter-writer" if site.meter_behind_inverter else "meter-reader"
        advice = f"does {owner} run, and what does its log say? is the meter's address right?"
        return wrong(
            "meter", "no reading came: control is in open loop, as if the house used nothing", advice
        )
    reading, mono = heard.snapshot.meter
    age_s = heard.mono - mono
    if age_s > max(METER_SILENT_AFTER_S, 3 * site.meter.poll_s):
        return wrong(
            "meter", f"its last reading is {age_s:.0f} s old: control is in open loop", "see its reader's log"
        )
    if reading.location != site.meter.location:
        sentence = f"its readings say {reading.location.value}, site.yaml says {site.meter.location}"
        return wrong("meter", sentence, "restart its reader, or mend `meter.location`")
    if reading.islanded:
        return ok("meter", "it says that the site is cut off from the grid (islanded): nothing is exported")
    where = {"feed_in": "at the grid connection", "consumption": "measuring what the house uses"}
    return ok("meter", f"it says {watts(reading.power_w)} now, {where[site.meter.location]}")


def _latency(learned_s: object) -> Finding:
    """What the engine has learned of the meter from the answers to its own steps."""
    if not isinstance(learned_s, int | float):
        return ok("meter", "how late it is has not been learned yet: the worst case counts")
    late_s = max(0.0, learned_s)
    if late_s > LATE_METER_S:
        sentence = f"it is {late_s:.1f} s late: limits are held with a wider margin of time"
        return doubt("meter", sentence, "a faster meter, or fewer readers of its bus")
    return ok("meter", f"it is {late_s:.1f} s late, as its answers to our own steps have shown")


def _sleeper(site: Site) -> list[Finding]:
    """A meter behind an inverter's own socket; on a serial bus or its raw gateway it answers for itself."""
    if not isinstance(site.meter, SunSpecMeter) or site.meter.tcp is None or site.meter.tcp.framing != "tcp":
        return []
    names = [one.id for one in site.modbus_inverters if address_of(one) == address_of(site.meter)]
    if not names:
        return []
    sentence = (
        f"it answers at the endpoint of {names[0]}: if that inverter switches its Modbus off at night, the meter is "
        "gone with it, and whatever else makes power then is controlled in open loop"
    )
    advice = "see tonight whether `dynexport watch` still shows it; else let the inverter's Modbus stay on"
    return [doubt("meter", sentence, advice)]


def inverters(site: Site, heard: Evidence) -> list[Finding]:
    """Each inverter in turn."""
    return [finding for inverter in site.inverters for finding in _inverter(inverter, site, heard)]


def _inverter(inverter: Inverter, site: Site, heard: Evidence) -> list[Finding]:
    name, capability = inverter.id, heard.snapshot.capabilities.get(inverter.id)
    if capability is None:
        advice = "does inverter-writer run? is its address right, is Modbus on, does it sleep (night)?"
        if isinstance(inverter, MqttInverter):
            advice = f"does inverter-writer run? does anybody publish {inverter.topic}, and may we read it?"
        return [wrong(name, "its writer has never reached it", advice)]
    found = [_alive(name, heard), _rating(inverter, capability), *_control(inverter, site, heard)]
    if capability.control_model is None and capability.driver is None:
        sentence = "it has no control model: it cannot be limited"
        found.append(
            wrong(name, sentence, "switch on its remote control (`power control`), or update its firmware")
        )
    if capability.found_limit_w is not None and not capability.adopted:
        found_w = watts(capability.found_limit_w)
        sentence = f"it was found limited to {found_w}: the installer's limit? It stays in force"
        found.append(doubt(name, sentence, f"if it is none, `dynexport adopt {name}` lets us loosen it"))
    return [*found, _when_we_die(inverter, capability)]


def _alive(name: str, heard: Evidence) -> Finding:
    if name not in heard.snapshot.readings:
        return doubt(
            name, "no reading came: it sleeps, or it cannot be reached", "by day: see inverter-writer's log"
        )
    reading, mono = heard.snapshot.readings[name]
    age_s = heard.mono - mono
    if age_s > SILENT_AFTER_S:
        return doubt(name, f"its last reading is {age_s:.0f} s old", "see inverter-writer's log")
    if reading.state is m.InverterState.FAULT:
        return wrong(name, "it says that it has a fault", "see its own display")
    if reading.state in ASLEEP:
        return ok(name, "it sleeps")
    return ok(name, f"it makes {watts(reading.power_w)}, state {reading.state.value}")


def _rating(inverter: Inverter, capability: m.InverterCapability) -> Finding:
    off = abs(capability.max_w - inverter.rated_w) / inverter.rated_w
    sentence = f"site.yaml says rated_w {watts(inverter.rated_w)}, the device says {watts(capability.max_w)}"
    advice = "set `rated_w` to what the device says, unless it is the device that is wrong"
    if off > RATING_FAR_OFF:
        return wrong(inverter.id, sentence, advice)
    if off > RATING_OFF:
        return doubt(inverter.id, sentence, advice)
    return ok(inverter.id, f"it is rated {watts(capability.max_w)}, as site.yaml says")


def _control(inverter: Inverter, site: Site, heard: Evidence) -> list[Finding]:
    control = heard.snapshot.controls.get(inverter.id)
    if control is None:
        return [doubt(inverter.id, "nothing is known of its limit yet", "wait half a minute and ask again")]
    if control.conflict:
        sentence = (
            f"it holds {watts(control.read_back_w)}, which is not what we wrote: somebody else limits it too"
        )
        return [
            doubt(
                inverter.id, sentence, "find the other: an app, a second controller, the installer's portal"
            )
        ]
    match control.state:
        case m.ControlState.FAULT:
            advice = "see inverter-writer's log and the inverter's display"
            return [
                wrong(
                    inverter.id, f"its limit cannot be written: {control.reason or 'no reason given'}", advice
                )
            ]
        case m.ControlState.FAILSAFE:
            sentence = (
                f"it is held at its failsafe share ({watts(control.applied_w)}): no valid setpoint comes"
            )
            return [wrong(inverter.id, sentence, "does limit-engine run, and do the clocks agree?")]
        case m.ControlState.DISABLED if site.control.enabled:
            sentence = "nothing is written to it, though control.enabled is true"
            return [wrong(inverter.id, sentence, "restart inverter-writer")]
        case m.ControlState.DISABLED:
            sentence = (
                "nothing is written to it (control.enabled: false): the site is NOT kept inside its limit"
            )
            return [doubt(inverter.id, sentence, "when `dynexport watch` looks right: `dynexport enable`")]
        case m.ControlState.FOLLOWING:
            return [ok(inverter.id, f"it follows: limited to {watts(control.applied_w)}")]


def _when_we_die(inverter: Inverter, capability: m.InverterCapability) -> Finding:
    name, sentence = inverter.id, of_capability("it", capability)
    match capability.hardware_fallback:
        case m.HardwareFallback.CHOSEN_W:
            return ok(name, sentence)
        case m.HardwareFallback.RELEASES_LIMIT:
            advice = f"set `revert_timer_s` to 0 for {name}; {KEEP}"
            return wrong(name, sentence, advice if isinstance(inverter, SunSpecInverter) else KEEP)
        case _:
            return doubt(name, sentence, KEEP)


def _learned(heard: Evidence) -> dict[str, Any]:
    if "limit-engine" not in heard.snapshot.health:
        return {}
    return heard.snapshot.health["limit-engine"][0].learned


def envelope(site: Site, heard: Evidence) -> list[Finding]:
    """What is in force, and the obligations that must speak."""
    found = []
    if heard.snapshot.active is not None:
        active = heard.snapshot.active[0]
        sentence = f"mode {active.mode.value}: {active.reason}"
        normal = active.mode is m.Mode.NORMAL
        found.append(
            ok("limits", sentence) if normal else doubt("limits", sentence, "the reason says what is missing")
        )
    for name, source in sorted(site.sources.items()):
        if source.kind == "obligation":
            found.append(_obligation(name, heard))
    return found


def _obligation(name: str, heard: Evidence) -> Finding:
    limit, stored = heard.limits.get(name, (None, True))
    lives_s = (limit.ttl_s if limit else None) or 60.0
    if limit is None or limit.issued_at is None or (stored and heard.age_s(limit) > lives_s):
        sentence = f"limit/{name} is silent: its fallback counts"
        return doubt("limits", sentence, "does the service that speaks for it run, and reach its server?")
    return ok("limits", f"limit/{name} speaks")
