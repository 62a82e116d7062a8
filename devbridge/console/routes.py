"""What the console answers: one table, of which docs/console-api.md is made. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from devbridge.console import model, stage_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    """``/api/runs/{id}``: a part in braces is any text without a slash; one with ``:path`` any."""
    call: str
    """Who answers: the name of a method of `devbridge.console.api.Api`, or of the server's own."""
    does: str
    query: Any = None
    """What the query has."""
    body: Any = None
    """What is sent."""
    answer: Any = None
    """What is answered; None: it is no JSON."""
    status: HTTPStatus = HTTPStatus.OK

    def match(self, path: str) -> Mapping[str, str] | None:
        """What the path's parts in braces are; None: it is another path."""
        found = _pattern(self.path).fullmatch(path)
        return None if found is None else {k: unquote(v) for k, v in found.groupdict().items()}


@functools.cache
def _pattern(path: str) -> re.Pattern[str]:
    whole = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", path)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", whole))


def _get(path: str, call: str, does: str, answer: Any = None, query: Any = None) -> Route:
    return Route(method="GET", path=path, call=call, does=does, answer=answer, query=query)


def _post(
    path: str,
    call: str,
    does: str,
    body: Any,
    answer: Any,
    status: HTTPStatus = HTTPStatus.OK,
) -> Route:
    return Route(
        method="POST", path=path, call=call, does=does, body=body, answer=answer, status=status
    )


DOCUMENT: Final = "document"
STATIC: Final = "static"
EVENTS: Final = "events"
LOG_FILE: Final = "log_file"
_DOCUMENTS: Final = ("/", "/functions", "/functions/{name}", "/runs", "/runs/{id}", "/stage")
CREATED: Final = HTTPStatus.CREATED

ROUTES: Final[tuple[Route, ...]] = (
    _get("/api/stage", "stage", "The stage: what there is, and who runs it.", stage_model.Stage),
    _get(
        "/api/functions",
        "functions",
        "The jobs and API functions of the app, with their last runs.",
        list[stage_model.Function],
    ),
    _get("/api/runs", "runs", "The runs, the newest first.", model.Rows, model.RunsWanted),
    _get("/api/runs/{id}", "run", "All that is known of a run.", model.Detail),
    _get(
        "/api/runs/{id}/log",
        "log",
        "Lines of what a run has printed; with `find`, where in it a text is.",
        model.Lines | model.Line,
        model.LogWanted,
    ),
    _get(
        "/api/runs/{id}/usage",
        "usage",
        "What the processes of a live run used: when, percent of a core, bytes of memory. Empty of"
        " runs that are not of the last, or not of this `devbridge dev`.",
        list[tuple[float, float, int]],
    ),
    _get("/api/runs/{id}/log.txt", LOG_FILE, "All that a run has printed, as a file."),
    _post("/api/runs", "invoke", "Start a run.", model.Invocation, model.Invoked, CREATED),
    _post(
        "/api/runs/{id}/replay",
        "replay",
        "Run the job of a run again, as it was or with another payload.",
        model.Replay,
        model.Invoked,
        CREATED,
    ),
    _post(
        "/api/runs/{id}/cancel",
        "cancel",
        "Cancel a run, whatever state it is in.",
        model.Nothing,
        model.Cancelled,
    ),
    _get(
        "/api/debug",
        "debugging",
        "Whether debuggers can stop what runs, and how they attach.",
        stage_model.Debugging,
    ),
    _post(
        "/api/debug",
        "debug",
        "Open workers to debuggers, as `--debug` does: those that come from now on.",
        model.Nothing,
        stage_model.Debugging,
    ),
    _post(
        "/api/bulk",
        "bulk",
        "Replay the ended runs, or cancel the others, of a filter: first to count them, then"
        " with that count to do it. 409: there are more or fewer now.",
        model.Bulk,
        model.BulkDone,
    ),
    _get(
        "/api/payloads/{job}",
        "payloads",
        "Payloads for a job: of its last runs, saved ones, samples.",
        stage_model.Payloads,
    ),
    Route(
        method="PUT",
        path="/api/payloads/{job}/{name}",
        call="save_payload",
        does="Save a payload in the app's folder, by a name.",
        body=stage_model.Text,
        answer=model.Nothing,
    ),
    Route(
        method="DELETE",
        path="/api/payloads/{job}/{name}",
        call="forget_payload",
        does="Delete a saved payload.",
        answer=model.Nothing,
    ),
    _get(
        "/api/dead-letters",
        "dead_letters",
        "The dead-letter queues, each with its oldest messages.",
        list[stage_model.DeadLetters],
    ),
    _post(
        "/api/dead-letters/redrive",
        "redrive",
        "Send messages back to where they came from: their jobs run once more.",
        stage_model.Redrive,
        stage_model.Redriven,
    ),
    _get(
        "/api/events",
        EVENTS,
        "Server-sent events: what has changed.",
        query=model.EventsWanted,
    ),
    *(_get(path, DOCUMENT, "The page.") for path in _DOCUMENTS),
    _get("/static/{name:path}", STATIC, "A file that the page needs."),
)


def find(method: str, path: str) -> tuple[Route, Mapping[str, str]] | HTTPStatus:
    """The route of a request and the parts of its path; or the status that there is none with."""
    status = HTTPStatus.NOT_FOUND
    for route in ROUTES:
        parts = route.match(path)
        if parts is not None and route.method == method:
            return route, parts
        if parts is not None:
            status = HTTPStatus.METHOD_NOT_ALLOWED
    return status
