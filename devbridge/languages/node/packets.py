"""The packets of ``esbuild --service``, as its own client (``lib/main.js``) has them. Pure.

A packet is its length, then a number that is twice its id, and one more if it answers a request,
then a value. All numbers have 32 bits, little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

_NUMBER: Final = struct.Struct("<I")
_NULL, _FLAG, _INTEGER, _TEXT, _BYTES, _LIST, _MAPPING = range(7)


def packet(number: int, value: object, *, answers: bool) -> bytes:
    """A packet with its length.

    Args:
        number: of the request, which its answer has, too.
        value: what JSON has, without fractions, and bytes.
    """
    out = bytearray(_NUMBER.pack(number << 1 | answers))
    _write(value, out)
    return _NUMBER.pack(len(out)) + bytes(out)


def parsed(body: bytes) -> tuple[int, bool, Any]:
    """The number of a packet without its length, whether it answers a request, and its value.

    Raises:
        ValueError: it is no packet.
    """
    try:
        number = _NUMBER.unpack_from(body)[0]
        value, end = _read(body, 4)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"not a packet of esbuild's: {error}") from error
    if end != len(body):
        raise ValueError(f"not a packet of esbuild's: {len(body) - end} bytes too many")
    return number >> 1, bool(number & 1), value


def length(head: bytes) -> int:
    """How many bytes follow the first four of a packet."""
    return int(_NUMBER.unpack(head)[0])


def _write(value: object, out: bytearray) -> None:
    match value:
        case None:
            out.append(_NULL)
        case bool():
            out += bytes((_FLAG, value))
        case int():
            out.append(_INTEGER)
            out += _NUMBER.pack(value & 0xFFFFFFFF)
        case str():
            out.append(_TEXT)
            _write_bytes(value.encode(errors="surrogateescape"), out)
        case bytes():
            out.append(_BYTES)
            _write_bytes(value, out)
        case Mapping():
            out.append(_MAPPING)
            out += _NUMBER.pack(len(value))
            for key, item in value.items():
                _write_bytes(str(key).encode(), out)
                _write(item, out)
        case Sequence():
            out.append(_LIST)
            out += _NUMBER.pack(len(value))
            for item in value:
                _write(item, out)
        case _:
            raise TypeError(f"esbuild's packets have no {type(value).__name__}")


def _write_bytes(value: bytes, out: bytearray) -> None:
    out += _NUMBER.pack(len(value))
    out += value


def _read(body: bytes, at: int) -> tuple[Any, int]:
    kind, at = body[at], at + 1
    if kind == _NULL:
        return None, at
    if kind == _FLAG:
        return bool(body[at]), at + 1
    count = _NUMBER.unpack_from(body, at)[0]
    at += 4
    if kind == _INTEGER:
        return count, at
    if kind in (_TEXT, _BYTES):
        return _bytes(body, at, count, text=kind == _TEXT), at + count
    if kind == _LIST:
        items = []
        for _ in range(count):
            item, at = _read(body, at)
            items.append(item)
        return items, at
    if kind != _MAPPING:
        raise ValueError(f"not a packet of esbuild's: no kind of value is {kind}")
    found: dict[str, Any] = {}
    for _ in range(count):
        size = _NUMBER.unpack_from(body, at)[0]
        key, at = _bytes(body, at + 4, size, text=True), at + 4 + size
        found[key], at = _read(body, at)
    return found, at


def _bytes(body: bytes, at: int, count: int, *, text: bool) -> Any:
    taken = body[at : at + count]
    if len(taken) != count:
        raise ValueError("not a packet of esbuild's: it ends too early")
    return taken.decode(errors="surrogateescape") if text else taken
