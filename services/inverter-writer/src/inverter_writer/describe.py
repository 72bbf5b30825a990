"""What `capability` and `control` say of one inverter, from its job as it stands."""

from __future__ import annotations

from datetime import datetime

from dynexport import messages as m
from inverter_writer.decision import Wanted
from inverter_writer.inverter import InverterJob
from inverter_writer.pen import REVERT_S

FOREIGN = (
    "another kind of limit stands in it, whose watts are not known and may be more than it should be limited to: take "
    "it out at the device, or let ours take its place with `dynexport adopt`"
)


def control_state(job: InverterJob, wanted: Wanted) -> m.ControlState:
    """The state for `inverter/<id>/control`."""
    if trouble(job) is not None:
        return m.ControlState.FAULT
    return wanted.state if job.rules.enabled else m.ControlState.DISABLED


def trouble(job: InverterJob) -> str | None:
    """Why it is not held at its limit, in words; None while it can be."""
    if job.fault is None and job.foreign and job.rules.enabled:
        return FOREIGN
    return job.fault


def remark(job: InverterJob, wanted: Wanted) -> str | None:
    """What an owner should know of this inverter now, in a sentence."""
    if (said := trouble(job)) is not None:
        return said
    if wanted.connect is False and job.device is not None and not job.device.can_disconnect:
        if job.scope is m.Scope.EXPORT:
            return (
                "it has no switch that we may use: it exports nothing, and goes on making what the house uses"
            )
        return "it has no switch that we may use: it is held at 0 W instead of disconnected"
    if job.spent:
        return "its limit has been written as often as its memory is worth a day: until tomorrow it is only tightened"
    return None


def control_of(job: InverterJob, wanted: Wanted, now: datetime) -> m.InverterControl:
    """What was asked, written and read back."""
    accepted, by_export = job.accepted, job.scope is m.Scope.EXPORT
    return m.InverterControl(
        issued_at=now,
        state=control_state(job, wanted),
        requested_w=max(0.0, round(wanted.limit_w, 1)),
        applied_w=None if by_export else job.applied_w,
        read_back_w=None if by_export else job.read_back_w,
        applied_export_w=job.applied_w if by_export else None,
        read_back_export_w=job.read_back_w if by_export else None,
        connect=job.connect_applied,
        conflict=job.readback.conflict,
        setpoint_seq=accepted.seq if accepted else None,
        engine_id=accepted.engine_id if accepted else None,
        reason=remark(job, wanted),
    )


def capability_of(job: InverterJob, now: datetime) -> m.InverterCapability | None:
    """What it is, what it does when we die, and a limit found in it; None as long as that is not known."""
    identity, device = job.identity, job.device
    if identity is None or device is None:
        return None
    if job.found.persists and not job.found.met and identity.why_not is None:
        return None
    found_pct = job.found.found_pct
    fallback, fallback_s = _fallback(job)
    return m.InverterCapability(
        issued_at=now,
        max_w=identity.max_w,
        max_va=identity.max_va,
        max_var=identity.max_var,
        nameplate_w=identity.nameplate_w,
        manufacturer=identity.manufacturer,
        model=identity.model,
        serial=identity.serial,
        der_type=identity.der_type,
        control_model=identity.control_model,
        driver=identity.driver,
        confidence=identity.confidence,
        scope=job.scope,
        persistent=job.found.persists,
        resolution_w=identity.max_w * identity.resolution_pct / 100.0,
        hardware_fallback=fallback,
        fallback_w=job.fallback_w,
        fallback_s=fallback_s,
        min_limit_pct=job.settings.min_limit_pct,
        can_disconnect=identity.can_disconnect,
        found_limit_w=None if found_pct is None else device.watts(found_pct),
        adopted=None if found_pct is None else job.found.adopted,
    )


def _fallback(job: InverterJob) -> tuple[m.HardwareFallback, float | None]:
    """What it does when nobody refreshes its limit, and after how many seconds.

    A 704 goes to the value that we chose. A 123 holds its last value, and with a timer releases the limit.
    """
    if job.identity is None or job.identity.why_not is not None:
        return m.HardwareFallback.UNKNOWN, None
    if job.fallback_w is not None:
        return m.HardwareFallback.CHOSEN_W, float(REVERT_S)
    if job.identity.when_silent is not None:
        return job.identity.when_silent, None
    timer_s = job.settings.revert_timer_s
    if timer_s and not job.identity.chooses_revert:
        return m.HardwareFallback.RELEASES_LIMIT, float(timer_s)
    return m.HardwareFallback.HOLDS_LAST, None
