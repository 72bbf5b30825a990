"""What a procedure does to the server: each action of `cactus-test-definitions` that the claimed classes use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from conformance.judge import Judge
from conformance.places import Places
from conformance.resolve import resolve, seconds
from dynexport.identity import pin
from utility_simulator.controls import Program, stated, watts
from utility_simulator.document import V1_3
from utility_simulator.tree import Utility

LIMITS = ("opModImpLimW", "opModExpLimW", "opModGenLimW", "opModLoadLimW", "opModStorageTargetW")
SWITCHES = ("opModConnect", "opModEnergize")
RATES = {
    "dcap_poll_seconds": "dcap",
    "edev_list_poll_seconds": "edev",
    "fsa_list_poll_seconds": "fsa",
    "derp_list_poll_seconds": "derp",
    "der_list_poll_seconds": "der",
    "mup_list_poll_seconds": "mup",
}


@dataclass(slots=True)
class Server:
    """The server under a procedure's actions; `steps` are told what to enable, remove and when to finish."""

    utility: Utility
    places: Places
    judge: Judge
    enable: Callable[[list[str]], None]
    remove: Callable[[list[str]], None]
    finish: Callable[[str | None], None]
    _defaults: dict[int, dict[str, Any]] = field(default_factory=dict)
    _made: int = 0

    def run(self, actions: Any) -> None:
        """Each action in turn."""
        for action in actions or []:
            given = {key: resolve(value, self.utility) for key, value in action.parameters.items()}
            self._run(action.type, given)

    def _run(self, kind: str, given: dict[str, Any]) -> None:
        u = self.utility
        match kind:
            case "enable-steps":
                self.enable(given["steps"])
            case "remove-steps":
                self.remove(given["steps"])
            case "finish-test":
                self.finish(given.get("fail_message"))
            case "set-comms-rate":
                u.rates.update({RATES[key]: value for key, value in given.items() if key in RATES})
                u.post_rate = given.get("mup_post_seconds", u.post_rate)
            case "communications-status":
                u.failing = (lambda _: None) if given["enabled"] else (lambda _: (500, {}))
            case "edev-registration-links":
                u.pin = u.pin if given["enabled"] else None
            case "register-end-device":
                u.registered = True
                u.pin = pin(given["registration_pin"])
            case "create-der-program":
                self._program(given.get("fsa_id", 1), given["primacy"])
            case "set-default-der-control":
                self._default(given)
            case "create-der-control":
                self._control(given)
            case "cancel-active-der-controls":
                for program in self.places.programs:
                    program.cancel(u.now())
            case "create-wellknown-route":
                u.well_known = u.well_known if u.well_known is not None else {}
                u.well_known[str(given["version"])] = given["dcap_paths"]
            case "add-proxy-route":
                u.names.alias(given["route"], given["proxy_to"].lstrip("/"))
            case _:
                raise NotImplementedError(f"the action {kind}")

    def _program(self, assignment: int, primacy: int) -> Program:
        made = Program(primacy)
        while len(self.utility.programs) < assignment:
            self.utility.programs.append([])
        self.utility.programs[assignment - 1].append(made)
        self.places.programs.append(made)
        return made

    def _default(self, given: dict[str, Any]) -> None:
        """What is not given keeps its last value, as envoy has it; a withdrawn one has an empty base."""
        number = given.get("derp_id") or 1
        if not self.places.programs:
            self._program(1, 0)
        program = self.places.programs[number - 1]
        if given.get("cancelled"):
            self._defaults[number] = {}
            program.default = stated("")
            return
        known = self._defaults.setdefault(number, {})
        known.update({key: value for key, value in given.items() if key in (*LIMITS, "setGradW")})
        base = "".join(watts(mode, int(known[mode])) for mode in LIMITS if mode in known)
        program.default = stated(base, known.get("setGradW"))

    def _control(self, given: dict[str, Any]) -> None:
        u = self.utility
        ten = given.get("pow_10_multipliers", 0)
        parts = [f"<{name}>{str(given[name]).lower()}</{name}>" for name in SWITCHES if name in given]
        if "ramp_time_seconds" in given:
            parts.append(f"<rampTms>{round(given['ramp_time_seconds'] * 100)}</rampTms>")
        parts += [watts(name, round(given[name] / 10**ten), ten) for name in LIMITS if name in given]
        self._made += 1
        mrid = f"{self._made:032X}"
        control = u.control(
            mrid,
            seconds(given["start"]),
            given["duration_seconds"],
            "".join(parts),
            randomize_start=given.get("randomizeStart_seconds"),
        )
        self._wanted(given).create(control, u.now())
        self.judge.mrids.append(mrid)
        if "tag" in given:
            self.judge.controls[given["tag"]] = mrid

    def _wanted(self, given: dict[str, Any]) -> Program:
        """The program of that assignment and primacy; made where there is none."""
        assignment, primacy = given.get("fsa_id", 1), given.get("primacy")
        there = self.utility.programs[assignment - 1] if assignment <= len(self.utility.programs) else []
        for program in there:
            if primacy is None or program.primacy == primacy:
                return program
        return self._program(assignment, primacy or 0)


def announce_1_3(utility: Utility) -> None:
    """A server of version 1.3 says so in its well-known file, unless the procedure writes its own."""
    if utility.version is V1_3:
        utility.well_known = {V1_3.namespace: ["/dcap"]}
