"""The `csip` section: its files, and what csip-client says of the server."""

from __future__ import annotations

import stat
from datetime import datetime
from pathlib import Path

from dynexport import messages as m
from dynexport.cli.doctor.finding import Finding, doubt, ok, wrong
from dynexport.identity import pin_is_valid
from dynexport.pki.files import PkiError, fits, read_chain, read_key, require_p256
from dynexport.pki.shown import broken_at, days_left
from dynexport.settings.csip import CsipSection

ABOUT = "csip"
RENEW_DAYS = 60.0
CLOCK_DOUBT_S = 5.0
OTHERS = stat.S_IRWXG | stat.S_IRWXO
STANDINGS = {
    "waiting_for_registration": "give the distributor the LFDI (`dynexport csip id`); it registers us",
    "disabled": "the distributor has switched us off: ask it why",
    "pin_mismatch": "nothing is sent, the fallback counts: is `csip.pin` what the distributor gave? then restart",
    "unknown": "`dynexport csip discover` shows how far we come",
}


def files(csip: CsipSection, now: datetime) -> list[Finding]:
    """Certificate, key and roots exist and fit, nobody else reads the key, and there is time left."""
    try:
        chain = read_chain(Path(csip.cert))
        require_p256(chain[0].public_key(), Path(csip.cert))
        key = read_key(Path(csip.key))
        read_chain(Path(csip.ca))
    except PkiError as error:
        if isinstance(error.__cause__, PermissionError):
            advice = (
                "the key is for csip-client's user only: `dynexport csip discover` as that user looks at it"
            )
            return [doubt(ABOUT, f"{error}: not looked at", advice)]
        return [wrong(ABOUT, str(error), "docs/csip.md says how they are made, and who gives the roots")]
    found = []
    if Path(csip.key).stat().st_mode & OTHERS:
        found.append(wrong(ABOUT, f"others may read {csip.key}", f"`chmod 600 {csip.key}`"))
    if not fits(key, chain[0]):
        found.append(wrong(ABOUT, f"{csip.key} is not the key of {csip.cert}", "take the key of its request"))
    if broken_at(chain) is not None:
        found.append(
            doubt(ABOUT, f"the chain in {csip.cert} is broken", f"`dynexport cert show {csip.cert}`")
        )
    if csip.pin is not None and not pin_is_valid(csip.pin):
        found.append(
            wrong(ABOUT, "the check digit of csip.pin does not fit", "type it as the distributor gave it")
        )
    left = days_left(chain[0], now)
    if left < 0:
        found.append(
            wrong(ABOUT, "the certificate has expired", "a new one is a new LFDI, to be registered anew")
        )
    elif left < RENEW_DAYS:
        advice = "begin now: a new one is a new LFDI, to be registered anew"
        found.append(doubt(ABOUT, f"the certificate ends in {left:.0f} days", advice))
    return found or [ok(ABOUT, f"certificate, key and roots fit, {left:.0f} days left")]


def server(status: m.CsipStatus | None) -> list[Finding]:
    """What csip-client published last of the server."""
    if status is None:
        return [
            doubt(
                ABOUT,
                "csip-client has said nothing of the server",
                "is it running? `dynexport csip discover`",
            )
        ]
    found = []
    if not status.reachable:
        why = status.trouble or "no reason given"
        found.append(
            wrong(ABOUT, f"the server cannot be reached: {why}", "`dynexport csip discover` says more")
        )
    if status.clock_offset_s is not None and abs(status.clock_offset_s) > CLOCK_DOUBT_S:
        sentence = f"the server's clock is {status.clock_offset_s:+.0f} s from ours"
        found.append(doubt(ABOUT, sentence, "csip-client follows the server's; is ours synchronised?"))
    if status.standing != "registered":
        standing = status.standing or "unknown"
        found.append(
            wrong(ABOUT, f"we are {standing} at the server", STANDINGS.get(standing, STANDINGS["unknown"]))
        )
    return found or [ok(ABOUT, "the server is reached, and we are registered")]
