from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from devbridge.runs import log_turns
from devbridge.runs.function_output import output

ID = "8f507cfc-1b2c-4697-b07a-ac58fc914c95"
MESSAGES = (f"START RequestId: {ID} Version: 1\n", "one\n", "two")


class CloudWatch:
    """Answers with a page of one event each time; what it does first is in `first`."""

    def __init__(self, *messages: str, first: Exception | None = None) -> None:
        self.messages = [*messages]
        self.first = first

    def filter_log_events(self, **_: Any) -> dict[str, Any]:
        error, self.first = self.first, None
        if error is not None:
            raise error
        if not self.messages:
            return {"events": []}
        message = self.messages.pop(0)
        event = {"eventId": message, "timestamp": int(time.time() * 1000), "message": message}
        return {
            "events": [{**event, "logStreamName": "s"}],
            **({"nextToken": "t"} if self.messages else {}),
        }


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_turns, "QUICK", 0.001)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def printed(logs: CloudWatch, *, follow: bool = False, everything: bool = False) -> Any:
    since = time.time() - 60
    return output(
        lambda: logs,
        "/g",
        since,
        follow=follow,
        everything=everything,
        is_apps=lambda _: True,
    )


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "FilterLogEvents")


def test_all_pages_are_printed_without_lambdas_own_lines() -> None:
    assert list(printed(CloudWatch(*MESSAGES))) == [b"one\n", b"two\n"]


def test_everything_has_lambdas_own_lines() -> None:
    everything = printed(CloudWatch(*MESSAGES), everything=True)
    assert b"".join(everything).decode() == "".join(MESSAGES) + "\n"


def test_who_follows_goes_on() -> None:
    logs = CloudWatch("one")
    followed = printed(logs, follow=True)
    assert next(followed) == b"one\n"
    logs.messages.append("two")
    assert next(followed) == b"two\n"


def test_who_is_throttled_asks_again_and_what_else_is_wrong_is_raised() -> None:
    assert list(printed(CloudWatch("one", first=refusal("ThrottlingException")))) == [b"one\n"]
    with pytest.raises(ClientError):
        list(printed(CloudWatch("one", first=refusal("ResourceNotFoundException"))))
