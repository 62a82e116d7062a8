"""The offline policy `cloud`: start the deployed CodeBuild project instead."""

from __future__ import annotations

from typing import Final

from devbridge.errors import PayloadTooLarge
from devbridge.protocol.messages import Run
from stub_lambda.settings import Settings

MAX_PAYLOAD: Final = 8 * 1024
"""Bytes: what is safe to put into a build's environment."""


def start_build(settings: Settings, run: Run) -> str:
    """Start a build for this run and return its id. The same run starts one build only.

    Raises:
        PayloadTooLarge: the payload does not fit into a build's environment.
    """
    import boto3  # noqa: PLC0415

    if len(run.payload) > MAX_PAYLOAD:
        raise PayloadTooLarge(
            f"the payload has {len(run.payload)} bytes, a build takes {MAX_PAYLOAD}",
            where=run.job,
            remedy="put it in S3 and send the key",
        )
    client = boto3.client("codebuild")
    answer = client.start_build(
        projectName=settings.project,
        idempotencyToken=run.job_id,
        environmentVariablesOverride=[
            {"name": "DEVBRIDGE_PAYLOAD", "value": run.payload.decode(), "type": "PLAINTEXT"},
        ],
    )
    build_id: str = answer["build"]["id"]
    return build_id
