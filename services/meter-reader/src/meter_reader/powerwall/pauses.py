"""How long a Powerwall gateway is left alone after it has refused something. Pure."""

from __future__ import annotations

import math
from datetime import datetime

from meter_reader.device_clock import http_date

LIMITED_S = 300.0
"""After a 429 without `Retry-After`: the gateway locks its callers out for minutes, and asking within prolongs it."""
LEAST_S, MOST_S = 10.0, 3600.0
PASSWORD_S = 900.0
"""After a refused password: four tries an hour lock no account."""
LOGIN_EVERY_S = 60.0
"""Two logins are at least this far apart: a gateway that forgets every token at once is left alone."""
TOKEN_S = 300.0
"""After a token that is refused right after its login."""


def after_429(retry_after: str | None, now: datetime) -> float:
    """Seconds, as `Retry-After` (seconds or a date) asks for within 10 s and an hour."""
    if retry_after is None:
        return LIMITED_S
    until = http_date(retry_after)
    try:
        asked_s = (until - now).total_seconds() if until is not None else float(retry_after)
    except ValueError:
        return LIMITED_S
    return min(MOST_S, max(LEAST_S, asked_s)) if math.isfinite(asked_s) else LIMITED_S
