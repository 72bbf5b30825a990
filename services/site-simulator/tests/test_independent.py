"""The simulator read, and limited, by packages of others: its registers are not only what we believe them to be."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import goodwe
import huawei_solar
import pytest
import sunspec2.modbus.client as pysunspec2
from huawei_solar import register_names as names
from huawei_solar.register_values import ActivePowerControlMode
from simulated_roof import CLOCK, RATED_W, Roof

ROOT = Path(__file__).parents[3]
OTHER_PYTHON = ROOT / ".venv-independent/bin/python"
READER = Path(__file__).parent / "independent_reader.py"
LIMIT_W, EXPORT_W = 3000, 8000
LOOP_S = 1.5


def says(reader: str, port: int, unit: int, *limit: int) -> dict[str, Any]:
    """What a package that needs an old pymodbus says."""
    command = [str(part) for part in (OTHER_PYTHON, READER, reader, port, unit, *limit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_goodwe_reads_an_et_and_its_meter_and_limits_the_export() -> None:
    with Roof("goodwe-et", "goodwe-et-meter", unit=247, shared=True) as roof:

        async def read_and_limit() -> dict[str, Any]:
            inverter = await goodwe.connect("127.0.0.1", roof.port, family="ET")
            data = await inverter.read_runtime_data()
            data |= {"model": inverter.model_name, "rated_w": inverter.rated_power}
            await inverter.set_grid_export_limit(LIMIT_W)
            await inverter.write_setting("grid_export", 1)
            return data | {"limit_w": await inverter.get_grid_export_limit()}

        data = asyncio.run(read_and_limit())
        assert (data["model"], data["rated_w"], data["limit_w"]) == ("GW10K-ET", RATED_W, LIMIT_W)
        assert data["total_inverter_power"] == pytest.approx(RATED_W, abs=5)
        assert data["active_power"] == data["meter_active_power_total"] == pytest.approx(EXPORT_W, abs=5)
        assert data["meter_active_power1"] == pytest.approx(EXPORT_W, abs=5)
        assert (data["fgrid"], data["grid_in_out_label"]) == (50.0, "Exporting")
        CLOCK.sleep(LOOP_S)
        assert roof.truth["export_w"] == pytest.approx(LIMIT_W, abs=10)


def test_goodwe_reads_a_dt_and_limits_its_export_by_percent() -> None:
    with Roof("goodwe-dt", unit=127) as roof:

        async def read_and_limit() -> dict[str, Any]:
            inverter = await goodwe.connect("127.0.0.1", roof.port, family="DT")
            data = await inverter.read_runtime_data()
            await inverter.write_setting("grid_export_limit", 30)
            await inverter.write_setting("grid_export", 1)
            return data | {"limit_pct": await inverter.read_setting("grid_export_limit")}

        data = asyncio.run(read_and_limit())
        assert data["total_inverter_power"] == pytest.approx(RATED_W, abs=5)
        assert data["meter_active_power"] == pytest.approx(EXPORT_W, abs=5)
        assert (data["work_mode_label"], data["limit_pct"]) == ("Normal", 30)
        CLOCK.sleep(LOOP_S)
        assert roof.truth["export_w"] == pytest.approx(LIMIT_W, abs=10)


def test_huawei_solar_reads_a_sun2000_and_its_meter_and_limits_the_export() -> None:
    with Roof("huawei-sun2000", "huawei-meter", shared=True) as roof:

        async def read_and_limit() -> dict[str, Any]:
            bridge = await huawei_solar.create_tcp_bridge("127.0.0.1", roof.port, 1)
            read: Callable[[list[str]], Awaitable[dict[str, Any]]] = bridge.batch_update
            values = await read(
                [names.RATED_POWER, names.ACTIVE_POWER, names.DEVICE_STATUS, names.POWER_METER_ACTIVE_POWER]
            )
            values |= await read([names.ACTIVE_POWER_CONTROL_MODE, names.GRID_FREQUENCY])
            await bridge.set(names.MAXIMUM_FEED_GRID_POWER_WATT, LIMIT_W)
            mode = ActivePowerControlMode.POWER_LIMITED_GRID_CONNECTION_WATT
            await bridge.set(names.ACTIVE_POWER_CONTROL_MODE, mode)
            values |= await read([names.MAXIMUM_FEED_GRID_POWER_WATT])
            await bridge.stop()
            return {name: result.value for name, result in values.items()}

        data = asyncio.run(read_and_limit())
        assert data[names.RATED_POWER] == RATED_W
        assert data[names.ACTIVE_POWER] == pytest.approx(RATED_W, abs=5)
        assert data[names.POWER_METER_ACTIVE_POWER] == pytest.approx(EXPORT_W, abs=5)
        assert (data[names.GRID_FREQUENCY], data[names.DEVICE_STATUS]) == (50.0, "On-grid")
        assert data[names.ACTIVE_POWER_CONTROL_MODE] == ActivePowerControlMode.UNLIMITED
        assert data[names.MAXIMUM_FEED_GRID_POWER_WATT] == LIMIT_W
        CLOCK.sleep(LOOP_S)
        assert roof.truth["export_w"] == pytest.approx(LIMIT_W, abs=10)


def test_pysunspec2_finds_a_solaredge_and_its_meter_and_agrees_on_their_watts() -> None:
    with Roof("solaredge", "sunspec", shared=True) as roof:
        device = pysunspec2.SunSpecModbusClientDeviceTCP(
            slave_id=1, ipaddr="127.0.0.1", ipport=roof.port, timeout=3
        )
        device.scan()
        inverter, meter = device.models[103][0], device.models[203][0]
        assert [device.models[1][index].Mn.value for index in (0, 1)] == ["SolarEdge", "SolarEdge"]
        assert inverter.W.cvalue == pytest.approx(RATED_W, abs=5)
        assert inverter.Hz.cvalue == pytest.approx(50.0)
        assert meter.W.cvalue == meter.WphA.cvalue == pytest.approx(EXPORT_W, abs=5)
        device.close()


@pytest.mark.needs("independent")
def test_solaredge_modbus_reads_a_solaredge_and_its_simple_limit_is_obeyed() -> None:
    with Roof("solaredge", "sunspec", shared=True) as roof:
        roof.endpoint.write_registers(1, 0xF142, [1, 0])
        roof.write(0xF100, "h", 1)
        roof.endpoint.close()
        said = says("solaredge", roof.port, 1)
        assert said["maker"] == "SolarEdge"
        assert said["power_w"] == pytest.approx(RATED_W, abs=5)
        assert said["meter_w"] == said["meter_a_w"] == pytest.approx(EXPORT_W, abs=5)
        assert (said["frequency_hz"], said["limit_pct"]) == (50.0, 100)
        assert says("solaredge", roof.port, 1, 30)["limit_pct"] == 30
        assert roof.truth["generation_w"] == pytest.approx(3000, abs=5)


@pytest.mark.needs("independent")
@pytest.mark.parametrize(("meter", "model"), [("sdm630", "SDM630"), ("sdm72", "SDM72"), ("sdm120", "SDM120")])
def test_sdm_modbus_reads_an_eastron_meter(meter: str, model: str) -> None:
    with Roof("sma-core1", meter) as roof:
        said = says(model, roof.meter_port, 1)
        assert said["power_w"] == pytest.approx(-EXPORT_W, abs=5)
        assert said["frequency_hz"] == pytest.approx(50.0)


@pytest.mark.needs("independent")
def test_sungrowclient_reads_a_hybrid_its_meter_and_its_limit() -> None:
    with Roof("sungrow-sh", "sungrow-sh-meter", shared=True) as roof:
        roof.write(13073, "H", LIMIT_W)
        said = says("sungrow", roof.port, 1)
        assert said["power_w"] == pytest.approx(RATED_W, abs=5)
        assert said["export_w"] == -said["meter_w"] == pytest.approx(EXPORT_W, abs=5)
        assert (said["nominal_kw"], said["limit_w"]) == (RATED_W / 1000, LIMIT_W)


@pytest.mark.needs("independent", "python3.12")
def test_py_sma_modbus_reads_a_core1_and_pysma_knows_what_it_is() -> None:
    with Roof("sma-core1", "sma-core1-meter", unit=3, shared=True) as roof:
        said = says("sma", roof.port, 3)
        assert said["30775"] == pytest.approx(RATED_W, abs=5)
        assert said["30777"] == pytest.approx(RATED_W / 3, abs=5)
        assert (said["30803"], said["30231"]) == (50.0, RATED_W)
        assert said["30217"] == "Unknown Value 51"  # "closed"; it has no list of words of its own
        assert (said["maker"], said["type"]) == ("SMA", "STP50-40")


@pytest.mark.needs("independent", "python3.12")
def test_pysma_limits_an_inverter_through_model_123_and_it_obeys() -> None:
    with Roof("sunspec", unit=126) as roof:
        assert says("pysma", roof.port, 3, 30)["limit_pct"] == 30
        assert roof.truth["generation_w"] == pytest.approx(3000, abs=5)


@pytest.mark.needs("independent", "python3.12")
def test_carlo_gavazzi_energy_meter_modbus_knows_an_em340_and_reads_it() -> None:
    with Roof("sma-core1", "em340", unit=3) as roof:
        said = says("gavazzi", roof.meter_port, 1)
        assert said["power_w"] == said["power_a_w"] == pytest.approx(-EXPORT_W, abs=5)
        assert (said["family"], said["frequency_hz"]) == ("EM340", 50.0)
