"""From DERControl and DefaultDERControl to what they ask of us, read strictly: what we cannot read is never "no limit".

A known mode with an unreadable value, and an extension element that this version does not have, become
`Mode.UNKNOWN`: export and generation are then held at the fallback too (csip.md, finding 4 and section 7).
"""

from __future__ import annotations

from csip_client.model import Control, Default, Mode, Status, Values
from csip_client.wire.document import SEP, Node, Version, WireError, whole
from csip_client.wire.read import boolean, expect

LIMITS = (Mode.EXPORT, Mode.IMPORT, Mode.GENERATION, Mode.LOAD)
SWITCHES = (Mode.CONNECT, Mode.ENERGIZE)
# sep.xsd, DERControlBase: modes that we do not claim in modesSupported, so that nobody may count on them
NOT_CLAIMED = frozenset(
    {
        "opModFixedPFAbsorbW",
        "opModFixedPFInjectW",
        "opModFixedVar",
        "opModFreqDroop",
        "opModFreqWatt",
        "opModHFRTMayTrip",
        "opModHFRTMustTrip",
        "opModHVRTMayTrip",
        "opModHVRTMomentaryCessation",
        "opModHVRTMustTrip",
        "opModLFRTMayTrip",
        "opModLFRTMustTrip",
        "opModLVRTMayTrip",
        "opModLVRTMomentaryCessation",
        "opModLVRTMustTrip",
        "opModTargetVar",
        "opModTargetW",
        "opModVoltVar",
        "opModVoltWatt",
        "opModWattPF",
        "opModWattVar",
        "rampTms",
    }
)
LARGEST_POWER_OF_TEN = 9
LONGEST, LATEST, LONGEST_MRID = 2**32 - 1, 2**36, 200  # UInt32 seconds; the year 4147


def control(
    node: Node, *, device: str, program: str, primacy: int, set_max_w: float, version: Version
) -> Control:
    """A DERControl; raises WireError where it cannot even be told what it is or when: then its program is unknown."""
    expect(node, "DERControl")
    mrid, interval, status = node.word("mRID"), node.child("interval"), node.child("EventStatus")
    base = node.child("DERControlBase")
    start, duration = (interval.whole("start"), interval.whole("duration")) if interval else (None, None)
    if mrid is None or start is None or duration is None or base is None or duration < 0:
        raise WireError(f"DERControl {mrid} lacks mRID, interval or DERControlBase")
    if not (0 <= start <= LATEST and duration <= LONGEST and len(mrid) <= LONGEST_MRID):
        raise WireError(f"DERControl {mrid[:LONGEST_MRID]} has start {start}, duration {duration}")
    return Control(
        device=device,
        mrid=mrid.upper(),
        program=program,
        primacy=primacy,
        created=node.whole("creationTime") or 0,
        start=start,
        duration=duration,
        values=values(base, set_max_w, version),
        version=node.whole("version") or 0,
        status=_status(status),
        randomize_start=node.whole("randomizeStart") or 0,
        randomize_duration=node.whole("randomizeDuration") or 0,
        ramp_s=_ramp_s(base),
        reply_to=node.attributes.get("replyTo") or None,
        response_required=_bits(node.attributes.get("responseRequired")),
    )


def default(node: Node, set_max_w: float, version: Version) -> Default | None:
    """A DefaultDERControl; None for one that states nothing at all (a withdrawn one)."""
    expect(node, "DefaultDERControl")
    base = node.child("DERControlBase")
    stated = values(base, set_max_w, version) if base is not None else {}
    grad = node.whole("setGradW")
    if not stated and grad is None:
        return None
    return Default(stated, None if grad is None else grad / 100.0)


def values(base: Node, set_max_w: float, version: Version) -> Values:
    """Every mode in a DERControlBase: watts, switches; `Mode.UNKNOWN` where something could not be read."""
    stated: dict[Mode, float | bool] = {}
    for child in base.children:
        try:
            found = _value(child, set_max_w, version)
        except WireError:
            found = (Mode.UNKNOWN, True)
        if found is not None:
            stated[found[0]] = found[1]
    return stated


def _value(child: Node, set_max_w: float, version: Version) -> tuple[Mode, float | bool] | None:
    ours = child.namespace == version.namespace
    if child.namespace != SEP and not ours:
        raise WireError(f"an element {child.name} of {child.namespace}")
    if not ours and child.name in NOT_CLAIMED:
        return None
    mode = Mode(child.name) if child.name in {each.value for each in Mode} else Mode.UNKNOWN
    text = child.text.strip()
    match mode:
        case Mode.EXPORT | Mode.IMPORT | Mode.GENERATION | Mode.LOAD if ours:
            return mode, _limit_w(child)
        case Mode.STORAGE_TARGET if ours:
            return mode, power(child)
        case Mode.CONNECT | Mode.ENERGIZE if not ours:
            return mode, boolean(text, child.name)
        case Mode.MAXIMUM if not ours:
            return mode, _share(text, child.name) * set_max_w
        case Mode.FIXED if not ours:
            return mode, 100.0 * _share(text, child.name, signed=True)
        case _:
            raise WireError(f"an element {child.name} that we do not know")


def power(node: Node) -> float:
    """ActivePower in watts: value x 10^multiplier; raises WireError."""
    value, multiplier = node.whole("value"), node.whole("multiplier")
    if value is None or multiplier is None or abs(multiplier) > LARGEST_POWER_OF_TEN:
        raise WireError(f"{node.name} has value {value}, multiplier {multiplier}")
    return float(value) * 10.0**multiplier


def _limit_w(node: Node) -> float:
    watts = power(node)
    if watts < 0:
        raise WireError(f"{node.name} is {watts} W, a limit is never negative")
    return watts


def _share(text: str, name: str, *, signed: bool = False) -> float:
    """PerCent and SignedPerCent: hundredths of a percent, here 0..1."""
    hundredths = whole(text, name)
    if not (-10_000 if signed else 0) <= hundredths <= 10_000:
        raise WireError(f"{name} is {hundredths} hundredths of a percent")
    return hundredths / 10_000.0


def _status(node: Node | None) -> Status:
    number = node.whole("currentStatus") if node is not None else None
    try:
        return Status(number or 0)
    except ValueError:
        raise WireError(f"EventStatus.currentStatus is {number}") from None


def _ramp_s(base: Node) -> float | None:
    """rampTms counts hundredths of a second."""
    hundredths = base.whole("rampTms")
    return None if hundredths is None else max(0, hundredths) / 100.0


def _bits(text: str | None) -> int:
    """responseRequired, HexBinary8; the schema's default is 00."""
    try:
        return int(text or "00", 16)
    except ValueError:
        return 0
