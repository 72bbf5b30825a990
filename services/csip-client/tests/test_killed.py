"""kill -9 at random instants, many of them around an answer on its way: nothing is lost, nothing is said twice."""

from __future__ import annotations

import os
import random

import pytest
from csip_seed import SEED
from killing import DEFAULT_W, killing

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto")]

KILLS = int(os.environ.get("DYNEXPORT_KILLS", "20"))  # `make soak-csip` asks for 200


def test_kill_9_at_random_instants_loses_no_obligation_and_repeats_no_answer() -> None:
    with killing(random.Random(SEED)) as case:
        for _ in range(KILLS):
            case.life()
        last = max(order.end for order in case.utility.orders)
        case.life(more=False, longest_s=max(0.0, last - case.utility.now()) + 15.0)
        said: dict[str, list[int]] = {order.mrid: [] for order in case.utility.orders}
        for mrid, answer in case.utility.answers():
            said[mrid].append(answer)
        wrong = {
            order.mrid: (said[order.mrid], order)
            for order in case.utility.orders
            if said[order.mrid] not in order.courses
        }
        assert wrong == {}, f"DYNEXPORT_SEED={SEED}"
        assert case.too_loose() == [], f"DYNEXPORT_SEED={SEED}"
        assert case.lives_that_spoke > KILLS / 4, case.stack.logs()
        assert case.heard[-1][1] is not None
        assert case.heard[-1][1].export_limit_w == DEFAULT_W, "all controls have ended"
