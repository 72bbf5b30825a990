"""One seed a run for everything that the server draws: printed when a test fails, and set by DYNEXPORT_SEED."""

from __future__ import annotations

import os
import random

SEED = int(os.environ.get("DYNEXPORT_SEED") or random.SystemRandom().randrange(1_000_000))
