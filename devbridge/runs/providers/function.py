"""Runs as invocations of an AWS Lambda function, of which Lambda tells nothing: the runner does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from devbridge.runs.model import State
from devbridge.runs.providers.base import Asked, Client, Ended, Look
from runner.outcome import Failure

NAME: Final = "lambda"
_LONGEST: Final = 900.0
"""Seconds that one invocation may take."""
_LATE: Final = 60.0
"""Seconds that clocks may differ by, and what is told last may take."""
_OLDEST: Final = 6 * 3600.0
"""Seconds that Lambda keeps an event which it has not had the means to hand over."""
_WORDS: Final = {
    "RetriesExhausted": "the function has failed",
    "EventAgeExceeded": "Lambda had no room for it in six hours",
    "ConditionNotMet": "the function has failed",
}


class Function:
    """The invocations of one function."""

    name = NAME
    repeatable = True
    printers = "Lambda"

    def __init__(self, client: Client, place: Mapping[str, Any]) -> None:
        """`place` is ``{"function": name}``."""
        self._client = client
        self._function = place.get("function", "")

    def start(self, asked: Asked) -> str:
        """See `Provider.start`. A second event of the same run is for its runner to find out."""
        ((name, value),) = asked.payload.items()
        payload = {"payload" if name == "DEVBRIDGE_PAYLOAD" else "payloadKey": value}
        event = {"devbridge": 1, "run": asked.run_id, "hop": 0, **payload}
        done = self._client("lambda").invoke(
            FunctionName=self._function,
            InvocationType="Event",
            Payload=json.dumps(event).encode(),
        )
        return str(done["ResponseMetadata"]["RequestId"])

    def stop(self, place: str) -> None:
        """See `Provider.stop`. Nothing stops an invocation: the runner looks between two of them
        whether the run was cancelled."""

    def look(self, places: Sequence[str]) -> Mapping[str, Look]:
        """See `Provider.look`: there is nothing to see."""
        look = Look(state=State.QUEUED, silence=_OLDEST + _LONGEST, at_most=_LONGEST + _LATE)
        return dict.fromkeys(places, look)


def ended(event: Mapping[str, Any]) -> Ended | None:
    """What a record for a destination of the function tells; None: it is none. That an invocation
    has succeeded need not be the end of the run, which may go on in the next one."""
    asked, context = event.get("requestPayload"), event.get("requestContext") or {}
    if not isinstance(asked, Mapping) or not isinstance(asked.get("run"), str):
        return None
    uuid, condition = asked["run"].rpartition(":")[2], str(context.get("condition", ""))
    failed = (event.get("responseContext") or {}).get("functionError") or condition in _WORDS
    look = _failed(event, condition) if failed else Look(state=State.RUNNING)
    hop = asked.get("hop")
    return Ended(uuid, "", look, hop if isinstance(hop, int) else None)


def _failed(event: Mapping[str, Any], condition: str) -> Look:
    answer = event.get("responsePayload")
    told: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}
    text = str(told.get("errorMessage") or _WORDS.get(condition, "the function has failed"))
    if "Task timed out" in text:
        return Look(state=State.TIMED_OUT)
    if "signal: killed" in text:
        text = (
            "the function was ended by SIGKILL (Lambda does that when memory runs out: its REPORT"
            " in `devbridge logs --all` says how much was used)"
        )
        return Look(state=State.CRASHED, failure=Failure("Killed", text))
    kind = str(told.get("errorType") or "FunctionFailed")
    return Look(state=State.CRASHED, failure=Failure(kind, text))
