"""What an invoker asks of AWS while somebody waits for its answer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from devbridge.errors import CloudError


@contextlib.contextmanager
def calls(what: str) -> Iterator[None]:
    """Say what could not be done when AWS refuses it.

    Raises:
        CloudError: in place of botocore's errors.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        remedy = "deploy the stage again: its invoker may do that"
        raise CloudError(f"{what}: {error}", remedy=remedy) from error
