"""The shared endpoints of one service: started and stopped with it, and what strangers did told as its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dynexport.messages import Level
from dynexport.modbus.address import Address, Placed, address_of
from dynexport.modbus.proxy.guests import Guests
from dynexport.modbus.proxy.notices import Notice
from dynexport.modbus.proxy.server import MOST_CLIENTS, OPEN_AGAIN_S, Server
from dynexport.modbus.worker import EndpointWorker
from dynexport.service import Context
from dynexport.settings.base import Share

STOP_WITHIN_S = 0.5
SENTENCES = {
    "share_open": (Level.INFO, "{endpoint} can be read by others on {share}"),
    "share_failed": (
        Level.WARNING,
        f"{{endpoint}} cannot be shared on {{share}}: {{detail}}; tried again every {OPEN_AGAIN_S:.0f} s",
    ),
    "share_ended": (Level.ERROR, "{endpoint} is shared no more until a restart: {detail}"),
    "share_client": (Level.INFO, "{host} reads {endpoint} through {share}"),
    "share_full": (
        Level.WARNING,
        f"{{host}} was turned away from {{share}}: {MOST_CLIENTS} others are connected",
    ),
    "share_write_refused": (
        Level.WARNING,
        "{host} tried to write to {endpoint} through {share}: refused, it is for reading only",
    ),
    "share_refused": (
        Level.INFO,
        "{host} asked {endpoint} through {share} for something other than registers: refused",
    ),
    "share_busy": (Level.INFO, "{host} was told that {endpoint} is busy: our own reads and writes go first"),
    "share_garbage": (
        Level.WARNING,
        "{host} sent to {share} what is no Modbus TCP: its connection was closed",
    ),
}


def shares_of(devices: Iterable[Placed]) -> dict[Address, Share]:
    """How endpoints are shared, as far as these devices say so."""
    places = ((device, device.tcp or device.serial) for device in devices)
    return {address_of(device): place.share for device, place in places if place and place.share}


class Sharing:
    """Gives the workers of shared endpoints their guests. Only `start`, `tell` and `stop` do something."""

    def __init__(
        self, context: Context, devices: Iterable[Placed], workers: Sequence[EndpointWorker]
    ) -> None:
        self._context = context
        self._servers: dict[str, Server] = {}
        shares = shares_of(devices)
        for worker in workers:
            share = shares.get(worker.endpoint.address)
            if share is not None:
                units = {*share.units, *(job.unit for job in worker.jobs)}
                worker.guest = guests = Guests(units, context.clock, worker.wake)
                self._servers[str(worker.endpoint.address)] = Server(share, guests, context.clock)

    def start(self) -> None:
        """Open the ports; one that cannot be opened is told, and hinders nothing else."""
        for server in self._servers.values():
            server.start()

    def tell(self) -> None:
        """Say as events what has happened. From the service's own thread."""
        for endpoint, server in self._servers.items():
            for notice in server.notices.take():
                self._event(notice, endpoint, f"{server.share.host}:{server.share.port}")

    def stop(self) -> None:
        """Turn everybody out, before the service leaves things safe."""
        for server in self._servers.values():
            server.stop(STOP_WITHIN_S)

    def health(self) -> dict[str, Any]:
        """For `learned`: what others have had of each shared endpoint since the start; nothing without any."""
        if not self._servers:
            return {}
        counts = {
            endpoint: {
                "open": server.open,
                "clients": server.clients,
                "reads": server.guests.counts["read"],
                "unanswered": server.guests.counts["unanswered"],
                "busy": server.notices.counts["share_busy"],
                "refused_writes": server.notices.counts["share_write_refused"],
            }
            for endpoint, server in self._servers.items()
        }
        return {"shared": counts}

    def _event(self, notice: Notice, endpoint: str, share: str) -> None:
        level, sentence = SENTENCES[notice.code]
        host = notice.host or "we"
        message = sentence.format(endpoint=endpoint, share=share, host=host, detail=notice.detail)
        data = {"client": notice.host, "times": notice.times} if notice.host else {}
        self._context.event(level, notice.code, message, endpoint=endpoint, **data)
