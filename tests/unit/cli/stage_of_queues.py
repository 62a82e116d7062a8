"""A stage with queues in memory, for the commands that look into them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from devbridge.config import Config
from tests.unit.messages.fakes import FakeCloud, url

APP = """\
from devbridge import App, Bucket, Job, OnEvent, OnObject, OnQueue, Queue

app = App("demo")
Job(app, "orders", handler="job.handler", triggers=[OnQueue(Queue(app, "incoming"))])
Job(app, "thumbs", handler="job.handler", triggers=[
    OnObject(Bucket(app, "files"), suffix=".jpg"),
    OnEvent({"source": ["shop"]}, name="paid"),
    OnEvent({"source": ["aws.ec2"]}, name="started"),
])
"""
RESOURCES = {
    "OrdersJobDeadLetters": url("dead"),
    "ThumbsJobDeadLetters": url("dead-thumbs"),
    "ThumbsJobInbox": url("inbox"),
    "IncomingQueue": url("incoming"),
    "FilesBucket": "files-1",
}


def stage(module: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """The stage `ann` as a command's module finds it."""
    (root / "app.py").write_text(APP)
    (root / "job.py").write_text("def handler(payload): ...\n")
    fake = FakeCloud("dead", "dead-thumbs", "inbox", "incoming")

    @contextmanager
    def cloud(used: Config) -> Iterator[FakeCloud]:
        assert used.stage == "ann"
        yield fake

    def resources(there: object, app: str, stage: str) -> dict[str, str]:
        assert (there, app, stage) == (fake, "demo", "ann")
        return RESOURCES

    monkeypatch.setattr(module, "cloud", cloud)
    monkeypatch.setattr("devbridge.deploy.resources", resources)
    return fake
