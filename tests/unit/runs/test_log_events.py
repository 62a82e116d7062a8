from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import pytest

from devbridge.runs.log_events import OVERLAP, Clock, Group, Stream
from tests.unit.runs.clouds import Logs

RUN = "demo_ann_factorial:aaaa1111-0000-4000-8000-000000000000"


def test_a_stream_is_read_page_by_page_and_on_from_where_it_was() -> None:
    logs = Logs()
    stream = Stream(logs, "/aws/codebuild/demo_ann_factorial", RUN[-12:])
    assert list(stream.read()) == []
    logs.say(RUN, *"abcde")
    assert list(stream.read()) == [*enumerate("abcde", 1)]
    assert list(stream.read()) == []
    logs.say(RUN, "f")
    assert list(stream.read()) == [(6, "f")]


class Cloud:
    """FilterLogEvents of one group, with pages of two, and a clock that may be wrong."""

    def __init__(self, *, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self.events: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []

    def print(self, message: str, *, ago: float = 0.0) -> None:
        at = int((time.time() + self.ahead - ago) * 1000)
        event_id = f"{len(self.events):056d}"
        self.events.append(
            {"eventId": event_id, "timestamp": at, "logStreamName": "s", "message": message}
        )

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        assert asked["logGroupName"] == "/g"
        self.asked.append(asked)
        found = [event for event in self.events if event["timestamp"] >= asked["startTime"]]
        found.sort(key=lambda event: int(event["timestamp"]))
        begin = int(asked.get("nextToken", 0))
        more = {"nextToken": str(begin + 2)} if len(found) > begin + 2 else {}
        date = formatdate(time.time() + self.ahead, usegmt=True)
        meta = {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}
        return {"events": found[begin : begin + 2], **more, **meta}


def messages(group: Group) -> list[str]:
    return [event.message for event in group.read()]


def test_each_event_comes_once_and_what_came_before_never() -> None:
    cloud = Cloud()
    cloud.print("old", ago=10)
    group = Group(lambda: cloud, "/g", time.time() - 1)
    assert messages(group) == []
    cloud.print("a")
    assert messages(group) == ["a"]
    assert messages(group) == []
    cloud.print("late", ago=0.5)
    cloud.print("b")
    assert messages(group) == ["late"]
    assert group.more
    assert messages(group) == ["b"]
    assert not group.more


def test_each_event_of_a_cloud_that_gives_no_ids_comes_once_too() -> None:
    cloud = Cloud()
    group = Group(lambda: cloud, "/g", time.time() - 1)
    cloud.print("a")
    del cloud.events[0]["eventId"]
    assert [messages(group), messages(group)] == [["a"], []]


def test_one_page_is_one_question_and_all_pages_are_about_the_same_time() -> None:
    cloud = Cloud()
    group = Group(lambda: cloud, "/g", time.time() - 1)
    for message in "abcde":
        cloud.print(message)
    assert [messages(group) for _ in range(3)] == [["a", "b"], ["c", "d"], ["e"]]
    assert len({each["startTime"] for each in cloud.asked}) == 1
    assert not group.more


def test_what_was_read_long_ago_is_not_asked_about_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud, now = Cloud(), time.time()
    group = Group(lambda: cloud, "/g", now - 1)
    cloud.print("a")
    assert messages(group) == ["a"]
    monkeypatch.setattr("devbridge.runs.log_events.time.time", lambda: now + 100)
    assert messages(group) == []
    assert messages(group) == []
    assert cloud.asked[-1]["startTime"] == int((now + 100 - OVERLAP) * 1000)


@pytest.mark.parametrize("ahead", [-200.0, 200.0])
def test_a_clock_that_is_minutes_wrong_neither_hides_events_nor_brings_old_ones(
    ahead: float,
) -> None:
    cloud = Cloud(ahead=ahead)
    cloud.print("old", ago=60)
    group = Group(lambda: cloud, "/g", time.time())
    assert messages(group) == []
    cloud.print("a", ago=-1)
    assert messages(group) == ["a"]


def test_a_clock_that_is_right_is_taken_as_it_is() -> None:
    clock = Clock()
    date = formatdate(time.time(), usegmt=True)
    clock.heard({"ResponseMetadata": {"HTTPHeaders": {"date": date}}})
    assert clock.ahead == 0.0
    clock.heard({})
    assert clock.ahead == 0.0
