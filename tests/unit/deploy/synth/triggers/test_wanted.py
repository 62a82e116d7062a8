"""What triggers want of what they listen to."""

from __future__ import annotations

from datetime import timedelta

from devbridge.constructs import (
    Api,
    App,
    Bucket,
    Function,
    OnObject,
    OnQueue,
    OnRequest,
    Queue,
    Trigger,
)
from devbridge.deploy.synth.triggers.wanted import (
    has_inbox,
    hidden,
    makes_dead_letters,
    readers,
    tells_events,
)
from tests.unit.deploy.synth.triggers.test_queues import app, job

__all__ = ["app"]


def test_only_what_is_listened_to_is_changed(app: App) -> None:
    read, other = Queue(app, "read"), Queue(app, "other")
    files, rest = Bucket(app, "files"), Bucket(app, "rest")
    made = job(app, OnQueue(read), OnObject(files))
    assert (readers(read), readers(other)) == ([made], [])
    assert (hidden(read), hidden(other)) == (timedelta(minutes=1), timedelta(seconds=30))
    assert (tells_events(files), tells_events(rest)) == (True, False)


def test_a_function_has_its_messages_hidden_for_as_long_as_it_may_take(app: App) -> None:
    queue = Queue(app, "q")
    Function(app, "f", handler="api/start.handler", timeout="1 minute", triggers=[OnQueue(queue)])
    assert hidden(queue) == timedelta(minutes=6)


def test_a_function_has_dead_letters_only_where_nobody_else_keeps_them(app: App) -> None:
    dead = Queue(app, "dead")
    theirs = Queue.existing(app, "theirs", arn="arn:aws:sqs:eu-west-1:111122223333:theirs")

    def made(name: str, *triggers: Trigger) -> bool:
        function = Function(app, name, handler="api/start.handler", triggers=triggers)
        assert not has_inbox(function)
        return makes_dead_letters(function)

    assert not made("a")
    assert not made("b", OnRequest(Api(app, "w"), "GET /a"))
    assert not made("c", OnQueue(Queue(app, "kept", dead_letter=dead)), OnQueue(theirs))
    assert made("d", OnQueue(Queue(app, "bare")))
    assert made("e", OnObject(Bucket(app, "files")))
