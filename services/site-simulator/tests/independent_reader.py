"""Reads and limits the simulator with packages of others that need an old pymodbus; .venv-independent runs it.

Usage: independent_reader.py READER PORT UNIT [LIMIT]. Prints what the package says, as JSON.
"""

from __future__ import annotations

import asyncio
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


def sma(port: int, unit: int) -> dict[str, Any]:
    """`py_sma_modbus`: SMA's list of a Tripower, which has the CORE1's addresses; and whom `pysma` takes it for."""
    from py_sma_modbus.modbus import Modbus
    from pysma.sma_modbus import SMAModbus

    async def who() -> Any:
        async with SMAModbus(host=HOST, port=port, sma_unit_id=unit) as device:
            return await device.device_info()

    client = Modbus(HOST, port, unit)
    for address in (30217, 30231, 30775, 30777, 30803, 40210):
        client.poll_register(address)
    told = asyncio.run(who())
    return {str(each.id): each.value for each in client.run()} | {
        "type": told.type,
        "maker": told.manufacturer,
    }


def pysma(port: int, unit: int, limit_pct: str | None) -> dict[str, Any]:
    """`pysma`: model 123 of the unit that is 123 above SMA's own; it writes a limit and reads it back."""
    from pysma.modbus_controls import ModbusControl
    from pysma.sma_modbus import SMAModbus

    async def limited() -> float | None:
        async with SMAModbus(host=HOST, port=port, sma_unit_id=unit) as device:
            await device.discover()
            await device.set_control(ModbusControl.POWER_LIMIT, float(limit_pct or 100))
            limit: float | None = await device.get_control(ModbusControl.POWER_LIMIT)
            return limit

    return {"limit_pct": asyncio.run(limited())}


def gavazzi(port: int, unit: int) -> dict[str, Any]:
    """`carlo_gavazzi_energy_meter_modbus`: which model it is, and what it measures."""
    from carlo_gavazzi_energy_meter_modbus.detect import async_identify
    from carlo_gavazzi_energy_meter_modbus.em300.components import Measurements
    from modbus_connection import ModbusTcpParams
    from modbus_connection.tmodbus import ModbusConnection

    async def measured() -> dict[str, Any]:
        connection = ModbusConnection(ModbusTcpParams(host=HOST, port=port))
        await connection.connect()
        meter = connection.for_unit(unit)
        model, values = await async_identify(meter), Measurements(meter)
        await values.async_update()
        await connection.close()
        return {
            "family": model.family.value, "power_w": values.active_power, "power_a_w": values.active_power_l1,
            "frequency_hz": values.frequency,
        }  # fmt: skip

    return asyncio.run(measured())


def main(reader: str, port: int, unit: int, limit: str | None) -> dict[str, Any]:
    """What one reader says."""
    limiting = {"solaredge": solaredge, "pysma": pysma}
    reading = {"sungrow": sungrow, "sma": sma, "gavazzi": gavazzi}
    if reader in limiting:
        return limiting[reader](port, unit, limit)
    return reading[reader](port, unit) if reader in reading else sdm(reader, port, unit)


if __name__ == "__main__":
    name, port, unit, *rest = sys.argv[1:]
    print(json.dumps(main(name, int(port), int(unit), rest[0] if rest else None)))
