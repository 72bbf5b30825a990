"""Opens the connection to a gateway: its certificate is pinned at the first one, and no other is spoken to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dynexport.settings.models import PowerwallMeter
from meter_reader.adapters.certificate import fingerprint_of
from meter_reader.adapters.http import PinnedHttp
from meter_reader.adapters.pins import NotReadable, Pins
from meter_reader.web import Http, Trouble

ASK_AGAIN_S = 10.0


def opener(settings: PowerwallMeter, state_dir: Path, say: Callable[[str], None]) -> Callable[[], Http]:
    """Makes connections; `say` is told the words of a first pin. They raise NoAnswer and Trouble."""
    pins = Pins(state_dir / "meter-reader" / "pins.json")
    place = f"{settings.host}:{settings.port}"

    def connect() -> Http:
        pin = _pin(pins, place)
        if pin is None:
            pin = fingerprint_of(settings.host, settings.port)
            _remember(pins, place, pin)
            say(
                f"the certificate of {place} is pinned: SHA-256 {pin}. From now on no other is spoken to; "
                f"it stands in {pins.path}"
            )
        return PinnedHttp(settings.host, settings.port, pin, lambda shown: _refusal(pins, place, pin, shown))

    return connect


def _pin(pins: Pins, place: str) -> str | None:
    try:
        return pins.get(place)
    except NotReadable as error:
        message = f"{error}: without the pinned certificate no password is sent. Mend the file, or delete it"
        raise Trouble("certificate", message, ASK_AGAIN_S) from error


def _remember(pins: Pins, place: str, pin: str) -> None:
    try:
        pins.put(place, pin)
    except OSError as error:
        message = (
            f"the gateway's certificate cannot be remembered in {pins.path} ({error.strerror}), so no password is "
            "sent: let meter-reader write to `site.state_dir`"
        )
        raise Trouble("certificate", message, ASK_AGAIN_S) from error


def _refusal(pins: Pins, place: str, pin: str, shown: str) -> Trouble:
    """What to do about another certificate: it may be a new gateway, or somebody between us."""
    message = (
        f"{place} shows another certificate (SHA-256 {shown}) than the pinned one ({pin}), and is not spoken to. If "
        f"the gateway was replaced or reset, accept it: remove the line of {place} from {pins.path}, and the next "
        "one that it shows is pinned. If not, somebody else may have its address"
    )
    return Trouble("certificate", message, ASK_AGAIN_S)
