"""What the console asks of a stage's runs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from devbridge.console import model
from devbridge.console.text import row
from devbridge.errors import InvalidValue, NotFound
from devbridge.runs.base import Wanted
from devbridge.runs.find import StageRuns
from devbridge.runs.model import State

MOST = 500
"""Runs of one page."""


def wanted(asked: model.RunsWanted | model.Filter) -> Wanted:
    """
    Raises:
        InvalidValue: there is no such state.
    """
    return Wanted(
        job=asked.job or None,
        states=_states(asked.state),
        since=asked.since,
        until=asked.until,
        trigger=asked.trigger,
        text=asked.text,
    )


def page(runs: StageRuns, asked: model.RunsWanted, *, deployed: bool) -> model.Rows:
    """A page of the runs that are asked for."""
    limit = min(max(asked.limit, 1), MOST)
    found = runs.search(wanted(asked), limit=limit, deployed=deployed, after=asked.after)
    return model.Rows([row(run.record) for run in found.runs], found.after, found.total)


def rows(runs: StageRuns, ids: Sequence[str]) -> Mapping[str, model.Row]:
    """The runs with these ids, as far as there are such."""
    found = {}
    for run_id in ids:
        with contextlib.suppress(NotFound):
            found[run_id] = row(runs.find(run_id).record)
    return found


def _states(text: str) -> tuple[State, ...]:
    try:
        return tuple(State(each.upper()) for each in text.split(",") if each)
    except ValueError:
        known = ", ".join(State)
        raise InvalidValue(f"{text!r} is no state", remedy=f"use some of {known}") from None
