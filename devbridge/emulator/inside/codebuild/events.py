"""What CodeBuild says on the event bus of a build. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

KIND: Final = "CodeBuild Build State Change"


def detail(record: Mapping[str, Any]) -> Json:
    """The detail of an event about a build as it is."""
    phases = [_phase(phase) for phase in record["phases"]]
    return {
        "build-status": record["buildStatus"],
        "project-name": record["projectName"],
        "build-id": record["arn"],
        "additional-information": {
            "artifact": {"location": record["artifacts"].get("location", "")},
            "build-complete": record["buildComplete"],
            "build-number": float(record["buildNumber"]),
            "build-start-time": _time(record["startTime"]),
            "environment": _environment(record["environment"]),
            "initiator": record["initiator"],
            "logs": _logs(record["logs"]),
            "phases": phases,
            "queued-timeout-in-minutes": float(record["queuedTimeoutInMinutes"]),
            "source": {
                key: record["source"][key]
                for key in ("location", "type")
                if key in record["source"]
            },
            "timeout-in-minutes": float(record["timeoutInMinutes"]),
        },
        "current-phase": record["currentPhase"],
        "current-phase-context": "[]",
        "version": "1",
    }


def _environment(environment: Mapping[str, Any]) -> Json:
    shown = {
        "image": environment.get("image", ""),
        "privileged-mode": bool(environment.get("privilegedMode")),
        "image-pull-credentials-type": environment.get("imagePullCredentialsType", "CODEBUILD"),
        "compute-type": environment.get("computeType", ""),
        "type": environment.get("type", ""),
    }
    variables = [
        {"name": each["name"], "type": each["type"], "value": each["value"]}
        for each in environment["environmentVariables"]
    ]
    return {**shown, "environment-variables": variables}


def _logs(logs: Mapping[str, Any]) -> Json:
    names = {"groupName": "group-name", "streamName": "stream-name", "deepLink": "deep-link"}
    return {shown: logs[name] for name, shown in names.items() if name in logs}


def _phase(phase: Mapping[str, Any]) -> Json:
    made: Json = {"phase-type": phase["phaseType"], "start-time": _time(phase["startTime"])}
    if "endTime" in phase:
        made |= {
            "end-time": _time(phase["endTime"]),
            "duration-in-seconds": float(phase["durationInSeconds"]),
            "phase-status": phase["phaseStatus"],
        }
    contexts = [f"{each['statusCode']}: {each['message']}" for each in phase.get("contexts") or ()]
    return {**made, "phase-context": contexts} if contexts else made


def _time(seconds: float) -> str:
    """``Sep 1, 2017 4:12:29 PM``, as these events have it."""
    moment = time.gmtime(seconds)
    hour = moment.tm_hour % 12 or 12
    clock = f"{hour}:{moment.tm_min:02}:{moment.tm_sec:02} {'AM' if moment.tm_hour < 12 else 'PM'}"
    return f"{time.strftime('%b', moment)} {moment.tm_mday}, {moment.tm_year} {clock}"
