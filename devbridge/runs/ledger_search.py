"""Which runs of a ledger somebody looks for, as SQL. Pure."""

from __future__ import annotations

import json
from typing import Any

from devbridge.runs.base import Wanted
from devbridge.runs.ledger_file import STATE
from devbridge.runs.searching import HEAD, named
from runner.triggered import MARK


def condition(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """The condition of a ledger's runs, and its values."""
    terms: list[str] = []
    values: dict[str, Any] = {}

    def want(term: str, **given: Any) -> None:
        terms.append(term)
        values.update(given)

    if wanted.job is not None:
        want("job=:job", job=wanted.job)
    if wanted.states:
        states = {f"state{n}": state.value for n, state in enumerate(wanted.states)}
        want(f"{STATE} IN ({', '.join(f':{name}' for name in states)})", **states)
    if wanted.since is not None:
        want("created_at>=:since", since=wanted.since)
    if wanted.until is not None:
        want("created_at<:until", until=wanted.until)
    if wanted.trigger:
        mark = named(wanted.trigger)
        want(
            "substr(payload, 1, :marked)=:mark AND instr(substr(payload, 1, :head), :named)>0",
            **{"marked": len(MARK), "mark": MARK, "head": HEAD + len(mark), "named": mark},
        )
    if wanted.text:
        # Errors are kept as JSON in ASCII, payloads as they came.
        texts = (("CAST(payload AS TEXT)", "text"), ("failure", "written"), ("job_id", "text"))
        likes = (f"{column} LIKE :{name} ESCAPE '\\'" for column, name in texts)
        written = json.dumps(wanted.text)[1:-1]
        want(f"({' OR '.join(likes)})", text=_like(wanted.text), written=_like(written))
    return " AND ".join(terms) or "1", values


def _like(text: str) -> str:
    """The pattern of whatever has this text."""
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
