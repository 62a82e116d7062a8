"""What devbridge logs, without what is secret."""

from __future__ import annotations

import logging
import sys
from typing import Any

from devbridge.redaction import redacted


class Formatter(logging.Formatter):
    """Of every handler that devbridge has: records and their tracebacks without what is secret."""

    def format(self, record: logging.LogRecord) -> str:
        """As logging does it, without what is secret."""
        return redacted(super().format(record))


class StderrHandler(logging.StreamHandler[Any]):
    """Writes to what stderr is at that moment."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(Formatter("%(asctime)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """As logging does it, to that."""
        self.stream = sys.stderr
        super().emit(record)


_ON_STDERR = StderrHandler()


def show_on_stderr() -> None:
    """From now on, whatever devbridge logs is on stderr."""
    logger = logging.getLogger("devbridge")
    logger.addHandler(_ON_STDERR)
    logger.setLevel(logging.DEBUG)
