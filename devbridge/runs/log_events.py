"""CloudWatch Logs: one stream from its beginning on, or a group from a moment on.

FilterLogEvents, the only one that reads a group, may be called 5 times a second by all of an
account in a region (CloudWatch Logs quotas): whoever follows a group asks slowly, see
`devbridge.runs.log_turns`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

OVERLAP: Final = 30.0
"""Seconds before the last question that are asked about again: CloudWatch Logs has lines some
seconds after they were printed, and not in order."""
_TOLERANCE: Final = 2.0
"""Seconds that two clocks may differ by: the Date of an answer has whole ones."""


class Stream:
    """One stream of CloudWatch Logs, read from its beginning on."""

    def __init__(self, client: Any, group: str, stream: str, since: float | None = None) -> None:
        """`since`: what is older is left out; seconds since the epoch."""
        self._client = client
        self._names: dict[str, Any] = {"logGroupName": group, "logStreamName": stream}
        if since is not None:
            self._names["startTime"] = int(since * 1000)
        self._token: str | None = None
        self.count = 0
        """The messages that were read."""

    def read(self) -> Iterator[tuple[int, str]]:
        """The messages that have come since the last call, with their times in milliseconds."""
        while True:
            more = {} if self._token is None else {"nextToken": self._token}
            try:
                page = self._client.get_log_events(startFromHead=True, **self._names, **more)
            except self._client.exceptions.ResourceNotFoundException:
                return  # it is made with its first line
            for event in page["events"]:
                self.count += 1
                yield event["timestamp"], event["message"]
            # A page may be empty though more follow: the end is where the token stays the same.
            if page["nextForwardToken"] == self._token:
                return
            self._token = page["nextForwardToken"]


class Clock:
    """The cloud's clock, as its answers tell it: this machine's may be minutes away from it."""

    def __init__(self) -> None:
        self.ahead = 0.0
        """Seconds that the cloud's clock is ahead of this machine's."""

    def heard(self, answer: Mapping[str, Any]) -> None:
        """Take the Date of an answer."""
        told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if told:
            ahead = parsedate_to_datetime(told).timestamp() + 0.5 - time.time()
            self.ahead = ahead if abs(ahead) > _TOLERANCE else 0.0


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event of a log."""

    stream: str
    message: str


class Group:
    """One log group, from a moment on, each event once.

    Args:
        client: gives botocore's client of CloudWatch Logs.
        since: seconds since the epoch, by this machine's clock.
    """

    def __init__(
        self, client: Callable[[], Any], name: str, since: float, clock: Clock | None = None
    ) -> None:
        self._client = client
        self._name = name
        self._clock = clock or Clock()
        self._from = since
        self._pages: dict[str, Any] = {}
        """How to ask for the next page; empty: the last one was read."""
        self._asked = since
        self._seen: dict[str, int] = {}
        """The times of the events that were read, by their ids."""

    @property
    def more(self) -> bool:
        """Whether there is another page already."""
        return bool(self._pages)

    def read(self) -> list[LogEvent]:
        """What has come since the last call, or a part of it: `more`. One request.

        Raises:
            ClientError, BotoCoreError: it could not be asked; it can be again.
        """
        if not self._pages:
            self._asked = time.time()
        start = int((self._from + self._clock.ahead) * 1000)
        asked = self._pages or {"startTime": start}
        answer = self._client().filter_log_events(logGroupName=self._name, **asked)
        self._clock.heard(answer)
        first = int((self._from + self._clock.ahead) * 1000)
        found = []
        for event in answer["events"]:
            # AWS gives each an id; another cloud need not.
            stream, at, message = event["logStreamName"], event["timestamp"], event["message"]
            key = event.get("eventId") or f"{stream} {at} {message}"
            if key not in self._seen and at >= first:
                self._seen[key] = at
                found.append(LogEvent(stream, message))
        token = answer.get("nextToken")
        self._pages = {"startTime": asked["startTime"], "nextToken": token} if token else {}
        if not token:
            self._from = max(self._from, self._asked - OVERLAP)
            first = int((self._from + self._clock.ahead) * 1000)
            self._seen = {key: at for key, at in self._seen.items() if at >= first}
        return found
