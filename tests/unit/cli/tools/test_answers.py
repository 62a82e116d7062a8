from __future__ import annotations

import json

import pytest

from devbridge import redaction
from devbridge.cli.tools import answers
from devbridge.daemon.handlers_file import Handlers
from devbridge.runs.base import RunRecord
from devbridge.runs.model import State
from runner.outcome import Failure

FRAMES = ('File "jobs/a.py", line 3, in handler\n    f()', 'File "lib/b.py", line 7, in f\n    1/0')
FAILURE = Failure("ZeroDivisionError", "division by\nzero", FRAMES)
FAILED = RunRecord(job_id="r1", job="a", state=State.FAILED, created_at=1.0, failure=FAILURE)


def succeeded(result: bytes) -> RunRecord:
    return RunRecord(job_id="r1", job="a", state=State.SUCCEEDED, result=result)


def test_of_a_run_that_failed_the_error_comes_first_and_its_place_before_its_frames() -> None:
    found = answers.run(FAILED)
    assert [*found][:4] == ["id", "job", "state", "error"]
    assert [*found["error"]][:3] == ["type", "message", "where"]
    assert found["error"]["where"] == "lib/b.py:7"
    assert list(found["error"]["frames"]) == list(FRAMES)
    assert "result" not in found


@pytest.mark.parametrize("result", [b"null", b"0", b'""', b'{"a": 1}'])
def test_every_result_is_there_also_none(result: bytes) -> None:
    assert answers.run(succeeded(result))["result"] == json.loads(result)


def test_of_a_long_result_the_beginning_is_shown_and_how_long_it_is() -> None:
    body = json.dumps("x" * 20_000).encode()
    found = answers.run(succeeded(body))
    assert len(found["resultBegins"]) == answers.SHOWN + 1
    assert found["resultCharacters"] == len(body)
    assert "result" not in found


def test_in_a_list_an_error_is_one_line() -> None:
    assert answers.row(FAILED)["error"] == "ZeroDivisionError: division by zero (lib/b.py:7)"
    assert "result" not in answers.row(succeeded(b"1"))
    long = answers.one_line(Failure("E", "x" * 900))
    assert len(long) < 210


@pytest.mark.parametrize(
    ("frame", "where"),
    [
        ('File "jobs/a.py", line 3, in f\n    return g("(b.ts:1:2)")', "jobs/a.py:3"),
        ('File "jobs/a b.py", line 12\n    x = (\n        ^', "jobs/a b.py:12"),
        ("at handler (jobs/a.ts:4:9)", "jobs/a.ts:4"),
        ("at jobs/a.ts:4:9", "jobs/a.ts:4"),
        ("jobs/a.ts:4:9", "jobs/a.ts:4"),
        ("... 3 more frames ...", None),
    ],
)
def test_the_place_of_a_frame_is_its_file_and_line(frame: str, where: str | None) -> None:
    assert answers.place([frame]) == where
    assert answers.place(["at x (other.ts:1:1)", frame]) == (where or "other.ts:1")


def test_a_run_that_goes_on_says_what_can_be_done() -> None:
    running = RunRecord(job_id="r1", job="a", state=State.RUNNING)
    assert answers.goes_on(FAILED, tended=False) == {}
    assert "wait again" in answers.goes_on(running, tended=True)["note"]
    assert "no `devbridge dev` is here" in answers.goes_on(running, tended=False)["note"]
    later = RunRecord(job_id="r1", job="a", state=State.SCHEDULED)
    assert answers.goes_on(later, tended=True)["note"] == "it starts at its time"


def test_an_answer_is_json_that_can_be_sent_whatever_is_in_it() -> None:
    value = {"half": "\ud83d", "control": "\x85\u2028", "number": 10**400, "é": [None, 0.5]}
    text = answers.dumped(value)
    assert text.encode("utf-8")
    assert json.loads(text) == value


def test_credentials_are_in_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_values", type(redaction._values)())
    monkeypatch.setattr(redaction, "_known", None)
    redaction.secret('hunter2"hunter2')
    assert json.loads(answers.dumped({"a": ['is hunter2"hunter2']})) == {"a": ["is [redacted]"]}


DOCUMENT = {"type": "E", "message": "m", "frames": [FRAMES[0]], "document": "what Lambda tells"}
KNOWN = Handlers(since=10.0, reloaded={"b": 20.0}, jobs={"a": DOCUMENT}, functions={"f": DOCUMENT})


def test_a_handler_is_broken_reloaded_or_as_it_was() -> None:
    broken = answers.handler(KNOWN, "a", 5.0, function=False)
    assert broken["handler"] == "broken"
    assert broken["error"] == {
        "type": "E",
        "message": "m",
        "where": "jobs/a.py:3",
        "frames": [FRAMES[0]],
    }
    reloaded = answers.handler(KNOWN, "b", 20.0, function=False)
    assert reloaded == {"handler": "reloaded", "reloadedAt": "1970-01-01T00:00:20.000Z"}
    assert answers.handler(KNOWN, "b", 10.0, function=True)["handler"] != "reloaded"
    as_it_was = answers.handler(KNOWN, "f", 10.0, function=False)
    assert as_it_was == {"handler": "as it was when devbridge dev began"}
    assert answers.handler(KNOWN, "f", None, function=True)["handler"] == "broken"
    assert answers.handler(None, "a", 5.0, function=False) == {}


@pytest.mark.parametrize(("name", "saved"), [("b", 20.5), ("c", 10.5)])
def test_a_save_that_is_newer_is_said(name: str, saved: float) -> None:
    found = answers.handler(KNOWN, name, saved, function=False)
    assert "what is invoked now runs it as it is saved" in found["note"]
