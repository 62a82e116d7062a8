"""What AWS refuses: for good or for now, and to whom that is said."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from devbridge.runs.providers.base import NoRoom

_LATER: Final = (
    "Throttl",
    "TooManyRequests",
    "RequestLimitExceeded",
    "LimitExceeded",
    "Unavailable",
)
"""What is in the codes of errors that go away by themselves."""


def refused(error: Exception) -> bool:
    """Whether AWS has refused for good what it was asked for."""
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return False
    told: Any = error.response
    if told.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500:
        return False
    return not any(word in told["Error"]["Code"] for word in _LATER)


class Steps:
    """Steps of which each is to be done, whatever becomes of the others."""

    def __init__(self) -> None:
        self.first: Exception | None = None
        """The first error."""

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """What is in here is one of them."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (NoRoom, BotoCoreError, ClientError) as error:
            self.first = self.first or error

    def done(self) -> None:
        """All were done.

        Raises:
            NoRoom, ClientError, BotoCoreError: the first error.
        """
        if self.first is not None:
            raise self.first


@contextlib.contextmanager
def spared() -> Iterator[None]:
    """Say only in the log what could not be done now: nobody has asked for that here, and who comes
    by next tries again."""
    steps = Steps()
    with steps.one():
        yield
    if (error := steps.first) is not None:
        print(f"devbridge: not now: {type(error).__name__}: {error}", flush=True)
