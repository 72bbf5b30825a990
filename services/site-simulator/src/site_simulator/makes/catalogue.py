"""Which image is served under which name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from dynexport.settings.models import RegisterInverter, RegisterMeter
from dynexport.testing.plant import PlantInverter
from site_simulator.makes import (
    eastron,
    gavazzi,
    goodwe,
    goodwe_dt,
    huawei,
    sigenergy,
    sma,
    solaredge,
    sungrow,
    sungrow_sg,
)
from site_simulator.makes.unit import MakeInverter, MakeMeter
from site_simulator.world import METER, World

MakesInverter = Callable[[RegisterInverter, PlantInverter, World], MakeInverter]
MakesMeter = Callable[[World], MakeMeter]
Chosen = TypeVar("Chosen")

INVERTERS: dict[str, MakesInverter] = {
    "sma-core1": sma.SmaInverter,
    "solaredge": solaredge.SolarEdgeInverter,
    "sungrow-sh": sungrow.SungrowHybrid,
    "sungrow-sg": sungrow_sg.SungrowString,
    "goodwe-et": goodwe.GoodweHybrid,
    "goodwe-dt": goodwe_dt.GoodweString,
    "sigenergy": sigenergy.Sigenergy,
    "huawei-sun2000": huawei.HuaweiInverter,
}
METERS: dict[str, MakesMeter] = {
    "sma-core1-meter": sma.SmaMeter,
    "sdm630": eastron.Sdm630,
    "sdm120": eastron.Sdm120,
    "sdm72": eastron.Sdm72,
    "em24": gavazzi.Em24,
    "em340": gavazzi.Em340,
    "goodwe-et-meter": goodwe.GoodweHybridMeter,
    "sungrow-sh-meter": sungrow.SungrowHybridMeter,
    "huawei-meter": huawei.HuaweiMeter,
    "sigenergy-meter": sigenergy.SigenergyMeter,
}


class NoImage(ValueError):
    """No image goes by the name that the settings give."""


def inverter_of(settings: RegisterInverter, plant: PlantInverter, world: World) -> MakeInverter:
    """The inverter whose image the settings name; raises NoImage."""
    return _chosen(INVERTERS, settings.id, settings.device, world)(settings, plant, world)


def meter_of(settings: RegisterMeter, world: World) -> MakeMeter:
    """The meter whose image the settings name; raises NoImage."""
    return _chosen(METERS, METER, settings.device, world)(world)


def meter_behind(inverter: MakeInverter, unit: int) -> MakeMeter:
    """The SunSpec meter under the unit id of an inverter of another make; raises NoImage for one that has none."""
    if isinstance(inverter, solaredge.SolarEdgeInverter):
        return solaredge.SolarEdgeMeter(inverter.world, unit)
    raise NoImage(f"the image of {inverter.name} has no SunSpec meter under its unit id {unit}")


def _chosen(images: Mapping[str, Chosen], name: str, device: str, world: World) -> Chosen:
    wanted = world.settings.images.get(name, device)
    if wanted not in images:
        raise NoImage(
            f"the simulator has no image {wanted!r} for {name}; there are {', '.join(sorted(images))}, "
            f"and simulator.images.{name} names one of them"
        )
    return images[wanted]
