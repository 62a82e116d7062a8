"""What an invoker does with an event, whoever runs the job.

`stub_lambda.handler` starts runs on the laptop, `stub_lambda.deployed` in the cloud.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from devbridge.errors import DevbridgeError
from devbridge.protocol.errors import TooLarge
from devbridge.protocol.messages import REJECT_TOO_LARGE
from stub_lambda import events
from stub_lambda.events import Context, Question, Refused, Start


class Invoker(Protocol):
    """Starts the runs of one job, and tells of them. Both raise `Refused` and `DevbridgeError`."""

    def start(self, start: Start, context: Context) -> dict[str, Any]:
        """The answer with the run's id. It is the same run for the same key, which is the id of
        Lambda's request when the caller has given none."""

    def ask(self, question: Question, context: Context) -> dict[str, Any]:
        """The answer with the run's state, after the cancellation if that is what was asked."""


def answer(open_invoker: Callable[[], Invoker], event: Any, context: Context) -> dict[str, Any]:
    """What Lambda returns. Errors that the caller can act on are answers, not exceptions."""
    try:
        invoker = open_invoker()
        asked = events.parse(event)
        if isinstance(asked, Start):
            return invoker.start(asked, context)
        return invoker.ask(asked, context)
    except Refused as refused:
        return events.error(refused.code, str(refused))
    except TooLarge as error:
        return events.error(REJECT_TOO_LARGE, f"{error}: put it in S3 and send the key")
    except DevbridgeError as error:
        return events.error(type(error).__name__, str(error))
