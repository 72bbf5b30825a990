"""The port on which others find a shared endpoint: one thread, few clients, and each of them at a walking pace."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

from dynexport.clock import Clock
from dynexport.modbus.proxy import frames
from dynexport.modbus.proxy.guests import Guests
from dynexport.modbus.proxy.notices import Notices
from dynexport.settings.base import Share

MOST_CLIENTS = 8
IDLE_S, FRAME_S, ANSWER_S = 90.0, 5.0, 2.0
PACE_S = 0.05
OPEN_AGAIN_S = 10.0
MOST_UNREAD, MOST_UNSENT = 512, 4096
GONE = (OSError, asyncio.IncompleteReadError, frames.NotModbus, TimeoutError)


class Server(threading.Thread):
    """Serves one endpoint's guests. A client has one request at a time, and 20 a second at most."""

    def __init__(self, share: Share, guests: Guests, clock: Clock) -> None:
        super().__init__(name=f"share-{share.port}", daemon=True)
        self.share = share
        self.guests = guests
        self.notices = Notices()
        self.clients = 0
        self.open = False
        self._clock = clock
        self._stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()

    def stop(self, timeout_s: float) -> None:
        """Close the port and every connection."""
        self.guests.close()
        self._stopped = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has just ended by itself
                self._loop.call_soon_threadsafe(self._ending.set)
            self.join(timeout_s)

    def run(self) -> None:
        """The thread. What should not happen ends the sharing, is told, and is nobody else's trouble."""
        try:
            asyncio.run(self._until_stopped())
        except BaseException as error:
            self.notices.own("share_ended", repr(error))
            raise

    async def _until_stopped(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._stopped:
            return
        serving = asyncio.create_task(self._open_and_serve())
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        serving.cancel()
        await asyncio.wait({serving})

    async def _open_and_serve(self) -> None:
        with await self._opened() as listener:
            self.notices.own("share_open")
            self.open = True
            try:
                async with asyncio.TaskGroup() as clients:
                    await self._accept(listener, clients)
            finally:
                self.open = False

    async def _opened(self) -> socket.socket:
        said = False
        while True:
            try:
                return _listen(self.share.host, self.share.port)
            except OSError as error:
                if not said:
                    self.notices.own("share_failed", error.strerror or str(error))
                said = True
                await asyncio.sleep(OPEN_AGAIN_S)

    async def _accept(self, listener: socket.socket, clients: asyncio.TaskGroup) -> None:
        """One at a time: whoever opens and closes connections all day waits in the kernel's queue."""
        while True:
            with contextlib.suppress(OSError):  # it is gone already, or there are too many open files
                connection, (host, *_) = await asyncio.get_running_loop().sock_accept(listener)
                if self.clients < MOST_CLIENTS:
                    self.clients += 1
                    clients.create_task(self._client(connection, host))
                else:
                    connection.close()
                    self._happened("share_full", host)
            await asyncio.sleep(PACE_S)

    async def _client(self, connection: socket.socket, host: str) -> None:
        self._happened("share_client", host)
        try:
            reader, writer = await asyncio.open_connection(sock=connection, limit=MOST_UNREAD)
            writer.transport.set_write_buffer_limits(high=MOST_UNSENT)
            try:
                while True:
                    await self._exchange(reader, writer, host)
                    await asyncio.sleep(PACE_S)
            finally:
                writer.transport.abort()
        except frames.NotModbus:
            self._happened("share_garbage", host)
        except GONE:
            return
        finally:
            connection.close()
            self.clients -= 1

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        """A request and its answer; a request that has begun must end soon."""
        async with asyncio.timeout(IDLE_S):
            first = await reader.readexactly(1)
        async with asyncio.timeout(FRAME_S):
            head = first + await reader.readexactly(frames.HEAD.size - 1)
            transaction, unit, length = frames.head_of(head)
            body = await reader.readexactly(length)
        writer.write(frames.frame(transaction, unit, await self._answer(unit, body, host)))
        async with asyncio.timeout(FRAME_S):
            await writer.drain()

    async def _answer(self, unit: int, body: bytes, host: str) -> bytes:
        try:
            question = frames.question_of(unit, body)
            async with asyncio.timeout(ANSWER_S):
                return await asyncio.wrap_future(self.guests.ask(question))
        except frames.Refusal as refused:
            if body[0] in frames.WRITES:
                self._happened("share_write_refused", host)
            elif refused.code == frames.ILLEGAL_FUNCTION:
                self._happened("share_refused", host)
            return frames.refusal(body[0], refused.code)
        except TimeoutError:
            self._happened("share_busy", host)
            return frames.refusal(body[0], frames.BUSY)

    def _happened(self, code: str, host: str) -> None:
        self.notices.happened(code, host, self._clock.mono())


def _listen(host: str, port: int) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=MOST_CLIENTS)
    listener.setblocking(False)
    return listener
