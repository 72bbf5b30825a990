"""What control.md's second table asks of each figure; less is better in all of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FaultTarget:
    """One figure of a row. `must` and `goal` None: it is reported, and nothing is promised."""

    row: str
    metric: str
    must: float | None
    goal: float | None
    unit: str = "s"


FREE, LAST, UNTRIED = "limit lifted after 60 s", "last limit kept for ever", "not tried"
FAULTS_OF: dict[str, tuple[str, str]] = {
    "meter-dies": ("meter dies, then the load drops 4.5 kW", "4500 W over for 45 s"),
    "meter-dead-150": ("meter dead for 150 s, beyond the first 10 s", "limit lifted at 65 s"),
    "meter-hangs": ("meter accepts and never answers, the load drops", UNTRIED),
    "meter-frozen": ("meter repeats one answer", "full power, or nothing"),
    "meter-reversed": ("CT reversed, from the second step on", "full power, or nothing"),
    "meter-reset": ("TCP reset by the meter; 20 s unreachable while the load drops", "never reconnects"),
    "inverter-reset": ("TCP reset by the inverter; 20 s unreachable", "never reconnects"),
    "meter-reader-killed": ("meter-reader killed, the load drops", FREE),
    "meter-reader-frozen": ("meter-reader frozen, the load drops", FREE),
    "limit-engine-killed": ("limit-engine killed", FREE),
    "limit-engine-frozen": ("limit-engine frozen", FREE),
    "writer-killed": ("inverter-writer's working process killed, the load drops", FREE),
    "writer-frozen": ("inverter-writer's working process frozen, the load drops", FREE),
    "writer-gone-704": ("inverter-writer gone, its parent too: model 704", FREE),
    "writer-gone-123": ("inverter-writer gone, its parent too: model 123, the load drops", FREE),
    "inverter-silent": ("one inverter of three silent, back at dawn", UNTRIED),
    "night-two-inverters": ("dusk, night and dawn with two inverters", UNTRIED),
    "obligation-killed": ("an obligation's source killed, from its deadline", LAST),
    "obligation-frozen": ("an obligation's source frozen, from its deadline", LAST),
    "preference-killed": ("a preference's source killed, from its deadline", LAST),
    "preference-frozen": ("a preference's source frozen, from its deadline", LAST),
    "obligation-silent-at-start": ("start while an obligation is silent", "100 %"),
    "broker-killed": ("broker killed", LAST),
    "broker-frozen": ("broker frozen", LAST),
    "broker-absent": ("broker not there at start", "100 %"),
    "messages": ("malformed, empty, absurd, stored and stale payloads", "process exits, or limit lifted"),
    "registers-meter": ("nonsense in the meter's registers, the load drops", "reads -32768 W"),
    "registers-inverter": ("nonsense in one inverter's registers, the load drops", "raises the limit"),
    "second-master": ("a second Modbus master takes the limit out", UNTRIED),
    "second-engine": ("a second engine; then the first is killed", UNTRIED),
    "power-cut": ("power cut of the whole stack, the load drops meanwhile", UNTRIED),
}
"""Each row: the fault in words, and what the predecessor does."""

FAULT_TARGETS = (
    FaultTarget("meter-dies", "open_loop_s", 4.0, 4.0),
    FaultTarget("meter-dies", "over_s", 10.0, 7.0),
    FaultTarget("meter-dead-150", "over_w", 0.0, 0.0, "W"),
    FaultTarget("meter-hangs", "open_loop_s", 4.0, 4.0),
    FaultTarget("meter-hangs", "over_s", 10.0, 7.0),
    FaultTarget("meter-frozen", "open_loop_s", 30.0, 25.0),
    FaultTarget("meter-frozen", "over_w", 0.0, 0.0, "W"),
    FaultTarget("meter-reversed", "open_loop_s", 30.0, 15.0),
    FaultTarget("meter-reversed", "over_w", 0.0, 0.0, "W"),
    FaultTarget("meter-reset", "gap_s", 2.0, 1.0),
    FaultTarget("meter-reset", "back_s", 10.0, 9.0),
    FaultTarget("meter-reset", "over_s", 10.0, 7.0),
    FaultTarget("inverter-reset", "gap_s", 2.0, 1.0),
    FaultTarget("inverter-reset", "back_s", 10.0, 9.0),
    FaultTarget("inverter-reset", "over_s", 6.5, 5.6),
    FaultTarget("meter-reader-killed", "over_s", 10.0, 7.0),
    FaultTarget("meter-reader-frozen", "over_s", 10.0, 7.0),
    FaultTarget("limit-engine-killed", "failsafe_s", 30.0, 22.0),
    FaultTarget("limit-engine-killed", "back_s", 45.0, 20.0),
    FaultTarget("limit-engine-frozen", "failsafe_s", 30.0, 22.0),
    FaultTarget("limit-engine-frozen", "back_s", 45.0, 20.0),
    FaultTarget("writer-killed", "over_s", 30.0, 15.0),
    FaultTarget("writer-frozen", "over_s", 30.0, 22.0),
    FaultTarget("writer-gone-704", "failsafe_s", 30.0, 30.0),
    FaultTarget("writer-gone-704", "back_s", 45.0, 20.0),
    FaultTarget("writer-gone-123", "over_w", None, None, "W"),
    FaultTarget("writer-gone-123", "back_s", 45.0, 20.0),
    FaultTarget("inverter-silent", "settled_s", 7.0, 5.6),
    FaultTarget("inverter-silent", "first_write_over_w", 0.0, 0.0, "W"),
    FaultTarget("inverter-silent", "over_s", 7.0, 5.6),
    FaultTarget("night-two-inverters", "first_write_over_w", 0.0, 0.0, "W"),
    FaultTarget("night-two-inverters", "over_s", 10.0, 5.0),
    FaultTarget("obligation-killed", "late_s", 1.0, 0.5),
    FaultTarget("obligation-killed", "over_s", 6.0, 5.0),
    FaultTarget("obligation-frozen", "late_s", 1.0, 0.5),
    FaultTarget("obligation-frozen", "over_s", 6.0, 5.0),
    FaultTarget("preference-killed", "late_s", 1.0, 0.5),
    FaultTarget("preference-frozen", "late_s", 1.0, 0.5),
    FaultTarget("obligation-silent-at-start", "failsafe_s", 30.0, 10.0),
    FaultTarget("obligation-silent-at-start", "closed_loop_s", 75.0, 70.0),
    FaultTarget("obligation-silent-at-start", "over_s", 6.5, 5.0),
    FaultTarget("broker-killed", "failsafe_s", 30.0, 22.0),
    FaultTarget("broker-killed", "back_s", 60.0, 45.0),
    FaultTarget("broker-frozen", "failsafe_s", 30.0, 22.0),
    FaultTarget("broker-frozen", "back_s", 60.0, 45.0),
    FaultTarget("broker-absent", "failsafe_s", 30.0, 10.0),
    FaultTarget("broker-absent", "back_s", 60.0, 45.0),
    FaultTarget("messages", "over_w", 0.0, 0.0, "W"),
    FaultTarget("messages", "over_s", 6.5, 1.0),
    FaultTarget("messages", "uncounted", 0.0, 0.0, "services"),
    FaultTarget("registers-meter", "over_s", 10.0, 7.0),
    FaultTarget("registers-inverter", "over_s", 7.0, 5.6),
    FaultTarget("second-master", "loose_s", 2.0, 0.5),
    FaultTarget("second-master", "over_s", 10.0, 5.0),
    FaultTarget("second-engine", "over_w", 0.0, 0.0, "W"),
    FaultTarget("second-engine", "takeover_s", 30.0, 20.0),
    FaultTarget("power-cut", "over_s", 15.0, 9.0),
    FaultTarget("power-cut", "back_s", 45.0, 20.0),
)


def targets_of(row: str) -> tuple[FaultTarget, ...]:
    """The figures of a row; raises KeyError for one that is not in the table."""
    return tuple(target for target in FAULT_TARGETS if FAULTS_OF[row] and target.row == row)
