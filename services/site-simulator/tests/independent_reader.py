"""Reads and limits the simulator with packages of others that need an old pymodbus; .venv-independent runs it.

Usage: independent_reader.py READER PORT UNIT [LIMIT]. Prints what the package says, as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

HOST = "127.0.0.1"
SDM_TOTALS = {"SDM630": "total_power_active", "SDM72": "total_power", "SDM120": "power_active"}
SUNGROW = [  # as SungrowClient's own register file has them, numbered from 1
    {"name": "nominal_kw", "address": 5001, "datatype": "U16", "type": "read", "accuracy": 0.1},
    {"name": "meter_w", "address": 5601, "datatype": "S32", "type": "read"},
    {"name": "export_w", "address": 13010, "datatype": "S32", "type": "read"},
    {"name": "power_w", "address": 13034, "datatype": "S32", "type": "read"},
    {"name": "limit_w", "address": 13074, "datatype": "U16", "type": "hold"},
]


def scaled(values: dict[str, Any], name: str, scale: str) -> float:
    """A value with the scale factor that stands beside it."""
    return float(values[name] * 10.0 ** values[scale])


def solaredge(port: int, unit: int, limit_pct: str | None) -> dict[str, Any]:
    """`solaredge_modbus`: the inverter, the meter behind it, and the limit of 0xF001, which it writes."""
    import solaredge_modbus

    inverter = solaredge_modbus.Inverter(host=HOST, port=port, unit=unit, timeout=2)
    if limit_pct is not None:
        inverter.write("active_power_limit", int(limit_pct))
    values = inverter.read_all()
    meter = inverter.meters()["Meter1"].read_all()
    return {
        "maker": values["c_manufacturer"],
        "power_w": scaled(values, "power_ac", "power_ac_scale"),
        "frequency_hz": scaled(values, "frequency", "frequency_scale"),
        "limit_pct": values["active_power_limit"],
        "meter_w": scaled(meter, "power", "power_scale"),
        "meter_a_w": scaled(meter, "l1_power", "power_scale"),
    }


def sdm(model: str, port: int, unit: int) -> dict[str, Any]:
    """`sdm_modbus`: the total of a meter, one register after the other."""
    import sdm_modbus

    meter = getattr(sdm_modbus, model)(host=HOST, port=port, unit=unit, timeout=2)
    return {"power_w": meter.read(SDM_TOTALS[model]), "frequency_hz": meter.read("frequency")}


def sungrow(port: int, unit: int) -> dict[str, Any]:
    """`SungrowClient`: its decoding of Sungrow's registers, and its step from their numbers to addresses."""
    from SungrowClient import SungrowClient

    client = SungrowClient.SungrowClient(
        {"host": HOST, "port": port, "timeout": 2, "retries": 1, "slave": unit, "connection": "modbus"}
    )
    client.connect()
    client.registers = SUNGROW
    for register in SUNGROW:
        client.load_registers(register["type"], register["address"] - 1, 2)
    return dict(client.latest_scrape)


def main(reader: str, port: int, unit: int, limit: str | None) -> dict[str, Any]:
    """What one reader says."""
    if reader == "solaredge":
        return solaredge(port, unit, limit)
    return sungrow(port, unit) if reader == "sungrow" else sdm(reader, port, unit)


if __name__ == "__main__":
    name, port, unit, *rest = sys.argv[1:]
    print(json.dumps(main(name, int(port), int(unit), rest[0] if rest else None)))
