"""What runs on this cloud now: for root to look at, and to take away its machine.

``GET`` lists, ``POST ?id=ID`` ends one as the end of a host or of spare capacity would, ``&kill=1``
without a notice. Behind the gate, for root alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from ..asgi import App, answer_json

PATH: Final = "/_devbridge/machines"
RUN: Final = "DEVBRIDGE_RUN_ID"
"""The variable that tells what runs which run of devbridge it is."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Something that runs, or waits for its turn."""

    compute: str
    """``codebuild``, ``batch``, ``fargate`` or ``lambda``."""
    id: str
    """The service's own: an ARN, an id."""
    status: str
    """In the service's words."""
    names: Sequence[str]
    """What it is called as well: the name of a job, who has started a task."""
    run: str
    """The id of a run of devbridge; empty: it is none."""
    pids: Sequence[int]
    """The processes that it consists of; none: it has no machine."""
    interrupt: Callable[[bool], object]
    """Take its machine away; True: without a notice."""

    def is_called(self, name: str) -> bool:
        """Whether a name is this one's: an id, a run's id or the end of one."""
        known = {self.id, self.id.rpartition("/")[2], *self.names, self.run}
        return bool(name) and name in known | {self.run.rpartition(":")[2]}

    def document(self) -> dict[str, Any]:
        """What is shown of it."""
        return {
            "compute": self.compute,
            "id": self.id,
            "status": self.status,
            "run": self.run or None,
            "names": list(self.names),
            "pids": list(self.pids),
        }


Source = Callable[[], Iterable[Machine]]
"""A service's machines."""


def run_of(environment: Iterable[Mapping[str, Any]]) -> str:
    """The run's id in a list of variables."""
    return next((str(each.get("value", "")) for each in environment if each["name"] == RUN), "")


def served_by(app: App, sources: Sequence[Source]) -> App:
    """The ASGI app with the endpoint in front."""

    async def with_machines(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await app(scope, receive, send)
            return
        query = parse_qs(scope.get("query_string", b"").decode())
        # In a thread: what it ends may take a while.
        status, content = await asyncio.to_thread(_answer, scope["method"], query, sources)
        await answer_json(send, status, content)

    return with_machines


def _answer(
    method: str, query: Mapping[str, Sequence[str]], sources: Sequence[Source]
) -> tuple[int, Any]:
    machines = [machine for source in sources for machine in source()]
    if method == "GET":
        return 200, {"machines": [each.document() for each in machines]}
    (asked,) = query.get("id") or [""]
    found = [each for each in machines if each.pids and each.is_called(asked)]
    for each in found:
        each.interrupt("kill" in query)
    known = [each.document() for each in machines if each.is_called(asked)]
    return (200 if found else 404), {"interrupted": [e.document() for e in found], "known": known}
