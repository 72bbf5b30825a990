"""The verdict on the steps of an inverter: does it obey, and does the meter show all of it, the right way? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from dynexport.cli.doctor.finding import Finding, doubt, ok, wrong
from dynexport.cli.doctor.step_seen import Shift
from dynexport.messages import Scope
from dynexport.modbus.drivers import scope
from dynexport.settings.models import Inverter, Site
from dynexport.sharing import PHASES

OBEYS, OVERDOES = 0.4, 2.5
ALL = (0.75, 1.3)
FACTORS = (1000.0, 10.0, 0.1, 0.001)
AROUND = 2.0
NOTHING = 0.15
SIGNIFICANT = 3.0
SMALL = 0.1
ENOUGH = 2


def judge(
    site: Site, inverter: Inverter, shifts: Sequence[Shift], step_w: float, meter_most_w: float
) -> list[Finding]:
    """What the steps show, `step_w` each (watts); `meter_most_w` is the greatest value that the meter showed."""
    calm = [shift for shift in shifts if not shift.drifted]
    counted = calm or list(shifts)
    made_w = median(shift.made_w for shift in counted)
    findings = [_obeys(inverter.id, made_w, step_w)]
    if -made_w >= OBEYS * step_w:
        middle = sorted(counted, key=lambda shift: shift.ratio)[len(counted) // 2]
        findings += [_meter(site, inverter, middle, meter_most_w), *_phases(site, inverter, middle)]
    if not calm:
        sentence = "the sun or the house's load changed in each step, so this is no more than a hint"
        findings.append(doubt("step", sentence, "ask again when clouds and loads rest"))
    return findings


def settled(site: Site, inverter: Inverter, shifts: Sequence[Shift], step_w: float) -> bool:
    """Whether more steps would tell nothing new: all is well in a calm one, or two calm ones have told."""
    calm = [shift for shift in shifts if not shift.drifted]
    if len(calm) >= ENOUGH:
        return True
    return bool(calm) and all(not finding.advice for finding in judge(site, inverter, calm, step_w, step_w))


def _obeys(name: str, made_w: float, step_w: float) -> Finding:
    told = (
        f"told to make {step_w:.0f} W less, it made {abs(made_w):.0f} W {'less' if made_w <= 0 else 'more'}"
    )
    if -made_w < OBEYS * step_w:
        advice = "is its remote control (`power control`) on? Does `dynexport watch` show a conflict?"
        return wrong(name, f"it does not obey: {told}", advice)
    if -made_w > OVERDOES * step_w:
        return doubt(name, told, "is `rated_w` right, and does no cloud pass?")
    return ok(name, f"it obeys: {told}")


def _meter(site: Site, inverter: Inverter, shift: Shift, most_w: float) -> Finding:
    moved = abs(shift.meter_w) > SIGNIFICANT * shift.noise_w
    if site.meter.location == "consumption":
        return _of_consumption(shift, moved)
    loops = [one.id for one in site.inverters if one.id != inverter.id and scope(one) is Scope.EXPORT]
    if loops and 0 <= shift.ratio < ALL[0]:
        return _made_up(shift, loops)
    if not moved or abs(shift.ratio) < min(FACTORS) / AROUND:
        return _unmoved(site, shift, most_w)
    size = abs(shift.ratio)
    factor = next((factor for factor in FACTORS if factor / AROUND <= size <= factor * AROUND), None)
    if factor is not None:
        also = ", and the opposite way" if shift.ratio < 0 else ""
        return wrong("meter", f"it shows {_times(factor)} of the step{also}", _scale(site, factor))
    if shift.ratio < 0:
        return _opposite(site, shift)
    if ALL[0] <= shift.ratio <= ALL[1]:
        return ok("meter", f"it moves the right way, by {100 * shift.ratio:.0f} % of the step")
    return _partly(site, shift)


def _of_consumption(shift: Shift, moved: bool) -> Finding:
    if not moved or abs(shift.ratio) < NOTHING:
        return ok(
            "meter", "it does not move with the inverter, as one that measures what the house uses must not"
        )
    sentence = f"it moves with the inverter, by {100 * abs(shift.ratio):.0f} % of the step"
    return wrong("meter", sentence, "does it sit at the grid connection? then `meter.location: feed_in`")


def _made_up(shift: Shift, loops: Sequence[str]) -> Finding:
    sentence = (
        f"it shows {100 * shift.ratio:.0f} % of the step: {', '.join(loops)} may have made up for the rest"
    )
    return doubt(
        "meter", sentence, "an inverter with a loop of its own does so: switch its limit off meanwhile"
    )


def _unmoved(site: Site, shift: Shift, most_w: float) -> Finding:
    if most_w < SMALL * abs(shift.made_w):
        sentence = f"it does not move, and never shows more than {most_w:g}: does it say kilowatts?"
        return wrong("meter", sentence, _scale(site, 0.001))
    advice = (
        "is it the meter at the grid connection, on the phase that the inverter feeds, and its unit id (topic) the "
        "right one? Or does it repeat one value?"
    )
    return wrong("meter", f"it does not move: {shift.meter_w:+.0f} W for the step", advice)


def _opposite(site: Site, shift: Shift) -> Finding:
    sentence = f"it moves the opposite way, by {100 * abs(shift.ratio):.0f} % of the step"
    if getattr(site.meter, "invert", False):
        return wrong(
            "meter", sentence, "take `meter.invert` out again, or turn its current transformers round"
        )
    return wrong("meter", sentence, "turn its current transformers round, or set `meter.invert: true`")


def _partly(site: Site, shift: Shift) -> Finding:
    sentence = f"it moves the right way, but by {100 * shift.ratio:.0f} % of the step"
    if site.batteries and shift.ratio < 1:
        return doubt(
            "meter", sentence, "a battery made up for the rest? Ask again when it rests (full, or empty)"
        )
    return doubt(
        "meter", sentence, "is the ratio of its current transformers right, does it measure all phases?"
    )


def _times(factor: float) -> str:
    return f"{factor:g} times as much" if factor > 1 else f"only 1/{1 / factor:.0f}"


def _scale(site: Site, factor: float) -> str:
    scale = getattr(site.meter, "scale", None)
    if scale is not None:
        return f"set `meter.scale: {scale / factor:g}` (now {scale:g})"
    return "it speaks another unit, or its current transformers' ratio is set wrong in it: see its own menu"


def _phases(site: Site, inverter: Inverter, shift: Shift) -> list[Finding]:
    """On three phases: the phase that moved most must be the one that site.yaml says."""
    if len(shift.phases_w) < len(PHASES) or inverter.phase not in PHASES or site.site.phases != len(PHASES):
        return []
    moved = max(zip(PHASES, shift.phases_w, strict=True), key=lambda pair: abs(pair[1]))
    if abs(moved[1]) <= SIGNIFICANT * shift.noise_w or moved[0] == inverter.phase:
        return []
    sentence = f"it feeds phase {inverter.phase} by site.yaml, and the meter's phase {moved[0]} moved"
    return [wrong(inverter.id, sentence, f"set its `phase: {moved[0]}`, or mend the meter's wiring")]
