"""What a writer has to keep."""

from __future__ import annotations

from dynexport.conform import common, writer_does, writer_says

RULES = (*writer_says.RULES, *writer_does.RULES, *common.life("writer"))

NOT_JUDGED = (
    "What the inverter really makes: compare `power_w` with `applied_w` on its own display.",
    "`connect: false` (some inverters then wait for minutes), targets above 30 % of the rating, and the limit found "
    "at start: they would cost you generation, or allow too much, for a test.",
    "What happens when the writer is killed: `hardware_fallback` in its capability has to be true.",
)
