from __future__ import annotations

from pathlib import Path

from devbridge.constructs import App, Function, Job, OnQueue, OnTopic, Queue, Topic
from devbridge.constructs.app import loading
from devbridge.constructs.owners import owners, triggers


def test_jobs_and_functions_have_triggers_each_found_by_its_type(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def handler(payload): ...\n")
    with loading(tmp_path):
        app = App("demo")
    read, news = OnQueue(Queue(app, "q")), OnTopic(Topic(app, "news"))
    function = Function(app, "f", handler="a.handler", triggers=[news])
    job = Job(app, "j", handler="a.handler", triggers=[read])
    assert list(owners(app)) == [job, function]
    assert list(triggers(app, OnQueue)) == [(job, read)]
    assert list(triggers(app, OnTopic)) == [(function, news)]
