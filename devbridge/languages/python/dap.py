"""The Debug Adapter Protocol's frames: JSON behind a header, as in HTTP.

https://microsoft.github.io/debug-adapter-protocol/overview#base-protocol
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

HEADER: Final = b"Content-Length: "
"""What a message begins with, and nothing else does: neither a request of a web page, whose bytes a
lenient reader would take for more headers, nor a TLS handshake."""
MOST: Final = 64 << 20
"""Bytes of a message."""
_END: Final = b"\r\n\r\n"
_NAMES: Final = ("type", "command", "event")

Message = dict[str, Any]


class NotDap(Exception):
    """The other end speaks something else."""


async def read(reader: asyncio.StreamReader) -> Message | None:
    """The next message; None at the end.

    Raises:
        NotDap: that is none.
        OSError: the connection has broken.
    """
    try:
        begun = await reader.readexactly(len(HEADER))
        if begun != HEADER:
            raise NotDap(repr(begun))
        digits, _, others = (await reader.readuntil(_END))[: -len(_END)].partition(b"\r\n")
        size = int(digits) if digits.isdigit() and len(digits) < 10 else MOST + 1
        if size > MOST or (others and not others.startswith(b"Content-Type: ")):
            raise NotDap(repr(digits[:20]))
        message = json.loads(await reader.readexactly(size))
    except asyncio.IncompleteReadError:
        return None
    except (ValueError, RecursionError, asyncio.LimitOverrunError) as error:
        raise NotDap(str(error)) from None
    if not isinstance(message, dict):
        raise NotDap("no object")
    if not all(isinstance(message.get(name, ""), str) for name in _NAMES):
        raise NotDap(f"no texts: {', '.join(_NAMES)}")
    return message


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    body = json.dumps(message).encode()
    return b"%s%d%s%s" % (HEADER, len(body), _END, body)
