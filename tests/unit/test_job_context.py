"""The context as type checkers know it, held against the one that there is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from devbridge.errors import CheckpointInvalid
from devbridge.job import JobContext, job_handler
from runner.context import Context

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]

HEADERS = {"lambda-runtime-aws-request-id": "run-1"}


@dataclass
class State:
    epoch: int


def reader(handler: Callable[..., Any]) -> Callable[[bytes], Any]:
    """What the decorator gives to the context of this handler."""
    context = Context(HEADERS, {})
    job_handler("a")(handler)(1, context)
    return context.read_checkpoint


def test_the_runners_context_has_all_that_is_promised() -> None:
    context = Context(HEADERS, {})
    promised = {name for name in vars(JobContext) if not name.startswith("_")}
    assert {name for name in promised if not hasattr(context, name)} == set()
    assert {"checkpoint", "interrupted", "attempt", "aws_request_id"} <= promised
    assert all(inspect.getdoc(getattr(JobContext, name)) for name in promised)
    assert context.checkpoint is None
    assert not context.interrupted


def test_a_checkpoint_is_decoded_to_the_type_in_brackets() -> None:
    def handler(payload: int, context: JobContext[State]) -> Generator[State, None, None]:
        yield State(payload)

    read = reader(handler)
    assert read(b'{"epoch": 3}') == State(3)
    with pytest.raises(CheckpointInvalid, match=r"checkpoint is not a State: .*epoch") as caught:
        read(b"{}")
    assert "devbridge rerun --fresh" in str(caught.value)


def test_without_a_type_that_is_known_it_is_as_json_has_it() -> None:
    def handler(payload: int, context: Any) -> None: ...
    def anything(payload: int, context: JobContext[Any]) -> None: ...
    def unknown(payload: int, context: JobContext[Unknown]) -> None: ...

    assert [reader(each)(b'{"a": 1}') for each in (handler, anything, unknown)] == [{"a": 1}] * 3
