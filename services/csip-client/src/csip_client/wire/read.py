"""From documents to resources. What is not there is None; what is there and makes no sense raises WireError."""

from __future__ import annotations

from csip_client.wire import resources as r
from csip_client.wire.document import Node, Version, WireError, whole


def expect(node: Node, name: str) -> Node:
    """The node, when it is this element; raises WireError."""
    if node.name != name:
        raise WireError(f"a {name} was asked for, a {node.name} came")
    return node


def poll_rate(node: Node) -> int:
    """The attribute pollRate, seconds; the schema's default where it is missing, zero or no number."""
    given = node.attributes.get("pollRate", "")
    try:
        return max(0, whole(given, "pollRate")) or r.DEFAULT_POLL_S
    except WireError:
        return r.DEFAULT_POLL_S


def href(node: Node) -> str | None:
    """The attribute href."""
    return node.attributes.get("href") or None


def link(node: Node, name: str, namespace: str | None = None) -> str | None:
    """Where a link leads; None without the link."""
    found = node.child(name) if namespace is None else node.child(name, namespace)
    return href(found) if found is not None else None


def list_head(node: Node) -> r.ListHead:
    """The list's numbers; a count that is missing is what came."""
    came = len(node.children)
    return r.ListHead(_count(node, "all", came), _count(node, "results", came), poll_rate(node))


def device_capability(node: Node) -> r.DeviceCapability:
    """DeviceCapability."""
    expect(node, "DeviceCapability")
    links = (link(node, name) for name in ("TimeLink", "EndDeviceListLink", "MirrorUsagePointListLink"))
    return r.DeviceCapability(poll_rate(node), *links)


def time(node: Node) -> r.Time:
    """Time; raises WireError without currentTime."""
    expect(node, "Time")
    now = node.whole("currentTime")
    if now is None:
        raise WireError("Time has no currentTime")
    return r.Time(now, node.whole("quality"), poll_rate(node))


def end_device(node: Node, version: Version) -> r.EndDevice:
    """EndDevice; `enabled` is true where it is not said."""
    expect(node, "EndDevice")
    lfdi = node.word("lFDI")
    return r.EndDevice(
        href=href(node),
        lFDI=lfdi.upper() if lfdi else None,
        sFDI=node.whole("sFDI"),
        enabled=boolean(node.word("enabled") or "true", "enabled"),
        ConnectionPointLink=link(node, "ConnectionPointLink", version.namespace),
        DERListLink=link(node, "DERListLink"),
        FunctionSetAssignmentsListLink=link(node, "FunctionSetAssignmentsListLink"),
        RegistrationLink=link(node, "RegistrationLink"),
    )


def registration(node: Node) -> r.Registration:
    """Registration."""
    expect(node, "Registration")
    return r.Registration(node.whole("pIN"), poll_rate(node))


def connection_point_id(node: Node, version: Version) -> str | None:
    """ConnectionPoint.connectionPointId, usually the NMI."""
    return expect(node, "ConnectionPoint").word("connectionPointId", version.namespace)


def function_set_assignments(node: Node) -> r.FunctionSetAssignments:
    """FunctionSetAssignments."""
    expect(node, "FunctionSetAssignments")
    links = (link(node, "DERProgramListLink"), link(node, "TimeLink"))
    return r.FunctionSetAssignments(href(node), node.word("mRID"), *links)


def der_program(node: Node) -> r.DERProgram:
    """DERProgram; raises WireError without a primacy, which decides who wins."""
    expect(node, "DERProgram")
    primacy = node.whole("primacy")
    if primacy is None:
        raise WireError("DERProgram has no primacy")
    links = (link(node, "DefaultDERControlLink"), link(node, "DERControlListLink"))
    return r.DERProgram(href(node), node.word("mRID"), primacy, *links)


def der(node: Node) -> r.DER:
    """DER."""
    expect(node, "DER")
    links = (link(node, name) for name in ("DERCapabilityLink", "DERSettingsLink", "DERStatusLink"))
    return r.DER(href(node), *links)


def mirror_usage_point(node: Node) -> r.MirrorUsagePoint:
    """MirrorUsagePoint, as the server keeps it."""
    expect(node, "MirrorUsagePoint")
    return r.MirrorUsagePoint(href(node), node.word("mRID"), node.whole("postRate"))


def boolean(word: str, name: str) -> bool:
    """xs:boolean; raises WireError."""
    match word.strip():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise WireError(f"{name} is {word[:40]!r}, neither true nor false")


def _count(node: Node, name: str, otherwise: int) -> int:
    given = node.attributes.get(name)
    return otherwise if given is None else max(0, whole(given, name))
