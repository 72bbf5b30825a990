"""The utility server as a service: requests come off the bus, what the client answered goes out on it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from dynexport import topics
from dynexport.messages import Level, Request
from dynexport.pki.shown import number_of
from dynexport.ports import RawReceived, Received
from dynexport.service import BAD_CONFIGURATION, Context, HealthPart, Moment
from dynexport.testing.pki import Pki
from utility_simulator.controls import Program, stated, watts
from utility_simulator.document import V1_2, V1_3
from utility_simulator.faults import ACTIONS, STATES, Faults
from utility_simulator.server import Server
from utility_simulator.tree import Utility

STATE_EVERY_S, LOOK_S = 1.0, 0.2
KEPT_REQUESTS = 2000  # a demo may run for weeks
USUAL_S = 60.0
LIMITS = {
    "export": "opModExpLimW",
    "generation": "opModGenLimW",
    "import": "opModImpLimW",
    "load": "opModLoadLimW",
}
SWITCHES = {"connect": "opModConnect", "energize": "opModEnergize"}
ANSWERS = {1: "received", 2: "started", 3: "completed", 6: "cancelled", 7: "superseded"}


class UtilityServer:
    """Serves what `utility_simulator` in site.yaml says, and obeys `request/utility-simulator/do`."""

    def __init__(self, context: Context) -> None:
        settings = context.site.utility_simulator
        if settings is None:
            raise ValueError("site.yaml has no `utility_simulator` section")
        self.context = context
        self._settings = settings
        self.faults = Faults(context.clock.mono)
        version = V1_3 if settings.version == "1.3" else V1_2
        self.utility = Utility(self._now, version=version)
        self.utility.rates = dict.fromkeys(self.utility.rates, settings.poll_s)
        self.utility.post_rate = settings.post_s
        self.utility.registered = True
        self.program = Program(1, default=_default(settings.export_limit_w))
        self.utility.programs = [[self.program]]
        self.utility.failing = lambda _: self.faults.refusal()
        if version is V1_3:
            self.utility.well_known = {version.namespace: ["/dcap"]}
        self.server: Server | None = None
        self._heard = 0
        self._readings = 0
        self._number = 0
        self._stated_at = float("-inf")

    def start(self) -> None:
        """Listen; ends with exit code 2 where the certificates or the port cannot be used."""
        self.context.bus.subscribe(topics.REQUEST)
        folder = Path(self._settings.folder)
        try:
            client = x509.load_pem_x509_certificate((folder / "client.pem").read_bytes())
            pki = Pki(folder, number_of(client))
            self.server = Server(
                self.utility,
                pki,
                host=self._settings.host,
                port=self._settings.port,
                name=self._settings.name,
                faults=self.faults,
            )
        except (OSError, ValueError, ssl.SSLError) as error:
            text = f"cannot serve at port {self._settings.port} with the certificates in {folder}: {error}"
            self.context.fail(BAD_CONFIGURATION, f"{text}; `python -m dynexport.testing.pki` makes them")

    def connected(self, now: Moment) -> None:
        """Nothing is stored of a simulator."""

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Carry out requests; tell what came in."""
        for received in inbox:
            if isinstance(received, Received) and received.ids == ("utility-simulator", "do"):
                self._request(received.message)
        self._tell_answers()
        self._tell_readings()
        if now.mono - self._stated_at >= STATE_EVERY_S:
            self._stated_at = now.mono
            path = f"{self.context.site.mqtt.root}/{topics.UTILITY_STATE}"
            self.context.bus.publish_raw(path, json.dumps(self._state()).encode())
        return LOOK_S

    def stop(self, now: Moment) -> None:
        """Stop listening."""
        if self.server is not None:
            self.server.close()

    def health(self) -> HealthPart:
        """Nothing to add."""
        return HealthPart()

    def _now(self) -> float:
        return self.context.clock.now().timestamp() + (self.faults.value("clock") or 0.0)

    def _request(self, request: object) -> None:
        name = request.fault if isinstance(request, Request) else None
        if not isinstance(request, Request) or name not in {*ACTIONS, *STATES}:
            known = ", ".join(sorted({*ACTIONS, *STATES}))
            self.context.event(Level.WARNING, "utility_unknown", f"no {name!r} here; there are {known}")
            return
        try:
            self._do(name, request)
        except ValueError as error:
            self.context.event(Level.WARNING, "utility_refused", f"{name}: {error}")

    def _do(self, name: str, request: Request) -> None:
        match name:
            case "control":
                self._control(request)
            case "cancel":
                number = self.program.cancel(self.utility.now())
                self.context.event(Level.INFO, "utility_cancelled", f"{number} controls are cancelled")
            case "default":
                self.program.default = _default(_value(request))
                text = f"the default allows to export {_value(request):.0f} W"
                self.context.event(Level.INFO, "utility_default", text)
            case "clear":
                self.faults.clear()
            case _:
                self.faults.begin(name, request.value or 0.0, request.for_s)

    def _control(self, request: Request) -> None:
        mode = request.id or "export"
        lasts_s = USUAL_S if request.for_s is None else request.for_s
        if mode in LIMITS:
            base, words = (
                watts(LIMITS[mode], round(_value(request))),
                f"{mode} at most {_value(request):.0f} W",
            )
        elif mode in SWITCHES:
            closed = bool(request.value)
            base, words = f"<{SWITCHES[mode]}>{str(closed).lower()}</{SWITCHES[mode]}>", f"{mode}: {closed}"
        else:
            raise ValueError(f"no mode {mode!r}; there are {', '.join([*LIMITS, *SWITCHES])}")
        now = int(self.utility.now())
        self._number += 1
        mrid = f"{now:024X}{self._number:08X}"
        self.program.create(self.utility.control(mrid, now, round(lasts_s), base), now)
        text = f"control {mrid[-10:]}: {words}, for {lasts_s:.0f} s"
        self.context.event(Level.INFO, "utility_control", text)

    def _tell_answers(self) -> None:
        if len(self.utility.bodies("rsp")) == self._heard:  # five looks a second: nothing is read for none
            return
        answers = self.utility.answers()
        for mrid, status in answers[self._heard :]:
            text = f"the client answers {status} ({ANSWERS.get(status, 'unknown')}) to control {mrid[-10:]}"
            self.context.event(Level.INFO, "utility_answered", text)
        self._heard = len(answers)

    def _tell_readings(self) -> None:
        number = len(self.utility.bodies("mirror"))
        if number > self._readings:
            text = f"{number - self._readings} readings came in, {number} in all"
            self.context.event(Level.INFO, "utility_readings", text)
        self._readings = number
        del self.utility.requests[:-KEPT_REQUESTS]

    def _state(self) -> dict[str, object]:
        return {
            "answers": self.utility.answers()[-50:],
            "readings": self._readings,
            "requests": len(self.utility.requests),
            "told": sorted(set(self.utility.stored)),
            "faults": self.faults.words,
        }


def _default(export_limit_w: float) -> str:
    return stated(watts("opModExpLimW", round(export_limit_w)))


def _value(request: Request) -> float:
    if request.value is None or request.value < 0:
        raise ValueError("needs `value`, watts, 0 or more")
    return request.value


def build(context: Context) -> UtilityServer:
    """The factory for `service.main`."""
    return UtilityServer(context)
