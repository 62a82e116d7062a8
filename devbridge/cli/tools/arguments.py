"""What the tools take, as JSON Schema and as it is checked. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from devbridge.runs.model import State

WAIT: Final = 45.0
"""Seconds that are waited for a run's end unless it is said how long: clients give up a call after
a minute."""
LONGEST: Final = 3600.0
"""Seconds that may be waited."""
LINES: Final = 100
"""Lines of a log that are shown unless it is said how many."""
MOST_LINES: Final = 1000

StateName = Literal[
    "SCHEDULED",
    "QUEUED",
    "STARTING",
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
    "CANCELLED",
    "TIMED_OUT",
    "CRASHED",
]
assert get_args(StateName) == tuple(State)  # noqa: S101 - a schema must spell them out

JobName = Annotated[str, Meta(description="The job's name, as list_jobs has it.")]
RunId = Annotated[
    str, Meta(description="The run's id, or the beginning of it if no other begins so.")
]
RunsJob = Annotated[
    str | None,
    Meta(description="The run's job: only for a whole id that this folder does not know."),
]
Json = Annotated[
    Any,
    Meta(
        description='JSON text, such as {"num": 5}. A text has its quotes: "\\"ann\\"".',
        extra_json_schema={"type": "string"},  # many a client cannot do with "anything"
    ),
]
Wait = Annotated[bool, Meta(description="Return when the run has ended, or after timeout_seconds.")]
Timeout = Annotated[
    float,
    Meta(ge=0, le=LONGEST, description="How long to wait. A run that goes on then is no error."),
]
Check = Annotated[
    bool, Meta(description="False sends a payload that is not what the job's handler declares.")
]
Lines = Annotated[int, Meta(ge=1, le=MOST_LINES, description="At most so many lines.")]
Find = Annotated[
    str | None,
    Meta(description="Only lines that have this text, upper or lower case, the last ones."),
]


class Arguments(Struct, forbid_unknown_fields=True, kw_only=True):
    """What a tool takes."""


class ListJobs(Arguments):
    """Of list_jobs."""


class ListRuns(Arguments):
    """Of list_runs."""

    job: Annotated[str | None, Meta(description="Only the runs of this job.")] = None
    state: Annotated[StateName | None, Meta(description="Only the runs in this state.")] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="At most so many.")] = 20
    deployed: Annotated[
        bool,
        Meta(description="The runs in the cloud, though `devbridge dev` deployed the stage last."),
    ] = False


class Invoke(Arguments):
    """Of invoke."""

    job: JobName
    payload: Json = None
    idempotency_key: Annotated[
        str | None, Meta(description="With the same key no second run is started.")
    ] = None
    wait: Wait = False
    timeout_seconds: Timeout = WAIT
    check: Check = True


class Rerun(Arguments):
    """Of rerun."""

    run: RunId
    job: RunsJob = None
    payload: Json = None
    fresh: Annotated[bool, Meta(description="Begin at the beginning, not at a checkpoint.")] = False
    wait: Wait = False
    timeout_seconds: Timeout = WAIT
    check: Check = True


class WaitFor(Arguments):
    """Of wait."""

    run: RunId
    job: RunsJob = None
    timeout_seconds: Timeout = WAIT


class ShowRun(Arguments):
    """Of show_run."""

    run: RunId
    job: RunsJob = None


class ReadLog(Arguments):
    """Of read_log."""

    run: RunId
    job: RunsJob = None
    lines: Lines = LINES
    find: Find = None
    from_line: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Begin at this line, to look around what was found."),
    ] = None
    everything: Annotated[
        bool, Meta(description="What the machine of a deployed run has printed, too.")
    ] = False


class ReadFunctionLog(Arguments):
    """Of read_function_log."""

    function: Annotated[str, Meta(description="Its name, such as api-start.")]
    minutes: Annotated[float, Meta(gt=0, le=14400, description="How far back.")] = 10
    lines: Lines = LINES
    find: Find = None


class Cancel(Arguments):
    """Of cancel."""

    run: RunId
    job: RunsJob = None


class DevStatus(Arguments):
    """Of dev_status."""


def schema(of: type[Arguments]) -> dict[str, Any]:
    """The JSON Schema of what a tool takes."""
    (found,) = msgspec.json.schema_components([of], ref_template="#/$defs/{name}")[1].values()
    for each in found["properties"].values():
        if each.get("default", ...) is None:
            del each["default"]  # it need not be given: no more is meant
    left_out = ("title", "description")
    return {name: value for name, value in found.items() if name not in left_out}
