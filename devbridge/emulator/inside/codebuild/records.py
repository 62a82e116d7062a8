"""A build's record, in CodeBuild's words: how it begins, and how its phases go on. Pure.

Times are seconds since the epoch, as the JSON protocol of AWS has them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

SUCCEEDED: Final = "SUCCEEDED"
FAILED: Final = "FAILED"
FAULT: Final = "FAULT"
STOPPED: Final = "STOPPED"
TIMED_OUT: Final = "TIMED_OUT"
IN_PROGRESS: Final = "IN_PROGRESS"

DEFAULT_TIMEOUT: Final = 60
"""Minutes; and for the queue: `DEFAULT_QUEUED_TIMEOUT`."""
DEFAULT_QUEUED_TIMEOUT: Final = 480

_SOURCE: Final = {
    "sourceTypeOverride": "type",
    "sourceLocationOverride": "location",
    "sourceAuthOverride": "auth",
    "gitCloneDepthOverride": "gitCloneDepth",
    "gitSubmodulesConfigOverride": "gitSubmodulesConfig",
    "buildspecOverride": "buildspec",
    "insecureSslOverride": "insecureSsl",
    "reportBuildStatusOverride": "reportBuildStatus",
    "buildStatusConfigOverride": "buildStatusConfig",
}
_ENVIRONMENT: Final = {
    "environmentTypeOverride": "type",
    "imageOverride": "image",
    "computeTypeOverride": "computeType",
    "certificateOverride": "certificate",
    "privilegedModeOverride": "privilegedMode",
    "registryCredentialOverride": "registryCredential",
    "imagePullCredentialsTypeOverride": "imagePullCredentialsType",
    "fleetOverride": "fleet",
    "hostKernelOverride": "hostKernel",
}
_TOP: Final = {
    "serviceRole": "serviceRoleOverride",
    "cache": "cacheOverride",
    "encryptionKey": "encryptionKeyOverride",
    "secondarySources": "secondarySourcesOverride",
    "secondarySourceVersions": "secondarySourcesVersionOverride",
    "timeoutInMinutes": "timeoutInMinutesOverride",
    "queuedTimeoutInMinutes": "queuedTimeoutInMinutesOverride",
    "sourceVersion": "sourceVersion",
}
_ARTIFACT_MEMBERS: Final = (
    "location",
    "overrideArtifactName",
    "encryptionDisabled",
    "artifactIdentifier",
    "bucketOwnerAccess",
)


def new_build(
    project: Mapping[str, Any],
    request: Mapping[str, Any],
    *,
    build_id: str,
    arn: str,
    number: int,
    initiator: str,
    now: float,
) -> Json:
    """The record of a build that StartBuild was just asked for: submitted, and in the queue."""
    project = copy.deepcopy(dict(project))
    request = copy.deepcopy(dict(request))
    record: Json = {
        "id": build_id,
        "arn": arn,
        "buildNumber": number,
        "projectName": project["name"],
        "startTime": now,
        "currentPhase": "SUBMITTED",
        "buildStatus": IN_PROGRESS,
        "buildComplete": False,
        "initiator": initiator,
        "phases": [],
        "source": _overridden(project.get("source") or {"type": "NO_SOURCE"}, request, _SOURCE),
        "environment": _environment(project.get("environment") or {}, request),
        "artifacts": _artifact(request.get("artifactsOverride") or project.get("artifacts") or {}),
        "logs": _logs(request.get("logsConfigOverride") or project.get("logsConfig") or {}),
        "timeoutInMinutes": DEFAULT_TIMEOUT,
        "queuedTimeoutInMinutes": DEFAULT_QUEUED_TIMEOUT,
    }
    secondary = request.get("secondaryArtifactsOverride") or project.get("secondaryArtifacts")
    if secondary:
        record["secondaryArtifacts"] = [_artifact(artifact) for artifact in secondary]
    for key in ("vpcConfig", "fileSystemLocations"):
        if project.get(key):
            record[key] = project[key]
    for key, override in _TOP.items():
        value = request.get(override, project.get(key))
        if value not in (None, "", []):
            record[key] = value
    if request.get("debugSessionEnabled"):
        record["debugSession"] = {"sessionEnabled": True}
    enter(record, "SUBMITTED", now)
    leave(record, SUCCEEDED, now)
    enter(record, "QUEUED", now)
    return record


def enter(record: Json, phase: str, now: float) -> None:
    """The build's next phase begins."""
    record["phases"].append({"phaseType": phase, "startTime": now})
    record["currentPhase"] = phase


def leave(record: Json, status: str, now: float, code: str = "", message: str = "") -> None:
    """The current phase ends. `code` and `message` are its context, empty when all went well."""
    phase = record["phases"][-1]
    phase["phaseStatus"] = status
    phase["endTime"] = now
    phase["durationInSeconds"] = int(now - phase["startTime"])
    if code or message or phase["phaseType"] not in ("SUBMITTED", "QUEUED", "PROVISIONING"):
        phase["contexts"] = [{"statusCode": code, "message": message}]


def complete(record: Json, status: str, now: float) -> None:
    """The build has ended."""
    enter(record, "COMPLETED", now)
    record["buildStatus"] = status
    record["buildComplete"] = True
    record["endTime"] = now


def project_arn(record: Mapping[str, Any]) -> str:
    """The ARN of the build's project."""
    return str(record["arn"]).replace(":build/", ":project/").rpartition(":")[0]


def stream_of(record: Mapping[str, Any]) -> tuple[str, str] | None:
    """The log group and stream that the build's output goes to; None when it goes nowhere."""
    wanted = record["logs"]["cloudWatchLogs"]
    if wanted["status"] != "ENABLED":
        return None
    uuid = record["id"].rpartition(":")[2]
    group = wanted.get("groupName") or f"/aws/codebuild/{record['projectName']}"
    prefix = wanted.get("streamName")
    return group, f"{prefix}/{uuid}" if prefix else uuid


def name_stream(record: Json, group: str, stream: str) -> None:
    """The log stream exists now: say where."""
    _, _, _, region, account, _ = record["arn"].split(":", 5)
    record["logs"] |= {
        "groupName": group,
        "streamName": stream,
        "cloudWatchLogsArn": (
            f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{stream}"
        ),
        "deepLink": (
            f"https://console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#logsV2:log-groups/log-group/{group.replace('/', '$252F')}"
            f"/log-events/{stream.replace('/', '$252F')}"
        ),
    }


def _overridden(
    base: Mapping[str, Any], request: Mapping[str, Any], names: Mapping[str, str]
) -> Json:
    return {**base, **{own: request[name] for name, own in names.items() if name in request}}


def _environment(base: Mapping[str, Any], request: Mapping[str, Any]) -> Json:
    environment = _overridden(base, request, _ENVIRONMENT)
    variables = {each["name"]: each for each in environment.get("environmentVariables") or []}
    variables |= {each["name"]: each for each in request.get("environmentVariablesOverride") or []}
    environment["environmentVariables"] = [
        {"type": "PLAINTEXT", **each} for each in variables.values()
    ]
    return environment


def _artifact(artifact: Mapping[str, Any]) -> Json:
    made: Json = {"location": ""}
    made |= {key: artifact[key] for key in _ARTIFACT_MEMBERS if artifact.get(key) is not None}
    if artifact.get("type") == "S3":
        parts = (made["location"], artifact.get("path"), artifact.get("name"))
        made["location"] = "arn:aws:s3:::" + "/".join(part.strip("/") for part in parts if part)
    return made


def _logs(config: Mapping[str, Any]) -> Json:
    return {
        "cloudWatchLogs": {"status": "ENABLED", **(config.get("cloudWatchLogs") or {})},
        "s3Logs": {"status": "DISABLED", **(config.get("s3Logs") or {})},
    }
