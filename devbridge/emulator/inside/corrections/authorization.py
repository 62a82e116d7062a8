"""Whom IAM is asked about, where ministack asks about the wrong resource.

AWS checks StopBuild and BatchGetBuilds against the builds' projects, reading and writing a log
stream against the stream, and GetParameters against each parameter; ministack checks them against
``*`` or the log group, so that policies that are right on AWS would deny here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ..host import ministack

_ACTIONS: Final = {
    "codebuild": {"BatchDeleteBuilds", "BatchGetBuilds", "RetryBuild", "StopBuild"},
    "logs": {
        "CreateLogStream",
        "DeleteLogStream",
        "DescribeLogStreams",
        "FilterLogEvents",
        "GetLogEvents",
        "PutLogEvents",
    },
    "ssm": {"DeleteParameters", "GetParameters"},
}


class Several(str):
    """The first ARN, with the others that must be allowed as well."""

    __slots__ = ("others",)
    others: tuple[str, ...]


def resources(service: str, action: str, body: bytes, region: str, account: str) -> list[str]:
    """The ARNs that the request is about; none: as ministack says."""
    if action not in _ACTIONS.get(service, ()):
        return []
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        request = None
    if not isinstance(request, dict):
        return []
    base = f"arn:aws:{service}:{region}:{account}"
    if service == "codebuild":
        asked = request.get("ids") or [request.get("id")]
        projects = {str(each).rpartition("/")[2].rpartition(":")[0] for each in asked}
        return [f"{base}:project/{name}" for name in sorted(projects)]
    if service == "logs":
        stream = f":log-stream:{request.get('logStreamName', '')}"
        return [f"{base}:log-group:{request.get('logGroupName', '')}{stream}"]
    names = [str(name) for name in request.get("Names") or ()]
    return [
        name if name.startswith("arn:") else f"{base}:parameter/{name.lstrip('/')}"
        for name in names
    ]


def correct() -> None:
    """Make ministack ask so."""
    iam_actions, iam_evaluator = ministack("core.iam_actions"), ministack("core.iam_evaluator")
    extract, enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce

    def extract_resource_arn(  # ministack's own parameters
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Any,
        region: str,
        account_id: str,
    ) -> str:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        found = resources(service, action, body, region, account_id)
        if not found:
            return str(
                extract(service, method, path, headers, body, query_params, region, account_id)
            )
        several = Several(found[0])
        several.others = tuple(found[1:])
        return several

    def enforce_all(*args: Any, resource_arn: str = "*", **options: Any) -> Any:
        if len(args) > 4:  # so ministack's MQTT broker calls it
            *args, resource_arn = args  # type: ignore[assignment]
        for arn in (resource_arn, *getattr(resource_arn, "others", ())):
            denied = enforce(*args, resource_arn=arn, **options)
            if denied:
                return denied
        return None

    iam_actions.extract_resource_arn = extract_resource_arn
    iam_evaluator.enforce = enforce_all
