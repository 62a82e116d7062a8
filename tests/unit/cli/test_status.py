from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from devbridge.cli import main
from devbridge.cli.status import exit_text
from devbridge.runs.model import Exit, State
from runner.outcome import Failure
from tests.unit.runs.books import Book

from .one_run import ELSEWHERE, ONE, Invoker, book, devbridge, invoker

__all__ = ["book", "invoker"]


def test_status_shows_all_that_the_ledger_has(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(book.config.root.parent)
    here = book.config.root.name
    book.start(ONE, after=1)
    frame = 'File "jobs/factorial.py", line 3, in handler\n    return 1 / 0'
    failure = Failure("ZeroDivisionError", "division\nby zero", frames=(frame,))
    book.end(ONE, State.FAILED, after=1.25, failure=failure)
    lines = devbridge("status", "aaaa1", "--app", here).stdout.splitlines()
    assert lines[:4] == [
        f"id        {ONE}",
        "job       factorial",
        "state     FAILED",
        "attempt   1 of 1",
    ]
    assert [line.split()[0] for line in lines[4:7]] == ["asked", "started", "ended"]
    assert lines[7:14] == [
        "took      250ms",
        "exit      code 0",
        "error     ZeroDivisionError: division",
        "          by zero",
        '          ↳ File "jobs/factorial.py", line 3, in handler',
        "                return 1 / 0",
        f"log       {here}/{book.config.logs_dir.relative_to(book.config.root)}/{ONE}.log",
    ]
    assert [line.split()[-1] for line in lines[14:]] == ["QUEUED", "RUNNING", "FAILED"]


def test_status_of_a_run_that_waits_says_when_it_starts(invoker: Invoker) -> None:
    invoker.is_in("SCHEDULED", startAt="2999-01-31T08:00:00Z")
    shown = devbridge("status", ELSEWHERE, "--job", "factorial").stdout
    assert "\nstate     SCHEDULED\n" in shown
    assert "\nstarts    2999-01-31T08:00:00.000Z  in " in shown


def test_status_as_json_has_the_result_and_the_history(book: Book) -> None:
    book.start(ONE)
    book.end(ONE, result=b'{"rows": 5}')
    result = devbridge("status", ONE, "--json")
    run = json.loads(result.stdout)
    assert (run["id"], run["state"], run["result"]) == (ONE, "SUCCEEDED", {"rows": 5})
    assert [change["state"] for change in run["history"]] == ["QUEUED", "RUNNING", "SUCCEEDED"]
    assert result.stderr == ""


def test_of_a_run_that_was_tried_again_each_attempt_has_its_time_and_the_run_the_whole(
    book: Book,
) -> None:
    run_id = "cccc4444-0000-4000-8000-000000000004"
    book.queue(run_id, max_attempts=2)
    book.start(run_id, after=1)
    book.again(run_id, after=3, detail="attempt 1 of 2 FAILED, again in 60 s")
    book.start(run_id, after=63, attempt=2)
    book.end(run_id, after=64, attempt=2)
    lines = devbridge("status", run_id).stdout.splitlines()
    assert "took      1m03s" in lines
    told = [line.partition("Z  ")[2] for line in lines[-5:]]
    assert told == [
        "QUEUED",
        "RUNNING",
        "RUNNING  attempt 2  attempt 1 of 2 FAILED, again in 60 s  took 2.00s",
        "RUNNING  attempt 2",
        "SUCCEEDED  attempt 2  took 1.00s",
    ]
    assert " 1m03s" in devbridge("jobs", "--limit", "1").stdout


OBEYED = "\x1b]52;c;QUFB\x07\x1b[2J\u202e\x9b2J\x0b|  deadbeef  Done\r\nid        forged"


@pytest.mark.parametrize("command", ["status", "wait", "jobs"])
def test_what_a_run_says_is_text_to_the_terminal(book: Book, command: str) -> None:
    book.start(ONE)
    book.end(
        ONE,
        State.FAILED,
        failure=Failure(f"Type{OBEYED}", OBEYED, (f"jobs/{OBEYED}.py:1 in handler: x",)),
    )
    given = [] if command == "jobs" else [ONE]
    out = CliRunner().invoke(main, [command, *given]).stdout
    assert "\\x1b]52;c;QUFB\\x07\\x1b[2J\\u202e\\x9b2J\\x0b|  deadbeef" in out
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out)
    assert not re.search("^id +forged|^[|]", out, re.MULTILINE)


@pytest.mark.parametrize("command", ["status", "wait", "jobs"])
def test_what_a_run_says_is_json_for_programs(book: Book, command: str) -> None:
    book.start(ONE)
    book.end(ONE, State.FAILED, failure=Failure("E", OBEYED))
    given = ["--job", "factorial"] if command == "jobs" else [ONE]
    out = CliRunner().invoke(main, [command, *given, "--json"]).stdout
    found = json.loads(out)
    found = next(each for each in found if each["id"] == ONE) if command == "jobs" else found
    assert found["error"]["message"] == OBEYED
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out)


def test_status_says_when_nobody_is_here_to_go_on_with_the_run(book: Book) -> None:
    book.start(ONE)
    result = devbridge("status", ONE)
    assert "took" not in result.stdout
    assert "no `devbridge dev` of this stage is here" in result.stderr


def test_status_of_a_run_elsewhere_is_the_invokers(invoker: Invoker) -> None:
    named = ("status", ELSEWHERE.upper(), "--job", "factorial")
    invoker.is_in("FAILED", failure={"type": "KeyError", "message": "'x'"})
    assert devbridge(*named).stdout.splitlines()[2:] == [
        "state     FAILED",
        "attempt   2 of 3",
        "error     KeyError: 'x'",
    ]
    invoker.is_in("SUCCEEDED", result=0)
    assert devbridge(*named).stdout.splitlines()[-1] == "result    0"
    invoker.is_in("RUNNING")
    assert json.loads(devbridge(*named, "--json").stdout)["state"] == "RUNNING"
    assert set(invoker.asked) == {("result", ELSEWHERE)}


@pytest.mark.parametrize(
    ("exit_", "text"),
    [
        (Exit(code=0), "code 0"),
        (Exit(code=137), "code 137"),
        (Exit(signal=9), "SIGKILL"),
        (Exit(signal=50), "signal 50"),
    ],
)
def test_how_a_process_ended_is_said_by_name_where_it_has_one(exit_: Exit, text: str) -> None:
    assert exit_text(exit_) == text


def test_a_long_result_is_cut_for_people_and_whole_for_programs(book: Book) -> None:
    book.start(ONE)
    book.end(ONE, result=b'"' + b"x" * 10_000 + b'"')
    line = next(each for each in devbridge("status", ONE).stdout.splitlines() if "xxx" in each)
    assert line == f'result    "{"x" * 9_999}…'
    assert json.loads(devbridge("status", ONE, "--json").stdout)["result"] == "x" * 10_000
