"""What triggers want of what they listen to."""

from __future__ import annotations

from datetime import timedelta

from devbridge.constructs import App, Bucket, OnObject, OnQueue, Queue
from devbridge.deploy.synth.triggers.wanted import hidden, readers, tells_events
from tests.unit.deploy.synth.triggers.test_queues import app, job

__all__ = ["app"]


def test_only_what_is_listened_to_is_changed(app: App) -> None:
    read, other = Queue(app, "read"), Queue(app, "other")
    files, rest = Bucket(app, "files"), Bucket(app, "rest")
    made = job(app, OnQueue(read), OnObject(files))
    assert (readers(read), readers(other)) == ([made], [])
    assert (hidden(read), hidden(other)) == (timedelta(minutes=1), timedelta(seconds=30))
    assert (tells_events(files), tells_events(rest)) == (True, False)
