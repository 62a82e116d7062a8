"""What ministack is too slow at: a cloud that takes long to save its state is killed."""

from __future__ import annotations

import json
import pickle
from types import SimpleNamespace
from typing import Any, TextIO

from ..host import ministack


def save_faster() -> None:
    """Let ministack copy and write its state with what is written in C.

    `json.dump` and `copy.deepcopy` are not, and take so long for the log of one talkative build
    that the cloud would be killed before it has saved everything.
    """

    def dump(value: Any, file: TextIO, **options: Any) -> None:
        file.write(json.dumps(value, **options))

    members = {name: getattr(json, name) for name in json.__all__}
    ministack("core.persistence").json = SimpleNamespace(**members | {"dump": dump})


def copy_logs_faster() -> None:
    """As `save_faster`, for logs; and keep each event once."""
    logs = ministack("services.cloudwatch_logs")
    kept = type(logs._log_records)
    # A second copy of each event, for GetLogRecord, which nobody calls here.
    logs._log_records = type("Forgetful", (kept,), {"__setitem__": lambda *_: None})()

    def deepcopy(value: Any) -> Any:
        if value is logs._log_records:
            return kept()
        return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own

    logs.copy = SimpleNamespace(deepcopy=deepcopy)


def match_faster() -> None:
    """Compare the broker's filters that have no wildcard as they are.

    Every message is compared with all of them, and each environment of a function has two: with 500
    environments that took most of a millisecond of the one thread that has the broker.
    """
    iot = ministack("services.iot")
    matches = iot._subscription_matches

    def subscription_matches(pattern: str, topic: str) -> bool:
        if "+" in pattern or "#" in pattern:
            return bool(matches(pattern, topic))
        return pattern == topic

    iot._subscription_matches = subscription_matches
