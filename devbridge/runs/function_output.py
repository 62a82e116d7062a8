"""What a function has printed, from its log group of CloudWatch Logs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from devbridge.runs.lambda_log import IsApps, shown, text_of
from devbridge.runs.log_events import Group
from devbridge.runs.log_turns import Turns

THROTTLED: Final = ("ThrottlingException", "LimitExceededException")
"""What CloudWatch Logs says when all of the account have asked too often."""


def output(
    client: Callable[[], Any],
    group: str,
    since: float,
    *,
    follow: bool,
    everything: bool,
    is_apps: IsApps,
) -> Iterator[bytes]:
    """What was printed, in pieces.

    Args:
        client: gives botocore's client of CloudWatch Logs.
        since: seconds since the epoch.
        follow: go on for ever.
        everything: with Lambda's own lines.

    Raises:
        ClientError: the log group is not there, or may not be read.
    """
    from botocore.exceptions import ClientError

    log, turns = Group(client, group, since), Turns(time.monotonic())
    turns.keep({group: False}, time.monotonic())
    while turn := turns.next():
        time.sleep(max(0.0, turn[1] - time.monotonic()))
        try:
            events = log.read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in THROTTLED:
                raise
            turns.refused(group, time.monotonic())
            continue
        turns.answered(group, time.monotonic(), found=bool(events), more=log.more)
        for event in events:
            said = event.message.rstrip("\n") if everything else shown(event.message, is_apps)
            if said is not None:
                yield text_of(said).encode("utf-8", "backslashreplace")
        if not (follow or log.more):
            return
