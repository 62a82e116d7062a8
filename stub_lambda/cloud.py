"""The offline policy `cloud`: start the deployed CodeBuild project instead."""

from __future__ import annotations

from typing import Final

from devbridge.errors import CloudError, PayloadTooLarge
from devbridge.protocol.messages import Run
from stub_lambda.settings import Settings

MAX_PAYLOAD: Final = 8 * 1024
"""Bytes: what is safe to put into a build's environment."""


def start_build(settings: Settings, run: Run) -> str:
    """Start a build for this run and return its id. The same run starts one build only.

    Raises:
        PayloadTooLarge: the payload does not fit into a build's environment.
        CloudError: CodeBuild refused it, or was not reached.
    """
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    if len(run.payload) > MAX_PAYLOAD:
        raise PayloadTooLarge(
            f"the payload has {len(run.payload)} bytes, a build takes {MAX_PAYLOAD}",
            where=run.job,
            remedy="put it in S3 and send the key",
        )
    # A lone surrogate, which JSON allows, is no text for AWS; escaped, it is the same JSON.
    payload = run.payload.decode("utf-8", "surrogatepass").encode("utf-8", "backslashreplace")
    try:
        answer = boto3.client("codebuild").start_build(
            projectName=settings.project,
            idempotencyToken=run.job_id,
            environmentVariablesOverride=[
                {"name": "DEVBRIDGE_PAYLOAD", "value": payload.decode(), "type": "PLAINTEXT"},
            ],
        )
    except (BotoCoreError, ClientError) as error:
        raise CloudError(
            f"the build could not be started: {error}",
            where=settings.project,
            remedy="deploy the stage again; its stub may start this project only",
        ) from error
    build_id: str = answer["build"]["id"]
    return build_id
