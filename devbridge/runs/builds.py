"""What a build of AWS CodeBuild says of its run. Pure; the standard library only.

How the handler ended is in the build's exported variables, which `runner.host` sets. Runs of
earlier versions have the build's id, ``<project>:<uuid>``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from devbridge.runs.base import RunRecord
from devbridge.runs.model import State
from runner import documents
from runner.outcome import ENDED, Failure

_ID: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_-]{1,254}:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
_IN_PROGRESS: Final = "IN_PROGRESS"
_QUEUED_PHASES: Final = ("SUBMITTED", "QUEUED")
_STARTING_PHASES: Final = ("PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD")
_HANDLER_PHASE: Final = "BUILD"
_WITHOUT_ERROR: Final = {"SUCCEEDED": State.SUCCEEDED, "STOPPED": State.CANCELLED}
_ELSEWHERE: Final = "its message is in S3, `devbridge status` shows it"
_EXIT_STATUS: Final = re.compile(r"exit status (\d+)")


def is_build_id(text: object) -> bool:
    """Whether this has the form of a build's id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Build:
    """What CodeBuild has told of a run."""

    record: RunRecord
    result_at: str = ""
    """The key of the result in the asset bucket, if it is not here."""
    error_at: str = ""
    """The key of the error in the asset bucket, if its message is not here."""
    payload: str | None = None
    """The payload, if the build's record has it."""
    payload_at: str = ""
    """Its key in the asset bucket, if not."""
    log_group: str = ""
    log_stream: str = ""


def interpret(build: Mapping[str, Any]) -> Build:
    """What CodeBuild's description of a build says of the run."""
    told = {v["name"]: v["value"] for v in build.get("exportedEnvironmentVariables") or ()}
    given = variables_of(build)
    if build["buildStatus"] == _IN_PROGRESS:
        state, failure = _running_state(build), None
    else:
        state, failure = _end(build, told, given)
    phases = {phase["phaseType"]: phase for phase in build.get("phases") or ()}
    logs = build.get("logs") or {}
    group, stream = logs.get("groupName") or "", logs.get("streamName") or ""
    attempts = int(given.get("DEVBRIDGE_ATTEMPTS") or 1)
    # A build that was stopped exports nothing.
    untold = 0 if state.final and attempts > 1 else 1
    # The phase begins before the first attempt, with older versions by a wait for its turn.
    began = told.get("DEVBRIDGE_STARTED") or phases.get(_HANDLER_PHASE, {}).get("startTime")
    waited = state in (State.QUEUED, State.STARTING)
    result = told.get("DEVBRIDGE_RESULT") or "null" if state is State.SUCCEEDED else ""
    at = result[1:] if result.startswith("@") else ""
    record = RunRecord(
        job_id=build["id"],
        job=given.get("DEVBRIDGE_JOB_NAME", ""),
        state=state,
        created_at=_epoch(build.get("startTime")),
        started_at=None if waited else _epoch(began),
        ended_at=_epoch(build.get("endTime")) if state.final else None,
        attempt=int(told.get("DEVBRIDGE_ATTEMPT") or untold),
        max_attempts=attempts,
        result=None if at or not result else result.encode("utf-8", "surrogatepass"),
        failure=failure,
        log=f"{group}/{stream}" if stream else "",
        closed=state.final,
    )
    error_at = json.loads(told.get("DEVBRIDGE_ERROR") or "{}").get("at", "")
    return Build(
        record,
        result_at=at,
        error_at=error_at,
        payload=given.get("DEVBRIDGE_PAYLOAD"),
        payload_at=given.get("DEVBRIDGE_PAYLOAD_KEY", ""),
        log_group=group,
        log_stream=stream,
    )


def variables_of(build: Mapping[str, Any]) -> dict[str, str]:
    """What a build's environment gives it."""
    variables = (build.get("environment") or {}).get("environmentVariables") or ()
    return {variable["name"]: variable["value"] for variable in variables}


def _running_state(build: Mapping[str, Any]) -> State:
    phase = build.get("currentPhase") or ""
    if phase in ("", *_QUEUED_PHASES):
        return State.QUEUED
    return State.STARTING if phase in _STARTING_PHASES else State.RUNNING


def _end(
    build: Mapping[str, Any], told: Mapping[str, str], given: Mapping[str, str]
) -> tuple[State, Failure | None]:
    """How a build has ended."""
    status = build["buildStatus"]
    if status in _WITHOUT_ERROR:
        return _WITHOUT_ERROR[status], None
    if status == "FAILED" and (state := told.get("DEVBRIDGE_STATE")) in ENDED:
        error = json.loads(told.get("DEVBRIDGE_ERROR") or "{}")
        failure = documents.read({"message": _ELSEWHERE, **error}) if error else None
        return State(state), failure
    where, why = _failed_phase(build)
    if status == "TIMED_OUT":
        if where in (_HANDLER_PHASE, ""):
            return State.TIMED_OUT, None
        what = f"the build has timed out in phase {where}{why}"
        return State.TIMED_OUT, Failure("BuildTimedOut", what)
    # A container's command has no runner to say how it ended.
    command = where == _HANDLER_PHASE and not given.get("DEVBRIDGE_HANDLER")
    if command and (code := _EXIT_STATUS.search(why)):
        return State.FAILED, Failure("CommandFailed", f"the command exited with code {code[1]}")
    what = f"the build has ended {status} in phase {where}{why}"
    return State.CRASHED, Failure("BuildFailed", what)


def _failed_phase(build: Mapping[str, Any]) -> tuple[str, str]:
    """The first phase that did not succeed, and ``: why``."""
    for phase in build.get("phases") or ():
        if phase.get("phaseStatus") in ("FAILED", "FAULT", "TIMED_OUT"):
            contexts = phase.get("contexts") or ()
            why = [
                f"{c.get('statusCode') or ''} {c.get('message') or ''}".strip() for c in contexts
            ]
            text = "; ".join(filter(None, why))
            return phase["phaseType"], f": {text}" if text else ""
    return build.get("currentPhase") or "", ""


def _epoch(moment: datetime | float | str | None) -> float | None:
    if moment is None:
        return None
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)
