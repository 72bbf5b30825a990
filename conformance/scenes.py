"""What the procedures leave to people: the operator's hands, and what a bystander must see at the meter.

Written by hand from each procedure's instructions and from csip.md section 4; the numbers are shares of the rating.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from conformance.rig import RATED_W, Rig

Hand = Callable[[Rig], None]
TOLERANCE = 0.04


@dataclass(frozen=True, slots=True)
class Sight:
    """`after_s` after a step became active (`once_done`: after it was complete), this is the share of the rating."""

    step: str
    after_s: float
    share: float
    what: str = "export"
    once_done: bool = False

    def fault(self, rig: Rig) -> str | None:
        """What is seen instead, in words."""
        seen = self._seen_w(rig) / RATED_W
        if abs(seen - self.share) <= TOLERANCE:
            return None
        return f"{self.what} is {seen:.0%} of the rating {self.after_s:.0f} s into {self.step}, not {self.share:.0%}"

    def _seen_w(self, rig: Rig) -> float:
        """Watts at the meter or of the inverters; a published limit counts as the rating at most."""
        match self.what:
            case "export":
                return rig.export_w
            case "import":
                return -rig.export_w
            case "generation":
                return rig.generation_w
        said = None if rig.limit is None else getattr(rig.limit, self.what)
        return math.inf if said is None else min(RATED_W, float(said))


@dataclass(frozen=True, slots=True)
class Scene:
    """`hands` act once, so many seconds after a step became active; `proceed` after so many the operator goes on."""

    hands: Mapping[tuple[str, float], Hand] | None = None
    sights: tuple[Sight, ...] = ()
    proceed_s: Mapping[str, float] | None = None
    inverters: int = 1
    battery: bool = False
    storage: bool = False  # the whole engine, a battery of the inverters' size and a load, no sun
    boiler: float = 0.02  # that load's size; one that may be on counts with all of it
    runs: bool = False  # it wants all that it can use, from the beginning
    own: float | None = (
        None  # what the battery does by a schedule of its own, + discharge; None: it covers the house
    )
    pin: bool = False
    load: float = 0.0
    tick_s: float = 1.0
    poll_s: float = 0.2  # how often the site's own loop reads its meter
    silent: str = ""  # no request may come while this step is active
    settles_s: float = 120.0  # from the last step to the judgement: a person ends the test


def off(*indexes: int) -> Hand:
    """The operator opens the switch of these inverters, all of them when none is named."""

    def act(rig: Rig) -> None:
        for index, name in enumerate(rig.names):
            if not indexes or index in indexes:
                rig.power[name] = False

    return act


def on(rig: Rig) -> None:
    """Every switch is closed."""
    rig.power = dict.fromkeys(rig.names, True)


def dark(rig: Rig) -> None:
    """No inverter makes power."""
    rig.sun(0.0)


def bright(rig: Rig) -> None:
    """Every inverter could make all that it is rated for."""
    rig.sun(RATED_W)


def load(share: float) -> Hand:
    """The test load takes so much."""
    return lambda rig: rig.load(share * RATED_W)


def rerate(rig: Rig) -> None:
    """One inverter's maximum is set lower."""
    rig.rated[rig.names[0]] *= 0.8


def power_cycle(rig: Rig) -> None:
    """The client's machine is switched off and on."""
    rig.boot()


def boiler(share: float) -> Hand:
    """The controllable load wants so much."""

    def act(rig: Rig) -> None:
        assert rig.house is not None
        rig.house.load.wants_w = share * RATED_W

    return act


IMPORT, LOAD = "import_limit_w", "load_limit_w"
FIVE_CONTROLS_S = 660.0  # five of two minutes each, and a poll


def five(what: str) -> tuple[Sight, ...]:
    """GEN-11 and GEN-12: the five steps, each shortly before the next."""
    shares = (1.0, 1.0, 0.4, 0.25, 0.0)
    return tuple(
        Sight("GET-DER-CONTROLS", 115.0 + 120.0 * number, share, what, once_done=True)
        for number, share in enumerate(shares)
    )


SCENES: dict[str, Scene] = {
    "ALL-01": Scene(pin=True),
    "ALL-03-REJ": Scene(pin=True, silent="WAIT-TEST-END"),
    "ALL-04": Scene(pin=True),
    "ALL-06": Scene(load=0.25),
    "ALL-07": Scene(
        hands={("PUT-DERSTATUS-DISCONNECT", 5.0): off(), ("PUT-DERSTATUS-CONNECT", 5.0): on},
    ),
    "ALL-08": Scene(
        hands={("PUT-DERSTATUS-DISCONNECT", 5.0): dark, ("PUT-DERSTATUS-CONNECT", 5.0): bright},
    ),
    "ALL-11": Scene(sights=(Sight("WAIT-CONTROL-END", 200.0, 0.0, "generation"),)),
    "ALL-12": Scene(sights=(Sight("WAIT-CONTROL-END", 300.0, 0.0, "generation"),)),
    "ALL-23": Scene(
        sights=(
            Sight("WAIT-SCHEDULE-END", 150.0, 0.2),
            Sight("WAIT-SCHEDULE-END", 270.0, 0.4),
            Sight("WAIT-SCHEDULE-END", 390.0, 0.3),
            Sight("WAIT-SCHEDULE-END", 510.0, 0.4),
            Sight("WAIT-SCHEDULE-END", 700.0, 0.0),
        )
    ),
    "ALL-25": Scene(sights=(Sight("WAIT-CONTROL-1-FINISH", 115.0, 0.3),)),
    "ALL-25-EXT": Scene(tick_s=20.0, poll_s=5.0),
    "ALL-26": Scene(
        sights=(
            Sight("PUT-DERSTATUS-REENERGIZE", 50.0, 0.0, "generation"),
            Sight("PROCEED-OBSERVE-DER", 10.0, 0.0),
        ),
        proceed_s={"PROCEED-OBSERVE-DER": 200.0},
    ),
    "ALL-27": Scene(
        sights=(
            Sight("PUT-DERSTATUS-CONNECT", 50.0, 0.0, "generation"),
            Sight("PROCEED-OBSERVE-DER", 10.0, 0.0),
        ),
        proceed_s={"PROCEED-OBSERVE-DER": 200.0},
    ),
    "ALL-28": Scene(
        sights=(
            Sight("WAIT-RAMP-DERC-1", 115.0, 0.3),
            Sight("WAIT-RAMP-DERC-2", 80.0, 0.1),
            Sight("WAIT-RAMP-DERC-3", 175.0, 0.5),
            Sight("WAIT-RAMP-DEFAULT", 175.0, 0.0),
            Sight("WAIT-RAMP-DERC-4", 175.0, 0.3),
        )
    ),
    "ALL-29": Scene(
        load=0.1,
        sights=(
            Sight("WAIT-TEST-END", 225.0, 0.3),
            Sight("WAIT-TEST-END", 345.0, 0.2),
            Sight("WAIT-TEST-END", 465.0, 0.1),
            Sight("WAIT-TEST-END", 585.0, 0.0),
        ),
    ),
    "ALL-30": Scene(
        hands={("CLIENT-POWER-CYCLE", 10.0): power_cycle},
        sights=(Sight("REESTABLISH-COMMUNICATION", 30.0, 0.3),),
        proceed_s={"REESTABLISH-COMMUNICATION": 60.0},
    ),
    "GEN-01": Scene(sights=(Sight("WAIT-REACH-ZERO", 115.0, 0.0),)),
    "GEN-02": Scene(sights=(Sight("WAIT-REACH-ZERO", 115.0, 0.0, "generation"),)),
    "GEN-03": Scene(
        sights=(
            Sight("WAIT-RAMP-DEFAULT-DERC", 775.0, 0.3),
            Sight("WAIT-CONTROL-END", 300.0, 1.0),
            Sight("WAIT-RAMP-DEFAULT-DERC-2", 115.0, 0.3),
        )
    ),
    "GEN-04": Scene(
        sights=(
            Sight("WAIT-RAMP-DEFAULT-DERC", 118.0, 0.3, "generation"),
            Sight("WAIT-CONTROL-END", 300.0, 1.0, "generation"),
            Sight("WAIT-RAMP-DEFAULT-DERC-2", 115.0, 0.3, "generation"),
        )
    ),
    "GEN-09": Scene(
        sights=(Sight("PRECONDITION-STARTUP-WAIT", 118.0, 1.0), Sight("WAIT-TILL-END", 59.0, 0.3)),
    ),
    "GEN-10": Scene(
        sights=(
            Sight("WAIT-OBSERVE-DEFAULT-DERC", 175.0, 0.3),
            Sight("WAIT-OBSERVE-DEFAULT-AFTER-DERC-3", 118.0, 0.3),
            Sight("WAIT-OBSERVE-DERC-5", 40.0, 0.0, "generation"),
            Sight("WAIT-OBSERVE-DERC-5", 445.0, 1.0),
            Sight("WAIT-OBSERVE-DERC-6", 115.0, 0.5),
            Sight("WAIT-OBSERVE-DERC-9-10", 115.0, 0.2),
            Sight("WAIT-OBSERVE-DERP-1-6-DEFAULTS", 295.0, 0.5),
        )
    ),
    "GEN-11": Scene(settles_s=FIVE_CONTROLS_S, sights=five("export")),
    "GEN-12": Scene(settles_s=FIVE_CONTROLS_S, sights=five("generation")),
    "STO-01": Scene(battery=True),
    "STO-02": Scene(battery=True),
    "STO-04": Scene(battery=True),
    "LOA-01": Scene(
        storage=True,
        own=-1.0,
        boiler=0.3,
        poll_s=0.5,
        hands={("WAIT-REACH-ZERO", 80.0): boiler(0.3)},
        sights=(
            Sight("WAIT-CONTROL", 50.0, 1.0, "import"),
            Sight("WAIT-REACH-ZERO", 75.0, 0.0, "import"),
            Sight("WAIT-REACH-ZERO", 115.0, 0.0, "import"),
        ),
    ),
    "LOA-13": Scene(
        storage=True,
        boiler=1.0,
        runs=True,
        own=0.0,
        poll_s=0.5,
        hands={
            ("WAIT-TEST-END", 120.0): load(0.2),
            ("WAIT-TEST-END", 240.0): load(0.1),
            ("WAIT-TEST-END", 360.0): load(0.0),
        },
        sights=tuple(
            Sight("WAIT-TEST-END", seconds, 0.2, "import")
            for seconds in (115.0, 135.0, 235.0, 255.0, 355.0, 375.0, 460.0)
        ),
    ),
    "STO-03": Scene(storage=True, poll_s=0.5, sights=(Sight("POST-RESPONSE-COMPLETED", 300.0, 1.0),)),
    # what it is and can do was told before the start, and is told anew only when it changes, or after a restart
    "STO-05": Scene(storage=True, poll_s=0.5, hands={("GET-DER", 1.0): power_cycle}),
    "STO-06": Scene(
        storage=True,
        poll_s=0.5,
        sights=tuple(
            Sight(f"WAIT-CONTROL-END-{number}", 800.0, share)
            for number, share in enumerate((1.0, 0.5, -1.0, 0.0, 0.3, 0.0), start=1)
        ),
    ),
    "LOA-11": Scene(settles_s=FIVE_CONTROLS_S, sights=five(IMPORT)),
    "LOA-12": Scene(settles_s=FIVE_CONTROLS_S, sights=five(LOAD)),
    "GEN-13": Scene(
        hands={
            ("WAIT-TEST-END", 120.0): load(0.2),
            ("WAIT-TEST-END", 240.0): load(0.1),
            ("WAIT-TEST-END", 360.0): load(0.0),
        },
        sights=tuple(
            Sight("WAIT-TEST-END", seconds, 0.2) for seconds in (135.0, 235.0, 255.0, 355.0, 375.0, 460.0)
        ),
    ),
    "MUL-01": Scene(
        hands={
            ("PUT-DERSTATUS-FIRST-DISCONNECT", 5.0): off(0),
            ("PUT-DERSTATUS-FULL-DISCONNECT", 5.0): off(),
        },
        inverters=3,
    ),
    "MUL-02": Scene(load=0.1, inverters=2, sights=(Sight("WAIT-TEST-END", 230.0, 0.0),)),
    "MUL-03": Scene(hands={("PUT-DERSETTINGS-UPDATED", 5.0): rerate}, inverters=2),
}
# Their steps are the twins' own; nothing at the site follows these limits yet, so what is published is looked at.
for name, twin, what in (
    ("LOA-02", "GEN-02", LOAD),
    ("LOA-03", "GEN-04", IMPORT),
    ("LOA-04", "GEN-04", LOAD),
    ("LOA-09", "GEN-09", IMPORT),
    ("LOA-10", "GEN-10", IMPORT),
):
    on_the_wire = [sight for sight in SCENES[twin].sights if twin != "GEN-10" or sight.what == "export"]
    SCENES[name] = Scene(sights=tuple(replace(sight, what=what) for sight in on_the_wire))
USUAL = Scene()
