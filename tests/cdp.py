"""A debugger that speaks the Chrome DevTools Protocol, and finds its way by source maps."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from websockets.sync.client import ClientConnection, connect

DEADLINE = 60.0
"""Seconds to wait for an answer or an event; generous, because the machine may be busy."""
_DIGITS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"


@dataclass(frozen=True, order=True)
class Place:
    """A place in a file; line and column begin at 0."""

    file: Path
    line: int
    column: int = 0


@contextmanager
def debugging(url: str) -> Iterator[Debugger]:
    """A debugger of the inspector at this URL; it hangs up in the end."""
    with connect(url, max_size=None, compression=None, proxy=None) as connection:
        yield Debugger(connection)


class Debugger:
    """A connection to an inspector."""

    def __init__(self, connection: ClientConnection) -> None:
        self._socket = connection
        self._ids = count(1)
        self._events: list[dict[str, Any]] = []
        self.scripts: dict[str, dict[str, Any]] = {}
        """What is told of scripts, by their ids."""

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask, and return the answer."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (message := self._hear()).get("id") != number:
            self._events.append(message)
        assert "error" not in message, message
        found: dict[str, Any] = message["result"]
        return found

    def event(self, method: str) -> dict[str, Any]:
        """What the first event of this name says that was not returned yet."""
        while True:
            for number, event in enumerate(self._events):
                if event["method"] == method:
                    found: dict[str, Any] = self._events.pop(number)["params"]
                    return found
            self._events.append(self._hear())

    def script(self, name: str) -> SourceMap:
        """The source map of the script whose file ends so. `Debugger.enable` was asked for."""
        urls = [each["url"] for each in self.scripts.values() if each["url"].endswith(name)]
        assert len(urls) == 1, sorted(each["url"] for each in self.scripts.values())
        found = next(each for each in self.scripts.values() if each["url"] == urls[0])
        return SourceMap(found["url"], found["sourceMapURL"])

    def _hear(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(DEADLINE))
        if message.get("method") == "Debugger.scriptParsed":
            self.scripts[message["params"]["scriptId"]] = message["params"]
        return message


class SourceMap:
    """Which places of sources a script was made of.

    Args:
        url: of the script, a file's.
        map_url: of its map, as the script has it.
    """

    def __init__(self, url: str, map_url: str) -> None:
        self.url = url
        where = urljoin(url, map_url) if not map_url.startswith("data:") else ""
        text = _file(where).read_bytes() if where else base64.b64decode(map_url.partition(",")[2])
        document = json.loads(text)
        sources = [_file(urljoin(where or url, source)) for source in document["sources"]]
        script = _file(url)
        self._pairs = [
            (Place(script, row, column), Place(sources[source], line, at))
            for row, column, source, line, at in _mappings(document["mappings"])
        ]

    def made(self, source: Path, line: int) -> Place:
        """The first place in the script that a line of a source has become."""
        return min(made for made, of in self._pairs if (of.file, of.line) == (source, line))

    def source(self, line: int, column: int) -> Place:
        """The place of a source that a place in the script was made of."""
        before = [of for made, of in self._pairs if (made.line, made.column) <= (line, column)]
        return before[-1]


def _file(url: str) -> Path:
    return Path(unquote(urlsplit(url).path)).resolve()


def _mappings(text: str) -> Iterator[tuple[int, int, int, int, int]]:
    """The segments of a source map's mappings, as the specification (ECMA-426) has them."""
    source = line = at = 0
    for row, segments in enumerate(text.split(";")):
        column = 0
        for segment in filter(None, segments.split(",")):
            fields = list(_numbers(segment))
            column += fields[0]
            if len(fields) >= 4:
                source, line, at = source + fields[1], line + fields[2], at + fields[3]
                yield row, column, source, line, at


def _numbers(segment: str) -> Iterator[int]:
    value = shift = 0
    for digit in map(_DIGITS.index, segment):
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            yield -(value >> 1) if value & 1 else value >> 1
            value = shift = 0
