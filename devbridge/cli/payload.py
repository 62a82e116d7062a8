"""A payload from the command line: text, a file or stdin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from devbridge.errors import PayloadError
from devbridge.payload import given as payloads
from devbridge.payload.given import check_json

if TYPE_CHECKING:
    from devbridge.config import Config

__all__ = ["check_accepted", "check_json", "read_payload"]


def read_payload(given: str) -> tuple[bytes, str]:
    """The payload's bytes and where they are from: the text itself, ``@file``, or ``-`` (stdin).

    Raises:
        PayloadError: the file cannot be read.
    """
    if given == "-":
        return sys.stdin.buffer.read(), "stdin"
    if not given.startswith("@"):
        return given.encode("utf-8", "surrogateescape"), "--payload"
    path = Path(given[1:])
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        raise PayloadError(
            f"the payload's file cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="name a file that is there: --payload @payload.json",
        ) from error


def check_accepted(config: Config, job: str, payload: str, remedy: str = "--no-check") -> None:
    """Refuse what the job's handler would refuse; see `devbridge.payload.given`.

    Raises:
        PayloadInvalid: it is not what the handler declares; the path inside it is named.
    """
    payloads.check_accepted(config.schemas, job, payload, remedy)
