from __future__ import annotations

import json
from dataclasses import replace

from devbridge.console.functions import RECENT, functions
from devbridge.constructs import Function
from devbridge.constructs.app import loading
from devbridge.daemon.handlers_file import HandlersFile
from devbridge.daemon.told import Answered, Broken, Mood, Reloaded, Who
from devbridge.runs.lock import only_one
from devbridge.runs.model import State
from runner.outcome import Failure

from .stages import Stage

FRAME = 'File "jobs/factorial.py", line 1\n    def handler(\n               ^'


def test_a_job_is_told_with_how_it_went_last(stage: Stage) -> None:
    stage.config.schemas.write_text(json.dumps({"factorial": {"type": "integer"}}))
    one = stage.add(State.FAILED, failure=Failure("KeyError", "'a'\nb"))
    two, three = stage.add(), stage.add(State.RUNNING)
    stage.add(job="other")
    (job,) = functions(stage.subject, stage.heard)
    assert (job.name, job.kind, job.handler) == ("factorial", "job", "jobs/factorial.handler")
    assert (job.compute, job.schema, job.live) == ("codebuild", {"type": "integer"}, True)
    assert (job.timeout, job.triggers, job.broken) == (8 * 3600.0, [], None)
    assert job.last_error == "KeyError: 'a' b"
    told = [(last.id, last.state, last.seconds, last.error) for last in job.recent]
    assert told == [
        (three, "RUNNING", None, None),
        (two, "SUCCEEDED", 2.0, None),
        (one, "FAILED", 2.0, "KeyError: 'a' b"),
    ]


def test_a_run_that_has_not_started_was_asked_for(stage: Stage) -> None:
    stage.add(State.QUEUED)
    (job,) = functions(stage.subject, stage.heard)
    assert [last.started_at is None for last in job.recent] == [False]


def test_only_the_last_runs_are_told(stage: Stage) -> None:
    for _ in range(RECENT + 3):
        stage.add()
    (job,) = functions(stage.subject, stage.heard)
    assert len(job.recent) == RECENT


def test_what_is_broken_says_where(stage: Stage) -> None:
    file = HandlersFile(stage.config.handlers)
    file.on(Broken("factorial", Failure("SyntaxError", "never closed", (FRAME,)), "w"))
    with only_one(stage.config.lock, "s"):
        (job,) = functions(stage.subject, stage.heard)
        file.on(Reloaded("factorial", 0.1))
        (mended,) = functions(stage.subject, stage.heard)
    assert mended.broken is None
    assert job.broken is not None
    assert job.broken.file == str(stage.root / "jobs" / "factorial.py")
    assert (job.broken.line, job.broken.column) == (1, 12)
    assert job.broken.text == "def handler(payload):"


def test_nothing_is_broken_that_nobody_runs(stage: Stage) -> None:
    error = Failure("SyntaxError", "never closed", (FRAME,))
    HandlersFile(stage.config.handlers).on(Broken("factorial", error, "w"))
    (job,) = functions(stage.subject, stage.heard)
    assert job.broken is None


def test_an_api_function_is_told_with_its_last_requests(stage: Stage) -> None:
    with loading(stage.root):
        Function(stage.app, "api", handler="jobs/factorial.handler", enable_live_dev=False)
    who = Who("w", "api", "r", function=True)
    error = Failure("ValueError", "bad")
    stage.heard.on(Answered(who, "GET /a", "200", Mood.GOOD, 0.5))
    stage.heard.on(Answered(who, "GET /b", "", Mood.BAD, 0.25, error))
    _, function = functions(stage.subject, stage.heard)
    assert (function.name, function.kind, function.compute) == ("api", "function", "lambda")
    assert (function.live, function.timeout, function.last_error) == (
        False,
        20.0,
        "ValueError: bad",
    )
    told = [(last.id, last.state, last.seconds, last.error) for last in function.recent]
    assert told == [("GET /b", "failed", 0.25, "ValueError: bad"), ("GET /a", "200", 0.5, None)]


def test_a_stage_that_is_not_live_has_no_live_functions(stage: Stage) -> None:
    (job,) = functions(replace(stage.subject, live=False), stage.heard)
    assert not job.live
