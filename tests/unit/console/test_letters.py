from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any

import pytest

from devbridge.console import letters as module
from devbridge.console.letters import dead_letters, redrive
from devbridge.console.stage_model import Redrive
from devbridge.constructs.load import load_app
from devbridge.errors import UnknownMessage, UnknownQueue
from devbridge.testing import FakeClock
from tests.unit.cli.stage_of_queues import APP, RESOURCES
from tests.unit.messages.fakes import FakeCloud, FakeSqs

from .stages import Stage


class Cloud(FakeCloud):
    def explained(self) -> Any:
        return nullcontext()


@pytest.fixture
def sqs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> FakeSqs:
    (stage.root / "app.py").write_text(APP)
    (stage.root / "job.py").write_text("def handler(payload): ...\n")
    stage.app = load_app(stage.root, "ann")
    stage.cloud = Cloud("dead", "dead-thumbs", "inbox", "incoming")
    stage.cloud.sqs.clock = FakeClock(time.time() - 5400)
    monkeypatch.setattr(module, "resources", lambda *_: RESOURCES)
    found: FakeSqs = stage.cloud.sqs
    return found


def add(sqs: FakeSqs, number: int = 1) -> str:
    told = {"kind": "queue", "trigger": "incoming", "attempt": 3, "error": "ValueError: no"}
    body = f'{{"n": {number}}}'
    return sqs.add("dead", body, source="incoming", run=f"demo:{number}", **told).id


def test_each_queue_has_its_messages_and_why_they_are_there(stage: Stage, sqs: FakeSqs) -> None:
    one = add(sqs)
    orders, thumbs = dead_letters(stage.subject)
    assert (orders.queue, orders.of, orders.messages) == ("orders", ["job 'orders'"], 1)
    (letter,) = orders.letters
    assert (letter.id, letter.run, letter.trigger) == (one, "demo:1", "queue incoming")
    assert (letter.error, letter.body) == ("ValueError: no", '{"n": 1}')
    assert letter.sent_at == orders.oldest
    assert (thumbs.queue, thumbs.messages, thumbs.oldest, thumbs.letters) == ("thumbs", 0, None, [])


def test_of_many_messages_the_oldest_are_shown(
    stage: Stage, sqs: FakeSqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    ids = [add(sqs, number) for number in range(4)]
    orders = dead_letters(stage.subject)[0]
    assert ([each.id for each in orders.letters], orders.more) == (ids[:2], True)
    assert orders.messages == 4


def test_messages_are_sent_back_by_their_ids_or_all(stage: Stage, sqs: FakeSqs) -> None:
    one, two, three = (add(sqs, number) for number in range(3))
    done = redrive(stage.subject, Redrive("orders", [two]))
    assert (done.redriven, done.kept) == ([two], [])
    assert {*redrive(stage.subject, Redrive("orders")).redriven} == {one, three}
    assert len(sqs.queues["incoming"]) == 3
    assert sqs.queues["dead"] == []


def test_what_is_not_there_is_told(stage: Stage, sqs: FakeSqs) -> None:
    with pytest.raises(UnknownQueue):
        redrive(stage.subject, Redrive("none"))
    with pytest.raises(UnknownMessage):
        redrive(stage.subject, Redrive("orders", ["ffff"]))
