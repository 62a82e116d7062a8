from __future__ import annotations

import json

import pytest

from devbridge import errors
from devbridge.cli.rerun import stage_of
from devbridge.config import Config
from devbridge.runs.ledger import Change
from devbridge.runs.model import State
from tests.unit.runs.books import Book

from .one_run import ELSEWHERE, ONE, Invoker, book, devbridge, invoker

__all__ = ["book", "invoker"]


def test_the_job_is_run_again_with_the_payload_of_the_run(invoker: Invoker, book: Book) -> None:
    invoker.answers(state="RUNNING")
    result = devbridge("rerun", "aaaa1")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{ELSEWHERE}  factorial  RUNNING\n"
    assert result.stderr == "see its output: devbridge logs bbbb3333 --follow\n"
    (event,) = invoker.events
    assert (event["action"], event["payload"], event["generatedKey"]) == ("run", {}, True)


def test_another_payload_may_be_given(invoker: Invoker, book: Book) -> None:
    invoker.answers(state="RUNNING")
    result = devbridge("rerun", ONE, "--payload", '{"num": 6}', "--json")
    assert json.loads(result.stdout)["id"] == ELSEWHERE
    assert invoker.events[0]["payload"] == {"num": 6}


def left(book: Book, state: State, checkpoint: bytes) -> None:
    """The run has ended so, and has left a checkpoint."""
    with book.ledger.transaction():
        book.ledger.reached(ONE, checkpoint)
        book.ledger.record(Change(job_id=ONE, state=state, at=1.0))


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.TIMED_OUT, State.CRASHED])
def test_a_run_that_has_not_succeeded_is_gone_on_with_at_its_checkpoint(
    state: State, invoker: Invoker, book: Book
) -> None:
    left(book, state, b'{"epoch": 3}')
    invoker.answers(state="RUNNING")
    result = devbridge("rerun", ONE)
    assert invoker.events[0]["checkpoint"] == '{"epoch": 3}'
    said = 'begins at the checkpoint {"epoch": 3} of the run before (--fresh: does not)'
    assert said in result.stderr


@pytest.mark.parametrize("arguments", [("--fresh",), ("--payload", "{}")])
def test_it_begins_anew_where_that_is_wanted_or_with_another_payload(
    arguments: tuple[str, ...], invoker: Invoker, book: Book
) -> None:
    left(book, State.FAILED, b"3")
    invoker.answers(state="RUNNING")
    assert devbridge("rerun", ONE, *arguments).exit_code == 0
    assert "checkpoint" not in invoker.events[0]


@pytest.mark.parametrize(("state", "body"), [(State.SUCCEEDED, b"3"), (State.FAILED, b"null")])
def test_where_nothing_is_left_to_go_on_with_it_begins_anew(
    state: State, body: bytes, invoker: Invoker, book: Book
) -> None:
    left(book, state, body)
    invoker.answers(state="RUNNING")
    assert devbridge("rerun", ONE).exit_code == 0
    assert "checkpoint" not in invoker.events[0]


def test_two_reruns_are_two_runs(invoker: Invoker, book: Book) -> None:
    for _ in range(2):
        invoker.answers(state="RUNNING")
        devbridge("rerun", ONE)
    first, second = (event["idempotencyKey"] for event in invoker.events)
    assert first != second


def test_a_payload_that_the_handler_does_not_take_any_more_is_refused(
    invoker: Invoker, book: Book, config: Config
) -> None:
    config.schemas.write_text('{"factorial": {"type": "object", "required": ["num"]}}')
    result = devbridge("rerun", ONE)
    assert result.exit_code == errors.EXIT_PAYLOAD
    assert "Object missing required field `num`" in result.stderr
    assert invoker.events == []
    invoker.answers(state="RUNNING")
    assert devbridge("rerun", ONE, "--no-check").exit_code == 0


def test_it_ends_as_the_new_run_does_if_that_is_waited_for(invoker: Invoker, book: Book) -> None:
    book.queue(ELSEWHERE)
    book.start(ELSEWHERE)
    book.end(ELSEWHERE, result=b"120")
    invoker.answers(state="QUEUED")
    result = devbridge("rerun", ONE, "--wait")
    assert result.stdout.splitlines()[-1] == "Done    took 1.50s, result 120"


def test_of_a_run_elsewhere_the_payload_must_be_given(invoker: Invoker) -> None:
    invoker.is_in("FAILED")
    result = devbridge("rerun", ELSEWHERE, "--job", "factorial")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "give one: --payload" in result.stderr
    invoker.is_in("FAILED")
    invoker.answers(state="RUNNING")
    result = devbridge("rerun", ELSEWHERE, "--job", "factorial", "--payload", "5")
    assert result.exit_code == 0, result.output
    assert invoker.events[-1]["payload"] == 5


@pytest.mark.parametrize(
    ("run", "stage"), [("shop_prod_steps-cb:0b1c", "prod"), ("0b1c2d3e-0000", ""), ("x:1", "")]
)
def test_a_run_in_the_cloud_names_the_stage_that_it_can_be_run_again_at(
    run: str, stage: str
) -> None:
    assert stage_of(run) == stage
