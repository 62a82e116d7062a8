"""What an invoker does with an event, whoever runs the job.

`stub_lambda.handler` starts runs on the laptop, `stub_lambda.deployed` in the cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from devbridge.errors import DevbridgeError
from devbridge.protocol.errors import TooLarge
from devbridge.protocol.messages import REJECT_TOO_LARGE
from stub_lambda import events
from stub_lambda.events import Context, Question, Refused, Start
from stub_lambda.records import Listening, Outcome, Record, Source
from stub_lambda.sources import source_of

_LEFT: Final = 2.0
"""Seconds without which no further record is tried: it comes again."""


class Invoker(Protocol):
    """Starts the runs of one job, and tells of them. Both raise `Refused` and `DevbridgeError`."""

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
    """
    if (source := source_of(event)) is not None:
        return _records(source, open_invoker, event, context)
    return _answered(lambda: _asked(open_invoker(), event, context))


def _asked(invoker: Invoker, event: Any, context: Context) -> dict[str, Any]:
    asked = events.parse(event)
    if isinstance(asked, Start):
        return invoker.start(asked, context)
    return invoker.ask(asked, context)


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
    for record in source.starts(event, Listening.from_environment()):
        outcome = _started(source, open_invoker, record, context, outcomes)
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
    if source.ordered and before and before[-1].failed:
        return Outcome(record, code="Waits", error="the record before it was not started")
    if before and context.get_remaining_time_in_millis() < _LEFT * 1000:
        return Outcome(record, code="Waits", error="the time of this invocation is over")
    found = _answered(lambda: open_invoker().start(record.start, context))
    if (refusal := found.get("error")) is not None:
        return Outcome(record, code=refusal["code"], error=refusal["message"])
    return Outcome(record, found)
