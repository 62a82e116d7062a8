"""The environments of the processes that run the user's code: never the developer's credentials."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from devbridge.daemon.model import JobSpec
    from devbridge.daemon.runtime_api import WorkerAddress

_OF_SDKS: Final = ("AWS_", "DEVBRIDGE_", "BOTO_CONFIG")
_OF_WORKERS: Final = ("LAMBDA_", "_HANDLER", "PYTHONHOME")


def without_own(developer: Mapping[str, str]) -> dict[str, str]:
    """The developer's environment without what an AWS SDK, or devbridge, would find there."""
    return {key: value for key, value in developer.items() if not key.startswith(_OF_SDKS)}


def scrubbed(developer: Mapping[str, str]) -> dict[str, str]:
    """The same, also without what would change how a handler's process starts."""
    own = without_own(developer)
    return {key: value for key, value in own.items() if not key.startswith(_OF_WORKERS)}


def isolated(region: str) -> dict[str, str]:
    """What keeps an AWS SDK from finding credentials or settings in files and in EC2's metadata."""
    return {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def worker_environment(
    developer: Mapping[str, str],
    job: JobSpec,
    address: WorkerAddress,
    *,
    root: Path,
    region: str,
    endpoint_url: str | None = None,
    memory_limit: int | None = None,
    schemas: Path | None = None,
) -> dict[str, str]:
    """The whole environment of a worker of `job`.

    The developer's own, without anything that would let an AWS SDK find the developer's
    credentials or configuration; then the job's; then what the worker must have.
    `endpoint_url` is the embedded cloud's, None on AWS. `memory_limit` is in bytes. `schemas` is
    the file with what payloads for other jobs are checked with.
    """
    environment = scrubbed(developer)
    environment.update(job.environment)
    environment.update(
        {
            "AWS_LAMBDA_RUNTIME_API": address.runtime_api,
            "AWS_LAMBDA_FUNCTION_NAME": job.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(job.memory_mb),
            "_HANDLER": job.handler,
            "LAMBDA_TASK_ROOT": str(root),
            "DEVBRIDGE_JOB_NAME": job.name,
            **sdk_environment(address, region=region, endpoint_url=endpoint_url),
        }
    )
    if job.command:
        environment["DEVBRIDGE_COMMAND"] = json.dumps(job.command)
        environment["DEVBRIDGE_COMMAND_DIR"] = str(root / job.command_dir)
    if memory_limit is not None:
        environment["DEVBRIDGE_MEMORY_LIMIT"] = str(memory_limit)
    if schemas is not None:
        environment["DEVBRIDGE_SCHEMAS"] = str(schemas)
    return environment


def sdk_environment(
    address: WorkerAddress, *, region: str, endpoint_url: str | None = None
) -> dict[str, str]:
    """What makes an AWS SDK use a role's credentials, and nothing else that it might find.

    `endpoint_url` is the embedded cloud's, None on AWS.
    """
    environment = {
        **isolated(region),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": address.credentials_uri,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": address.credentials_token,
    }
    if endpoint_url is not None:
        environment["AWS_ENDPOINT_URL"] = endpoint_url
    return environment
