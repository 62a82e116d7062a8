"""A proxy that does to connections what networks do, and ends their WebSocket.

mosquitto's own WebSocket listener sends 50 KB a second when a message is larger than its buffer,
which would be the only thing that a run measures; its TCP listener is fast.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import random
import re
import socket
import struct
from typing import Final

from websockets.frames import Opcode

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Proxy:
    """WebSocket in front of a broker's TCP port. Lives in one event loop; the broker may come and
    go."""

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
            await _upgrade(reader, writer)
            up = asyncio.create_task(self._pump(reader, forth, pair, upwards=True))
            down = asyncio.create_task(self._pump(back, writer, pair, upwards=False))
            pair.tasks += [up, down]
            await asyncio.wait([up, down])
        except (OSError, EOFError, asyncio.CancelledError):
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
        with contextlib.suppress(OSError, EOFError):
            while data := await (_unframed(source) if upwards else source.read(65535)):
                if self.delay:
                    await asyncio.sleep(self._rng.uniform(0, self.delay))
                if pair.up if upwards else pair.down:
                    sink.write(data if upwards else _framed(data))
                    await sink.drain()
        if pair.up and pair.down:  # one that has stalled does not tell of an end either
            with contextlib.suppress(OSError):
                sink.close()
        else:
            pair.other_end_gone(upwards)


async def _upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = await reader.readuntil(b"\r\n\r\n")
    key = re.search(rb"(?i)sec-websocket-key: (\S+)", request)
    assert key is not None
    accept = base64.b64encode(hashlib.sha1(key[1] + _GUID, usedforsecurity=False).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


async def _unframed(source: asyncio.StreamReader) -> bytes:
    """What the client's next frame holds; nothing at its end."""
    while True:
        first, second = await source.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await source.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await source.readexactly(8))
        mask = await source.readexactly(4)
        data = await source.readexactly(size)
        if first & 0x0F == Opcode.CLOSE:
            return b""
        if size:
            key = (mask * (size // 4 + 1))[:size]
            plain = int.from_bytes(data, "big") ^ int.from_bytes(key, "big")
            return plain.to_bytes(size, "big")


def _framed(data: bytes) -> bytes:
    first = 0x80 | Opcode.BINARY
    if len(data) > 125:
        return struct.pack("!BBH", first, 126, len(data)) + data
    return struct.pack("!BB", first, len(data)) + data


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
