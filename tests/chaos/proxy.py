"""A TCP proxy that does to connections what networks do."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct


class Proxy:
    """In front of a broker. Lives in one event loop; the broker may come and go."""

    def __init__(self, target: int, rng: random.Random) -> None:
        self._target = target
        self._rng = rng
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self.port = 0
        self.delay = 0.0
        """Seconds by which each piece of data comes later, at most."""
        self.dark = False
        """New connections are accepted, and nothing ever answers them."""
        self.connections = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> int:
        """Reset every connection of now."""
        cut = list(self._pairs)
        for pair in cut:
            pair.reset()
        return len(cut)

    def stall(self) -> int:
        """From now on the connections of now lose everything, without a sign of it."""
        for pair in self._pairs:
            pair.up = pair.down = False
        return len(self._pairs)

    def deafen(self) -> int:
        """The connections of now still carry what clients send, and nothing back."""
        for pair in self._pairs:
            pair.down = False
        return len(self._pairs)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        pair = _Pair(writer)
        self._pairs.add(pair)
        try:
            if self.dark:
                while await reader.read(65536):
                    pass
                return
            try:
                back, forth = await asyncio.open_connection("127.0.0.1", self._target)
            except OSError:
                pair.reset()
                return
            pair.writers.append(forth)
            up = asyncio.create_task(self._pump(reader, forth, pair, upwards=True))
            down = asyncio.create_task(self._pump(back, writer, pair, upwards=False))
            pair.tasks += [up, down]
            await asyncio.wait([up, down])
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._pairs.discard(pair)
            pair.reset()

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        pair: _Pair,
        *,
        upwards: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if self.delay:
                    await asyncio.sleep(self._rng.uniform(0, self.delay))
                if pair.up if upwards else pair.down:
                    sink.write(data)
                    await sink.drain()
        if pair.up and pair.down:  # one that has stalled does not tell of an end either
            with contextlib.suppress(OSError):
                sink.close()
        else:
            pair.other_end_gone(upwards)


class _Pair:
    """One connection: the client's half and the broker's."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writers = [writer]
        self.tasks: list[asyncio.Task[None]] = []
        self.up = True
        self.down = True

    def other_end_gone(self, upwards: bool) -> None:
        """A client that gave up a stalled connection leaves nothing to keep for it."""
        if upwards:
            self.reset()

    def reset(self) -> None:
        for writer in self.writers:
            raw = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        for task in self.tasks:
            task.cancel()
