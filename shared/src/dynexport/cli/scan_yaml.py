"""What was found as a whole `site.yaml`: what no device can say is marked, and stands at what is safe. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dynexport.cli.fallback_words import when_we_die
from dynexport.messages import Scope
from dynexport.modbus.address import Address, TcpAddress
from dynexport.modbus.scan import Found, Kind

HEAD = """\
# site.yaml, by `dynexport scan`. It runs as it stands: it reads the devices and writes nothing to them.
# No device can know what is marked CHANGE: look at each of these lines before `dynexport enable`.
"""
SITE = """\
site:
  name: Home
  time_zone: {zone}  # CHANGE: the site's own
  phases: {phases}  # CHANGE: 1 or 3, as the grid connection has
mqtt:
  host: {broker}  # where the broker runs
  port: {port}
agreement:
  export_limit_w: 0  # CHANGE: what the connection agreement allows; 0 lets nothing out
  failsafe_export_limit_w: 0  # CHANGE: what it allows when something has failed, often 1500
"""
TAIL = """\
sources:
  manual: {kind: preference}  # `dynexport limit`
control:
  enabled: false  # `dynexport enable` when all looks right
"""
NO_METER = (
    "# CHANGE: no meter was found, and without one this file is not whole. `dynexport devices` lists them:"
)
THREE_PHASE = (102, 103, 112, 113, 202, 203, 204, 212, 213, 214)
USUAL_ZONE = "Australia/Sydney"
USUAL_BROKER = ("localhost", 1883)


def site_yaml(
    devices: Sequence[Found], broker: tuple[str, int] = USUAL_BROKER, zone: str = USUAL_ZONE
) -> str:
    """The whole file."""
    return "\n".join([HEAD, *_lines(devices, broker, zone)])


def whole(devices: Sequence[Found]) -> bool:
    """Whether the file has all that it needs: a meter, and an inverter that can be entered."""
    return any(device.kind is Kind.METER for device in devices) and any(map(_usable, devices))


def _lines(devices: Sequence[Found], broker: tuple[str, int], zone: str) -> Iterator[str]:
    phases = 3 if any(set(device.models) & set(THREE_PHASE) for device in devices) else 1
    host, port = broker
    yield SITE.format(zone=zone, phases=phases, broker=host, port=port).rstrip()
    inverters = [device for device in devices if device.kind is Kind.INVERTER]
    yield from _meters([device for device in devices if device.kind is Kind.METER])
    usable = [device for device in inverters if _usable(device)]
    yield "inverters:" if usable else "inverters: []  # CHANGE: none was found that can be entered"
    for number, device in enumerate(usable, start=1):
        yield from _inverter(device, f"inverter{number}")
    for device in inverters:
        if not _usable(device):
            yield f"  # {device.address} unit {device.unit} does not say its rating: enter it by hand"
    yield TAIL.rstrip()


def _usable(device: Found) -> bool:
    return device.kind is Kind.INVERTER and bool(device.rated_w)


def _meters(meters: Sequence[Found]) -> Iterator[str]:
    """The first counts, one of its own before one that an inverter passes on; the others stand below as comments."""
    if not meters:
        yield NO_METER
        yield "# meter: {driver: registers, device: sdm630, tcp: {host: 192.0.2.10}, unit: 1}"
    for number, device in enumerate(sorted(meters, key=lambda device: device.behind)):
        mark = "" if number == 0 else "# "
        choice = "  # CHANGE: the one at the grid connection" if len(meters) > 1 and number == 0 else ""
        yield f"{mark}meter:{choice}"
        yield f"{mark}  # {_name(device)}{_sureness(device)}"
        for line in _driver(device):
            yield f"{mark}  {line}"
        if device.invert:
            yield f"{mark}  invert: true  # this make takes export as positive: watch it before you enable"
        yield f"{mark}  location: feed_in  # CHANGE: `consumption` when it measures what the house uses"


def _inverter(device: Found, name: str) -> Iterator[str]:
    yield f"  - id: {name}  # its name in topics: choose your own"
    yield f"    # {_name(device)}{_sureness(device)}"
    yield f"    # {when_we_die('it', device.fallback, scope=device.scope)}"
    if device.scope is Scope.EXPORT:
        yield "    # its limit is one of the site's export, which it holds by its own meter"
    for line in _driver(device):
        yield f"    {line}"
    yield f"    rated_w: {device.rated_w:.0f}"
    if device.device is None and device.control_model is None:
        yield "    # it has no control model: it cannot be limited"
    if device.confidence == "unconfirmed":
        yield "    # i_have_tested_this: true  # until this line counts, nothing is written to it"


def _driver(device: Found) -> Iterator[str]:
    if device.device is None:
        yield "driver: sunspec"
    else:
        yield "driver: registers"
        yield f"device: {device.device}"
    yield _where(device.address)
    yield f"unit: {device.unit}"


def _name(device: Found) -> str:
    return " ".join(part for part in (device.manufacturer, device.model) if part) or f"{device.kind.value}"


def _sureness(device: Found) -> str:
    return "" if device.confidence is None else f"; how sure its registers are: {device.confidence}"


def _where(address: Address) -> str:
    """`tcp:` or `serial:` as site.yaml has it."""
    if isinstance(address, TcpAddress):
        framing = "" if address.framing == "tcp" else f", framing: {address.framing}"
        return f"tcp: {{host: {address.host}, port: {address.port}{framing}}}"
    line = f"baudrate: {address.baudrate}, parity: {address.parity}, stopbits: {address.stopbits}"
    return f"serial: {{port: {address.port}, {line}}}"
