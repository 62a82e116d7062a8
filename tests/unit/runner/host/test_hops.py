from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from runner import aws
from runner.host import hops
from runner.host import told as tale
from runner.host.base import Pause, Window
from runner.host.hops import FunctionHost
from runner.host.settings import Settings
from runner.host.told import Told
from runner.outcome import RUNNING, STARTING, SUCCEEDED
from runner.places import Places

NOW = 1_800_000_000.0
RUN = {
    "DEVBRIDGE_JOB_NAME": "factorial",
    "DEVBRIDGE_HANDLER": "jobs/factorial.handler",
    "DEVBRIDGE_APP": "demo",
    "DEVBRIDGE_STAGE": "prod",
    "DEVBRIDGE_RUN_ID": "p:1",
    "DEVBRIDGE_BUCKET": "b",
}
KEY = Places("demo/prod/factorial").told("1")
CONTEXT = SimpleNamespace(function_name="f", invoked_function_arn="arn:f")


class Cloud:
    """S3 with conditional writes, a clock, and the function's calls of itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.writes = 0
        self.lost = False
        """The answers to writes get lost: they are sent again."""
        self.invoked: list[Any] = []
        monkeypatch.setattr(hops, "time", SimpleNamespace(time=lambda: self.now))
        monkeypatch.setattr(aws, "find_object", lambda bucket, key: self.objects.get(key))
        monkeypatch.setattr(aws, "put_object", self.put)
        monkeypatch.setattr(aws, "invoke", lambda name, event: self.invoked.append((name, event)))

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes,
        *,
        encryption_key: str = "",
        condition: dict[str, str],
    ) -> str:
        found = self.objects.get(key)
        if condition != ({"if-none-match": "*"} if found is None else {"if-match": found[1]}):
            raise aws.Conflict("no")
        self.writes += 1
        self.objects[key] = (body, f'"{self.writes}"')
        if self.lost:
            raise aws.Conflict("the second time")
        return f'"{self.writes}"'

    def host(self, hop: int = 0, seconds: float = 900.0, **more: str) -> FunctionHost:
        environment, event = RUN | more, {"run": "p:1", "payload": "1", "hop": hop}
        settings = Settings.read(environment)
        return FunctionHost(settings, environment, event, CONTEXT, self.now + seconds)

    @property
    def told(self) -> Told:
        return tale.read(self.objects[KEY][0])


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    return Cloud(monkeypatch)


def test_a_run_is_claimed_once(cloud: Cloud) -> None:
    one = cloud.host()
    assert one.claim()
    assert cloud.told.state == STARTING
    assert one.earlier() == cloud.told
    assert not cloud.host().claim()


def test_two_that_claim_at_once_are_one(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "find_object", lambda bucket, key: None)
    assert [cloud.host().claim(), cloud.host().claim()] == [True, False]


def test_whose_answer_was_lost_has_claimed_it(cloud: Cloud) -> None:
    cloud.lost = True
    assert cloud.host().claim()


def test_a_hop_comes_once_and_in_its_turn(cloud: Cloud) -> None:
    one = cloud.host()
    one.claim()
    assert one.hand_over(Told(RUNNING, handed=True, owner="x"), progress=True) is None
    ((name, event),) = cloud.invoked
    assert (name, event) == ("f", {"run": "p:1", "payload": "1", "hop": 1})
    assert (cloud.told.hop, cloud.told.handed) == (1, True)
    assert not cloud.host(hop=0).claim(), "it has been before"
    assert not cloud.host(hop=2).claim(), "nobody has called it"
    assert cloud.host(hop=1).claim()
    assert (cloud.told.hop, cloud.told.handed) == (1, False)
    assert not cloud.host(hop=1).claim()


def test_who_has_handed_over_tells_nothing_any_more(cloud: Cloud) -> None:
    one = cloud.host()
    one.claim()
    one.hand_over(Told(RUNNING, handed=True), progress=None)
    assert cloud.host(hop=1).claim()
    with pytest.raises(aws.Conflict):
        one.tell(Told(SUCCEEDED))


def test_a_run_that_has_ended_is_nobodys(cloud: Cloud) -> None:
    one = cloud.host()
    one.claim()
    one.tell(Told(SUCCEEDED))
    assert not cloud.host().claim()


@pytest.mark.parametrize("body", [None, b"{}"])
def test_a_hop_of_which_nothing_is_known_is_an_error(cloud: Cloud, body: bytes | None) -> None:
    if body is not None:
        cloud.objects[KEY] = (body, "e")
    with pytest.raises(aws.AwsError):
        cloud.host(hop=3).claim()


@pytest.mark.parametrize(
    ("hop", "progress", "kind"),
    [(1, False, "NoProgress"), (1, None, None), (4, True, "TooManyContinuations"), (3, True, None)],
)
def test_a_run_continues_while_it_progresses_and_not_for_ever(
    cloud: Cloud, hop: int, progress: bool | None, kind: str | None
) -> None:
    one = cloud.host(DEVBRIDGE_MAX_HOPS="5")
    one.claim()
    end = one.hand_over(Told(RUNNING, hop=hop), progress=progress)
    assert (end.failure.type if end and end.failure else None) == kind
    assert bool(cloud.invoked) is (kind is None)


def test_a_function_that_cannot_be_called_is_told(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def invoke(name: str, event: object) -> None:
        raise aws.AwsError("not you")

    monkeypatch.setattr(aws, "invoke", invoke)
    one = cloud.host()
    one.claim()
    end = one.hand_over(Told(RUNNING), progress=True)
    assert end is not None
    assert end.failure is not None
    assert end.failure.message == "the function could not call itself: not you"


def test_an_attempt_has_what_is_left_of_the_jobs_time_and_of_the_functions(cloud: Cloud) -> None:
    one = cloud.host(DEVBRIDGE_MARGIN="60")
    stop_at = NOW + 840
    assert one.window(600, 0) == Window(600)
    assert one.window(36_000, 0) == Window(890, stop_at, cut=True)
    assert one.window(36_000, 35_900) == Window(100)
    cloud.now += 500
    assert one.window(600, 0) == Window(390, stop_at, cut=True)


def test_a_function_that_is_made_for_short_runs_lets_them_go_on_at_their_checkpoints(
    cloud: Cloud,
) -> None:
    assert cloud.host(seconds=50, DEVBRIDGE_MARGIN="60").window(20, 0) == Window(20)


def test_a_small_margin_is_for_all_that_is_to_be_done_at_the_end(cloud: Cloud) -> None:
    one = cloud.host(seconds=10, DEVBRIDGE_MARGIN="4")
    assert one.window(100, 0) == Window(8, NOW + 6, cut=True)
    assert one.grace == 1


@pytest.mark.parametrize(
    ("timeout", "delay", "passed", "pause"),
    [
        (60, 10, 100, Pause(10)),
        (60, 10, 830, Pause(10, here=False)),  # it would not have its minute
        (60, 100, 800, Pause(40, here=False)),
        (900, 1, 0, Pause(1, here=False)),  # it has to have an invocation for itself
        (36_000, 10, 500, Pause(10)),  # it may go on in the next
        (36_000, 10, 800, Pause(10, here=False)),
        (36_000, 3600, 500, Pause(340, here=False)),
    ],
)
def test_another_attempt_is_here_if_it_has_its_time(
    cloud: Cloud, timeout: float, delay: float, passed: float, pause: Pause
) -> None:
    one = cloud.host(DEVBRIDGE_MARGIN="60")
    cloud.now += passed
    assert one.pause(timeout, delay) == pause


def test_the_memory_is_the_functions_where_nobody_says_another(cloud: Cloud) -> None:
    name = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
    assert cloud.host(AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1024").variables() == {name: "1024"}
    own = cloud.host(AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1024", DEVBRIDGE_MEMORY_MB="512")
    assert own.variables() == {name: "512"}
    assert own.logs() is None


def test_an_end_that_somebody_has_written_cancels_it(cloud: Cloud) -> None:
    cloud.objects[Places("demo/prod/factorial").end("1")] = (json.dumps({}).encode(), "e")
    one = cloud.host()
    assert one.claim()
    assert one.cancelled
