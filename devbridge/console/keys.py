"""What lets a browser in: a link that opens once, and the cookie that it is exchanged for.

A stage's console keeps its port and its cookie's value from one start to the next, so that a page
that was left open goes on. Links are of one start: who may read this file can make one.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from devbridge import redaction
from devbridge.folders import write_private


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of one console."""

    port: int = 0
    """Where it listens, or has listened last."""
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """The cookie's value."""
    launch: str = field(default="", repr=False)
    """What links are signed with; empty: no console listens."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Those of the last console there; new ones, if there was none."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return cls(**json.loads(path.read_bytes()))
        return cls()

    def write(self, path: Path) -> None:
        """Keep them, for this user only."""
        write_private(path, json.dumps(asdict(self)))

    def opened(self, port: int) -> Self:
        """Those of a console that listens at that port from now on."""
        found = replace(self, port=port, launch=secrets.token_urlsafe(32))
        redaction.secret(found.session, found.launch)
        return found

    def closed(self) -> Self:
        """Those of one that listens no more."""
        return replace(self, launch="")

    @property
    def cookie(self) -> str:
        """The cookie's name: another port of this host is another console."""
        return f"devbridge-{self.port}"

    def link(self, path: str = "/") -> str:
        """A URL that opens the console, once."""
        nonce = secrets.token_urlsafe(9)
        return f"http://127.0.0.1:{self.port}{path}?token={nonce}.{self._signature(nonce)}"

    def made(self, token: str) -> bool:
        """Whether a link of this console has this token."""
        nonce, _, signature = token.partition(".")
        return bool(self.launch) and _same(signature, self._signature(nonce))

    def is_session(self, value: str) -> bool:
        """Whether this is the cookie's value."""
        return _same(value, self.session)

    def _signature(self, nonce: str) -> str:
        return hmac.new(self.launch.encode(), nonce.encode(), "sha256").hexdigest()[:32]


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), known.encode())
