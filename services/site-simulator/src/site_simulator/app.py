"""The simulator as a service: requests come off the bus, the truth goes out on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from dynexport import topics
from dynexport.messages import Level, Request
from dynexport.ports import RawReceived, Received
from dynexport.service import BAD_CONFIGURATION, Context, HealthPart, Moment
from site_simulator.adapters.network import Network
from site_simulator.faults import ACTIONS, STATES
from site_simulator.loads import Loads
from site_simulator.makes.catalogue import NoImage
from site_simulator.mqtt_inverters import MqttInverters
from site_simulator.world import World

TRUTH_EVERY_S = 0.2
OPENS_WITHIN_S = 5.0


class Simulator:
    """Serves the site of `site.yaml` over Modbus and obeys `request/site-simulator/fault`."""

    def __init__(self, context: Context) -> None:
        settings = context.site.simulator
        if settings is None:
            raise ValueError("site.yaml has no `simulator` section")
        self.context = context
        self.network = Network(
            lambda record: World(context.site, settings, context.clock, record), settings.record
        )
        world = self.network.world
        self.loads = Loads(context, world, self._act)
        self.behind_mqtt = MqttInverters(context, world, self._act)
        self._truth_at = float("-inf")

    def start(self) -> None:
        """Open the endpoints."""
        self.context.bus.subscribe(topics.REQUEST)
        self.loads.start()
        self.behind_mqtt.start()
        self.network.start()
        try:
            self.network.wait_open(OPENS_WITHIN_S)
        except (OSError, NoImage) as error:
            self.context.fail(BAD_CONFIGURATION, f"cannot serve the simulated devices: {error}")

    def connected(self, now: Moment) -> None:
        """Nothing is stored of a simulator."""

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Carry out requests, publish the truth."""
        for received in inbox:
            if isinstance(received, Received) and received.ids == ("site-simulator", "fault"):
                self._request(received.message)
            elif isinstance(received, Received):
                self.loads.hear(received)
            else:
                self.loads.obey(received)
                self.behind_mqtt.hear(received)
        self.loads.say(now)
        self.behind_mqtt.say(now)
        if self.network.problem is not None:
            raise self.network.problem
        if now.mono - self._truth_at >= TRUTH_EVERY_S:
            self._truth_at = now.mono
            path = f"{self.context.site.mqtt.root}/{topics.SIMULATOR_TRUTH}"
            self.context.bus.publish_raw(path, json.dumps(self.network.truth).encode())
        return min(TRUTH_EVERY_S, self.behind_mqtt.period_s or TRUTH_EVERY_S)

    def stop(self, now: Moment) -> None:
        """Close the endpoints."""
        self.network.stop()

    def health(self) -> HealthPart:
        """Nothing to add."""
        return HealthPart()

    def _act(self, action: Callable[[], None]) -> None:
        """In the world's thread."""
        self.network.call(action, lambda _error: None)

    def _request(self, request: object) -> None:
        if not isinstance(request, Request) or request.fault not in {*STATES, *ACTIONS}:
            known = ", ".join(sorted({*STATES, *ACTIONS}))
            asked = request.fault if isinstance(request, Request) else None
            self.context.event(Level.WARNING, "fault_unknown", f"no fault {asked!r}; there are {known}")
            return
        name, device = request.fault, request.id

        def act() -> None:
            if name == "reset":
                self.network.reset(device)
            elif name == "power_cycle":
                self.network.power_cycle(device, request.value)
            else:
                self.network.world.act(name, device, request.value, request.for_s)
                if name == "revert":
                    self.network.revert(device)

        def done(error: BaseException | None) -> None:
            if error is None:
                self.context.log.info(
                    "done as asked", extra={"fault": name, "device": device, "value": request.value}
                )
            else:
                self.context.event(Level.WARNING, "fault_refused", f"{name}: {error}")

        self.network.call(act, done)


def build(context: Context) -> Simulator:
    """The factory for `service.main`."""
    return Simulator(context)
