"""Which addresses a scan means: names, addresses, networks, or the networks of this machine."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Sequence

from dynexport.settings.base import host

SIOCGIFADDR, SIOCGIFNETMASK = 0x8915, 0x891B
NAME_BYTES = 16
ADDRESS_AT = 20
MOST_HOSTS = 1024
NOT_OURS = ("lo", "docker", "br-", "veth", "virbr", "tun", "wg", "tailscale", "zt", "cni", "flannel")


class BadTarget(ValueError):
    """What was asked for is no address, name or network; the text says what to write."""


def hosts_of(targets: Sequence[str]) -> list[str]:
    """Every host that is meant, each once, in order; raises BadTarget."""
    return list(dict.fromkeys(name for target in targets for name in _hosts(target)))


def _hosts(target: str) -> list[str]:
    if "/" not in target:
        try:
            return [host(target)]
        except ValueError as error:
            raise BadTarget(f"{target!r} {error}") from None
    try:
        network = ipaddress.ip_network(target, strict=False)
    except ValueError:
        raise BadTarget(
            f"{target!r} is no network: write for example 192.168.1.0/24, or an address"
        ) from None
    if network.num_addresses > MOST_HOSTS:
        raise BadTarget(f"{target} has {network.num_addresses} addresses: {MOST_HOSTS} at most (a /22)")
    return [str(address) for address in network.hosts()]


def local_networks() -> list[str]:
    """The IPv4 networks of this machine's own network cards, without containers', tunnels' and loopback."""
    networks = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            if name.startswith(NOT_OURS):
                continue
            try:
                address, mask = _ask(probe, SIOCGIFADDR, name), _ask(probe, SIOCGIFNETMASK, name)
            except OSError:  # a card without an IPv4 address
                continue
            networks.append(str(ipaddress.ip_network(f"{address}/{mask}", strict=False)))
    return list(dict.fromkeys(networks))


def _ask(probe: socket.socket, request: int, name: str) -> str:
    answer = fcntl.ioctl(probe.fileno(), request, struct.pack("256s", name.encode()[: NAME_BYTES - 1]))
    return socket.inet_ntoa(answer[ADDRESS_AT : ADDRESS_AT + 4])


def resolved(host: str) -> str:
    """The address of a name; the name itself where nobody knows it."""
    try:
        return socket.gethostbyname(host)
    except OSError:
        return host
