"""Messages that a queue hands to the function of a job. That it runs them, the integration tests
show; here is what becomes of each."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

import pytest

from runner import aws
from runner.claims import Claim, Place
from runner.host import deliveries
from runner.host import told as tale
from runner.host.base import Window
from runner.host.told import Told
from runner.outcome import CANCELLED, CRASHED, FAILED, RUNNING, SUCCEEDED, End

FIFO = "arn:aws:sqs:eu-west-1:1:lines.fifo"
ENVIRONMENT = {
    "DEVBRIDGE_APP": "demo",
    "DEVBRIDGE_STAGE": "prod",
    "DEVBRIDGE_JOB_NAME": "greeting",
    "DEVBRIDGE_HANDLER": "greeting.handler",
    "DEVBRIDGE_PROJECT": "demo_prod_greeting",
    "DEVBRIDGE_COMPUTE": "lambda",
    "DEVBRIDGE_BUCKET": "assets",
    "DEVBRIDGE_TIMEOUT": "60",
    "DEVBRIDGE_ATTEMPTS": "3",
    "DEVBRIDGE_RETRY_DELAY": "10",
    "DEVBRIDGE_TRIGGERS": json.dumps({"dead": "arn:dead", "sources": {FIFO: {"held": True}}}),
}


class Cloud:
    """S3, SQS, and a handler that ends as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.objects: dict[str, bytes] = {}
        self.keys: dict[str, str] = {}
        self.written: list[str] = []
        self.windows: list[Window] = []
        self.hidden: list[tuple[str, int]] = []
        self.ends: list[str] = []
        self.ran: list[str] = []
        self.given_up = False
        self.broken = False
        self.seconds = 900.0
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(aws, "put_object", self.put)
        monkeypatch.setattr(aws, "find_object", self.find)
        monkeypatch.setattr(aws, "hide_message", self.hide)
        monkeypatch.setattr(deliveries, "run_here", self.run)

    def put(self, bucket: str, key: str, body: bytes, **options: Any) -> str:
        if self.broken:
            raise aws.AwsError("no S3")
        if "if-none-match" in options.get("condition", {}) and key in self.objects:
            raise aws.Conflict("it is there")
        self.objects[key] = body
        self.keys[key] = options.get("encryption_key", "")
        self.written.append(key)
        return "e"

    def find(self, bucket: str, key: str) -> tuple[bytes, str] | None:
        return (self.objects[key], "e") if key in self.objects else None

    def hide(self, queue: str, receipt: str, seconds: int) -> None:
        assert queue == FIFO
        self.hidden.append((receipt, seconds))

    def run(self, settings: Any, host: Any, *_: Any) -> tuple[End, Any]:
        assert settings.once
        self.ran.append(settings.run_id)
        self.windows.append(host.window(settings.timeout, 0.0))
        self.windows.append(host.window(36_000, 0.0))
        state = self.ends.pop(0) if self.ends else SUCCEEDED
        told = Told(state, attempt=host.first.attempt)
        self.objects[settings.places.told(settings.uuid)] = tale.text(told)
        return End(state), SimpleNamespace(given_up=self.given_up)

    def deliver(self, *records: dict[str, Any]) -> list[str]:
        """The messages that are to come again."""
        context = SimpleNamespace(
            aws_request_id="request",
            function_name="f",
            invoked_function_arn="arn:f",
            get_remaining_time_in_millis=lambda: self.seconds * 1000,
        )
        answer = deliveries.handle({"Records": list(records)}, context)
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def of(self, place: str) -> list[bytes]:
        return [body for key, body in self.objects.items() if key.startswith(f"{place}/demo/prod/")]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    return Cloud(monkeypatch)


def message(name: str, count: int = 1, group: str = "") -> dict[str, Any]:
    return {
        "messageId": name,
        "receiptHandle": f"receipt of {name}",
        "body": f'{{"name": "{name}"}}',
        "attributes": {"ApproximateReceiveCount": str(count), "MessageGroupId": group},
        "eventSource": "aws:sqs",
        "eventSourceARN": FIFO,
    }


@pytest.mark.parametrize("end", [SUCCEEDED, CANCELLED])
def test_what_has_succeeded_or_was_cancelled_does_not_come_again(cloud: Cloud, end: str) -> None:
    cloud.ends = [end]
    assert cloud.deliver(message("a")) == []
    assert cloud.hidden == []


@pytest.mark.parametrize(
    ("count", "seconds"),
    [(1, 10), (2, 20), (3, 40), (4, 80)],  # the third is the last one, if its queue says so
)
@pytest.mark.parametrize("end", [FAILED, CRASHED])
def test_what_has_failed_comes_again_after_the_jobs_delay(
    cloud: Cloud, end: str, count: int, seconds: int
) -> None:
    cloud.ends = [end]
    assert cloud.deliver(message("a", count)) == ["a"]
    assert cloud.hidden == [("receipt of a", seconds)]


def test_what_was_given_up_at_once_does_not_come_again(cloud: Cloud) -> None:
    cloud.ends, cloud.given_up = [FAILED], True
    assert cloud.deliver(message("a")) == []


def test_a_run_is_entered_as_an_invoker_enters_it(cloud: Cloud) -> None:
    before = time.time()
    cloud.deliver(message("a", 2))
    claim, place = sorted(cloud.of("runs"), key=len, reverse=True)
    asked = Claim.of(claim)
    assert (asked.attempts, asked.compute) == (3, "lambda")
    assert before <= asked.created_at <= time.time()
    assert Place.of(place).id == "request"
    assert cloud.objects[asked.payload_at].startswith(b'{"devbridge:trigger":{"delivery":2,')
    assert len(cloud.of("listed")) == 1
    assert tale.read(cloud.of("told")[0]).attempt == 2


def test_what_a_message_says_is_encrypted_with_the_jobs_key(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVBRIDGE_KEY", "the key")
    monkeypatch.setenv("DEVBRIDGE_INLINE", "1")
    cloud.deliver(message("a"))
    saying = [key for key, body in cloud.objects.items() if b"receiptHandle" in body]
    assert len(saying) == 2
    assert {cloud.keys[key] for key in saying} == {"the key"}


def test_a_delivery_is_listed_once(cloud: Cloud) -> None:
    cloud.ends = [FAILED]
    for _ in range(2):
        cloud.deliver(message("a"))
    assert len([key for key in cloud.written if key.startswith("listed/")]) == 1


def test_a_delivery_stops_at_no_checkpoint_for_nothing_goes_on_elsewhere(cloud: Cloud) -> None:
    cloud.deliver(message("a"))
    own, longer = cloud.windows
    assert own == Window(60)
    assert (longer.stop_at, longer.cut) == (None, True)


def test_the_same_delivery_runs_once_and_is_answered_as_its_run_has_ended(cloud: Cloud) -> None:
    cloud.ends = [SUCCEEDED, FAILED]
    for _ in range(2):
        assert cloud.deliver(message("a")) == []
        assert cloud.deliver(message("b")) == ["b"]
    assert len(cloud.ran) == 2


def test_a_delivery_whose_run_goes_on_elsewhere_is_left_in_its_queue(cloud: Cloud) -> None:
    cloud.ends = [RUNNING]
    assert cloud.deliver(message("a")) == ["a"]
    assert cloud.deliver(message("a")) == ["a"]
    assert len(cloud.ran) == 1


def test_each_delivery_is_a_run_of_its_own(cloud: Cloud) -> None:
    cloud.ends = [FAILED, SUCCEEDED]
    assert cloud.deliver(message("a", 1)) == ["a"]
    assert cloud.deliver(message("a", 2)) == []
    assert len(set(cloud.ran)) == 2


@pytest.mark.parametrize(("before", "again"), [(SUCCEEDED, []), (CANCELLED, []), (FAILED, ["a"])])
def test_a_message_whose_earlier_run_was_done_when_the_function_was_killed_is_not_run_again(
    cloud: Cloud, before: str, again: list[str]
) -> None:
    cloud.ends = [before, FAILED]
    cloud.deliver(message("a", 1))
    assert cloud.deliver(message("a", 3)) == again
    assert len(cloud.ran) == 1 + len(again)


def test_one_that_fails_does_not_keep_the_others(cloud: Cloud) -> None:
    cloud.ends = [FAILED, SUCCEEDED]
    assert cloud.deliver(message("a"), message("b")) == ["a"]
    assert len(cloud.ran) == 2


def test_what_would_not_have_its_time_is_not_begun(cloud: Cloud) -> None:
    cloud.seconds = 50
    assert cloud.deliver(message("a"), message("b")) == ["b"]
    assert cloud.hidden == [("receipt of b", 0)]
    assert len(cloud.ran) == 1


def test_many_that_are_one_run_fail_together(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"sources": {FIFO: {"held": True, "together": True}}}
    monkeypatch.setenv("DEVBRIDGE_TRIGGERS", json.dumps(told))
    cloud.ends = [FAILED]
    assert cloud.deliver(message("a"), message("b")) == ["a", "b"]
    assert [receipt for receipt, _ in cloud.hidden] == ["receipt of a", "receipt of b"]
    assert len(cloud.ran) == 1


def test_what_cannot_be_entered_is_left_in_its_queue_and_said(
    cloud: Cloud, capfd: pytest.CaptureFixture[str]
) -> None:
    cloud.broken = True
    assert cloud.deliver(message("a")) == ["a"]
    assert cloud.ran == []
    assert "its message comes again: no S3" in capfd.readouterr().out


def test_a_delay_that_sqs_refuses_is_said(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: Any) -> None:
        raise aws.AwsError("no")

    monkeypatch.setattr(aws, "hide_message", refused)
    cloud.ends = [FAILED]
    assert cloud.deliver(message("a")) == ["a"]
    assert "when its queue's visibility timeout ends: no" in capfd.readouterr().out
