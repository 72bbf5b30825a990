"""The variable expressions of a procedure, worked out against what the client has told the server."""

from __future__ import annotations

import operator
from datetime import UTC, datetime, timedelta
from typing import Any

from cactus_test_definitions import variable_expressions as v

from conformance.bodies import flat, number
from utility_simulator.tree import Utility

OPERATIONS = {
    v.OperationType.ADD: operator.add,
    v.OperationType.SUBTRACT: operator.sub,
    v.OperationType.MULTIPLY: operator.mul,
    v.OperationType.DIVIDE: operator.truediv,
    v.OperationType.EQ: operator.eq,
    v.OperationType.NE: operator.ne,
    v.OperationType.LT: operator.lt,
    v.OperationType.LTE: operator.le,
    v.OperationType.GT: operator.gt,
    v.OperationType.GTE: operator.ge,
}
LARGER = {"MAX_IMPORT_W": "setMaxChargeRateW", "MAX_EXPORT_W": "setMaxDischargeRateW"}


class Missing(Exception):
    """The client has not told what the expression needs."""


def resolve(value: Any, utility: Utility) -> Any:
    """A plain value as it is; an expression worked out."""
    match value:
        case v.Constant():
            return value.value
        case v.Negate():
            return -resolve(value.operand, utility)
        case v.Expression():
            left, right = resolve(value.lhs_operand, utility), resolve(value.rhs_operand, utility)
            return OPERATIONS[value.operation](left, right)
        case v.NamedVariable():
            return _named(value.variable, utility)
        case list():
            return [resolve(each, utility) for each in value]
    return value


def seconds(value: datetime) -> int:
    """A moment as the server counts it."""
    return int(value.timestamp())


def _named(variable: v.NamedVariableType, utility: Utility) -> Any:
    now = datetime.fromtimestamp(int(utility.now()), UTC)
    name = variable.name
    if name.startswith("NOW"):
        aest = now + timedelta(hours=10)
        day = now - timedelta(hours=aest.hour, minutes=aest.minute, seconds=aest.second)
        hour = now - timedelta(minutes=aest.minute, seconds=aest.second)
        return {"NOW": now, "NOW_DAY": day, "NOW_HOUR": hour}[name]
    if name.startswith("RANDURI"):
        return utility.names.path(name)
    kind, _, rest = name.partition("_")
    if rest in LARGER:
        told = _told(utility, "derg")
        return number(told[LARGER[rest]] if LARGER[rest] in told else told["setMaxW"])
    resource = {"DERSETTING": "derg", "DERCAPABILITY": "dercap"}[kind]
    wanted = rest.replace("_", "").lower()
    for element_name, element in _told(utility, resource).items():
        if element_name.lower() == wanted:
            return number(element)
    raise Missing(f"{name} is not told")


def _told(utility: Utility, resource: str) -> dict[str, Any]:
    bodies = utility.bodies(resource)
    if not bodies:
        raise Missing(f"{resource} was never put")
    return flat(bodies[-1])
