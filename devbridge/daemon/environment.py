"""What a worker finds in its environment: the shell's share, the job's own, and its credentials."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from devbridge.daemon.runtime_api import WorkerAddress
from devbridge.environment import (
    WITHHELD,
    given_values,
    inherited,
    isolated,
    withheld,
)
from devbridge.proxies import past_proxies
from devbridge.runs.model import CodeSpec, FunctionSpec, JobSpec


def worker_environment(
    developer: Mapping[str, str],
    job: CodeSpec,
    address: WorkerAddress,
    *,
    root: Path,
    region: str,
    endpoint_url: str | None = None,
    memory_limit: int | None = None,
    schemas: Path | None = None,
    given: Sequence[str] = (),
) -> dict[str, str]:
    """The whole environment of a worker of `job`, which may be a function.

    What live code gets of the developer's shell; then its own; then what `--env` gives; then what
    the worker must have. `endpoint_url` is the embedded cloud's, None on AWS. `memory_limit` is in
    bytes. `schemas` is the file with what payloads for other jobs are checked with.
    """
    environment = inherited(developer, job.shell)
    if isinstance(job, FunctionSpec):
        environment["TZ"] = ":UTC"  # as Lambda has it, and a function may set another
    environment.update(job.environment)
    environment.update(given_values(developer, given))
    environment.update(
        {
            "AWS_LAMBDA_RUNTIME_API": address.runtime_api,
            **handler_environment(job, root),
            **sdk_environment(address, region=region, endpoint_url=endpoint_url),
            **past_proxies(environment),
        }
    )
    if isinstance(job, JobSpec) and job.command:
        environment["DEVBRIDGE_COMMAND"] = json.dumps(job.command)
        environment["DEVBRIDGE_COMMAND_DIR"] = str(root / job.command_dir)
    if memory_limit is not None:
        environment["DEVBRIDGE_MEMORY_LIMIT"] = str(memory_limit)
    if schemas is not None:
        environment["DEVBRIDGE_SCHEMAS"] = str(schemas)
    if names := withheld(developer, environment):
        environment[WITHHELD] = " ".join(names)
    return environment


def handler_environment(job: CodeSpec, root: Path) -> dict[str, str]:
    """What tells a handler, and the libraries that look for Lambda's variables, what it is."""
    found = {
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(job.memory_mb),
        "_HANDLER": job.handler,
        "LAMBDA_TASK_ROOT": str(root),
    }
    if not isinstance(job, FunctionSpec):
        return {**found, "AWS_LAMBDA_FUNCTION_NAME": job.name, "DEVBRIDGE_JOB_NAME": job.name}
    today = time.strftime("%Y/%m/%d", time.gmtime())
    return {
        **found,
        "DEVBRIDGE_FUNCTION": "1",
        "AWS_LAMBDA_FUNCTION_NAME": job.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": job.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{today}/[$LATEST]{uuid.uuid4().hex}",
    }


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
