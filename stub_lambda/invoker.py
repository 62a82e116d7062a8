"""What an invoker does with an event, whoever runs the job.

`stub_lambda.handler` starts runs on the laptop, `stub_lambda.deployed` in the cloud.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from devbridge.errors import DevbridgeError, UnknownRun
from devbridge.protocol.errors import TooLarge
from devbridge.protocol.messages import REJECT_TOO_LARGE, REJECT_UNKNOWN_RUN
from runner.messages import Listening
from stub_lambda import events
from stub_lambda.events import Context, Question, Refused, Start
from stub_lambda.records import Outcome, Record, Source
from stub_lambda.sources import source_of

if TYPE_CHECKING:
    from stub_lambda.later import Later

NOT_LATER: Final = "NotLater"
_LEFT: Final = 2.0
"""Seconds without which no further record is tried: it comes again."""


class Undelivered(Exception):
    """A run whose time has come could not be started."""


class Invoker(Protocol):
    """Starts the runs of one job, and tells of them. Both raise `Refused` and `DevbridgeError`."""

    @property
    def job(self) -> str:
        """The name of that job."""

    def run_id(self, key: str) -> str:
        """The id of the run that a key names."""

    def start(self, start: Start, context: Context) -> dict[str, Any]:
        """The answer with the run's id. It is the same run for the same key, which is the id of
        Lambda's request when the caller has given none."""

    def ask(self, question: Question, context: Context) -> dict[str, Any]:
        """The answer with the run's state, after the cancellation if that is what was asked."""


def answer(open_invoker: Callable[[], Invoker], event: Any, context: Context) -> Any:
    """What Lambda returns. Errors that a caller of devbridge's can act on are answers, not
    exceptions; each service of AWS is answered as its `Source` says.

    Raises:
        NotStarted: a service of AWS is to call again.
        Undelivered: a run whose time has come was refused, and nobody waits for the answer: Lambda
            is to try again, and to keep it in a queue at the end.
    """
    if (source := source_of(event)) is not None:
        return _records(source, open_invoker, event, context)
    found = _answered(lambda: _asked(open_invoker(), event, context))
    if "error" in found and isinstance(event, Mapping) and event.get("scheduled") is True:
        raise Undelivered(f"{found['error']['code']}: {found['error']['message']}")
    return found


def _asked(invoker: Invoker, event: Any, context: Context) -> dict[str, Any]:
    asked = events.parse(event)
    if isinstance(asked, Start):
        return _run(invoker, asked, context)
    return _told(invoker, asked, context)


def _answered(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return ask()
    except Refused as refused:
        return events.error(refused.code, str(refused))
    except TooLarge as error:
        return events.error(REJECT_TOO_LARGE, f"{error}: put it in S3 and send the key")
    except DevbridgeError as error:
        return events.error(type(error).__name__, str(error))


def _records(
    source: Source, open_invoker: Callable[[], Invoker], event: Mapping[str, Any], context: Context
) -> Any:
    outcomes: list[Outcome] = []
    once = functools.cache(open_invoker)  # what cannot be opened is an error of each record
    listening = Listening.from_environment(context.invoked_function_arn)
    for record in source.starts(event, listening):
        outcome = _started(source, once, record, context, outcomes)
        if outcome.failed:
            # Where nobody reads the answer, the log is where it is looked for.
            print(
                f"devbridge: {', '.join(record.ids)}: {outcome.code}: {outcome.error}", flush=True
            )
        outcomes.append(outcome)
    return source.answer(outcomes)


def _started(
    source: Source,
    open_invoker: Callable[[], Invoker],
    record: Record,
    context: Context,
    before: list[Outcome],
) -> Outcome:
    if source.ordered and before and before[-1].kept:
        return Outcome(record, code="Waits", error="the record before it comes first")
    if before and context.get_remaining_time_in_millis() < _LEFT * 1000:
        return Outcome(record, code="Waits", error="the time of this invocation is over")
    found = _answered(lambda: open_invoker().start(record.start, context))
    if (refusal := found.get("error")) is not None:
        return Outcome(record, code=refusal["code"], error=refusal["message"])
    return Outcome(record, found)


def _run(invoker: Invoker, start: Start, context: Context) -> dict[str, Any]:
    later = _later()
    if start.scheduled and later is not None and start.key is not None:
        return _come(invoker, later, start, start.key, context)
    if start.at is None or start.at <= datetime.now(UTC):
        # The first time counts: a key that somebody has given may be that of a run that waits.
        if later is not None and start.remember and start.key is not None:
            known = later.told(Question("status", invoker.run_id(start.key)))
            if known is not None:
                waits = ("jobId", "state", "startAt")
                return {**{each: known[each] for each in waits}, "duplicate": True}
        return invoker.start(start, context)
    if later is None:
        raise Refused(
            NOT_LATER,
            f"the job {invoker.job} takes no runs for a later time: write later=True into its Job,"
            " and deploy it",
        )
    run_id = invoker.run_id(start.key or context.aws_request_id)
    return later.start(run_id, start, start.at, context)


def _come(
    invoker: Invoker, later: Later, start: Start, key: str, context: Context
) -> dict[str, Any]:
    """Start a run whose time has come, unless it was cancelled, or started before."""
    run_id = invoker.run_id(key)
    if not later.waits(run_id):
        return {"jobId": run_id, "started": False}
    found = invoker.start(start, context)
    if "error" not in found:
        later.remove(run_id)
    return found


def _told(invoker: Invoker, question: Question, context: Context) -> dict[str, Any]:
    if (later := _later()) is None:
        return invoker.ask(question, context)
    # First of all, or it may start now.
    if question.action == "cancel" and later.remove(question.job_id):
        told = later.cancelled(question)
    else:
        told = None
    try:
        found = invoker.ask(question, context)
    except (Refused, UnknownRun):  # of a run that waits for its time nobody else knows
        if (told := told or later.told(question)) is None:
            raise
        return told
    if found.get("error", {}).get("code") == REJECT_UNKNOWN_RUN:
        return told or later.told(question) or found
    return told if told is not None and found.get("waits") else found


def _later() -> Later | None:
    """The job's runs for a later time, if it takes such."""
    if not os.environ.get("DEVBRIDGE_SCHEDULES"):
        return None
    from stub_lambda.later import Later  # few invokers need it

    return Later.from_environment()
