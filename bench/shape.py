"""`site.yaml` of the plant of control.md, in the variations that scenarios and tests need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynexport.broker import HOST, free_port
from dynexport.modbus.registers.catalogue import description
from dynexport.settings.models import MqttSection

RATED_W = 10_000


def site(
    mqtt: MqttSection,
    *,
    count: int = 1,
    export_limit_w: float = 1500.0,
    meter_behind: bool = False,
    web_meter: dict[str, Any] | None = None,
    obligation_w: float | None = None,
    serial: dict[str, Any] | None = None,
    feeds: Sequence[str] = (),
    phase_limit_w: float | None = None,
    batteries: Sequence[dict[str, Any]] = (),
    loads: Sequence[dict[str, Any]] = (),
    device: str | None = None,
    meter_device: str | None = None,
    behind_mqtt: dict[str, Any] | None = None,
    meter_serial: dict[str, Any] | None = None,
    **simulator: Any,
) -> dict[str, Any]:
    """Ratings that sum to 10 kW, polls of 0.2 s, script-driven sun.

    With `meter_behind` the meter shares the first inverter's endpoint; with `serial` all share that bus, and are
    polled as fast as a line of 9600 baud can. With `obligation_w` there is an obligation `utility` whose fallback is
    that export. `web_meter` is a meter by HTTP, without its place. With `feeds`, the phase of each inverter, the site
    has three phases. `device` and `meter_device` are makes by description; a meter of the inverter's own make is read
    through it. `meter_serial`: it has a line of its own. With `behind_mqtt`
    the inverters are published and limited over MQTT, and it says more of each.
    """
    inverters = [_inverter(index, count, feeds) for index in range(count)]
    meter = _device(240, dict(inverters[0]["tcp"]) if meter_behind else _place())
    if web_meter is not None:
        meter = {**web_meter, **_place()}
    if serial is not None:
        _share_bus(serial, inverters, meter)
    if meter_serial is not None:
        del meter["tcp"]
        meter |= {"serial": meter_serial, "poll_s": 0.5}
    _of_makes(device, meter_device, inverters, meter)
    if behind_mqtt is not None:
        inverters = [_over_mqtt(mqtt.root, inverter, behind_mqtt) for inverter in inverters]
    phases = 3 if feeds else 1
    return {
        "site": {"name": "Bench", "time_zone": "Australia/Adelaide", "clock": "trusted", "phases": phases},
        "mqtt": {"host": mqtt.host, "port": mqtt.port, "root": mqtt.root},
        "agreement": {
            "export_limit_w": export_limit_w,
            "failsafe_export_limit_w": min(1500.0, export_limit_w),
            "export_limit_per_phase_w": phase_limit_w,
        },
        "meter": meter,
        "inverters": inverters,
        "batteries": list(batteries),
        "loads": list(loads),
        "sources": _sources(obligation_w),
        "control": {"enabled": True},
        "simulator": {"sun": "script", "load_w": 5000, **simulator},
    }


def _place() -> dict[str, Any]:
    return {"host": HOST, "port": free_port()}


def _device(unit: int, tcp: dict[str, Any]) -> dict[str, Any]:
    return {"driver": "sunspec", "tcp": tcp, "unit": unit, "poll_s": 0.2}


def _inverter(index: int, count: int, feeds: Sequence[str]) -> dict[str, Any]:
    phase = {"phase": feeds[index]} if feeds else {}
    return {"id": f"i{index}", **_device(1, _place()), "rated_w": RATED_W / count, **phase}


def _over_mqtt(root: str, inverter: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in inverter.items() if key not in ("tcp", "unit", "poll_s")}
    topic = f"{root}-devices/{inverter['id']}"
    command = {"topic": f"{topic}/set", "payload": '{"limit": ${limit_w}, "on": ${connect}}'}
    read_back = {"topic": f"{topic}/held", "fields": {"limit_w": "limit", "connect": "on"}}
    said = {"driver": "mqtt", "topic": topic, "fields": {"power_w": "ac.power"}, "period_s": 0.2}
    return {**kept, **said, "command": command, "read_back": read_back, **more}


def _share_bus(serial: dict[str, Any], inverters: list[dict[str, Any]], meter: dict[str, Any]) -> None:
    for unit, inverter in enumerate(inverters, start=1):
        inverter["unit"] = unit
    for device in (*inverters, meter):
        del device["tcp"]
        device |= {"serial": dict(serial), "poll_s": 0.5}


def _of_makes(
    device: str | None, meter_device: str | None, inverters: list[dict[str, Any]], meter: dict[str, Any]
) -> None:
    for entry, name in [*((inverter, device) for inverter in inverters), (meter, meter_device)]:
        if name is not None:
            entry |= {"driver": "registers", "device": name, "unit": description(name).unit}
    if device is not None:
        for inverter in inverters:
            inverter["i_have_tested_this"] = True


def _sources(obligation_w: float | None) -> dict[str, Any]:
    preferences = {name: {"kind": "preference"} for name in ("manual", "tariff")}
    if obligation_w is None:
        return preferences
    return {**preferences, "utility": {"kind": "obligation", "fallback": {"export_limit_w": obligation_w}}}
