"""What is the same of a job whatever runs it: its role, its variables, where S3 has its runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Job
from devbridge.deploy import secrets
from devbridge.deploy.policies import KEY_USE, Json, allow, logs_of, permitted
from devbridge.deploy.principal import trust
from devbridge.deploy.references import arn, sub
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers.queues import gives_up, holds
from devbridge.job import JOB_NAME
from runner.outcome import retry_delay

SPARE_SECONDS: Final = 5 * 60
"""For what a run does beside the attempts of its job."""
GRACE: Final = 120
"""Seconds that a container has to end when it is told to: the most that there is, and what AWS
gives who runs on spare capacity."""


def add_role(
    stack: Stack,
    job: Job,
    service: str,
    statements: Sequence[Json],
    *,
    log_group: str | None = None,
    first: Sequence[Json] = (),
) -> str:
    """Add the role that a job's code has, on the laptop too; its title.

    Args:
        service: of the provider, which may assume it; so may the developer, on a stage of dev.
        statements: what it needs beside what its job does.
        log_group: where it writes its logs itself.
        first: what its provider asks for before anything runs, and what therefore must be in the
            role itself, not in a policy that may come later.
    """
    settings = stack.settings
    trusted = [trust(service)]
    if settings.mode == "dev":
        trusted.append(trust(settings.principal_arn))
    return stack.role(
        str(job),
        names.logical(job, "Role"),
        trusted,
        [
            *first,
            *holds(stack, job),
            *stack.grants([*job.bind, *job.secrets.values()]),
            *permitted(job.permissions, stack.stage),
            *([logs_of(log_group)] if log_group else []),
            *statements,
            *gives_up(job),
        ],
        job,
    )


def add_logs(stack: Stack, job: Job) -> str:
    """Add a job's log group, which is the same one whatever runs it: so its logs stay when it moves
    to another provider."""
    return stack.log_group(job, names.job_log_group(job, stack.stage))


# --- its code ------------------------------------------------------------------------------------


def zips(stack: Stack, job: Job) -> list[str]:
    """The keys of what runs start from: the job's code, and its packages if it has any."""
    keys = (stack.assets.jobs[job.name], stack.assets.packages.get(job.name))
    return [key for key in keys if key]


def pinned(stack: Stack, key: str) -> str:
    """``KEY@VERSION``: whatever is written over a zip later, runs start from what was verified."""
    version = stack.assets.versions.get(key)
    return f"{key}@{version}" if version else key


def reads_zips(stack: Stack, job: Job) -> Json:
    """That a job may read its own zips."""
    keys = zips(stack, job)
    return allow(
        ["s3:GetObject", "s3:GetObjectVersion"],
        [arn("s3", f"{stack.assets.bucket}/{key}") for key in keys],
    )


# --- its runs ------------------------------------------------------------------------------------


def keeps_runs(stack: Stack, job: Job, *, tells: bool, enters: bool = False) -> list[Json]:
    """What the runner needs of S3: of its own job's runs, nothing of others.

    Args:
        tells: how a run has ended is told there, for nothing else keeps it.
        enters: it writes what was asked for, too, for there is no invoker in front of it.
    """
    bucket, own = stack.assets.bucket, f"{job.app.name}/{stack.stage}/{job.name}/*"
    result = [arn("s3", f"{bucket}/results/{own}")]
    places = ("told", "checkpoints") if tells else ("checkpoints",)
    told = [arn("s3", f"{bucket}/{place}/{own}") for place in places]
    statements = [
        allow(["s3:GetObject", "s3:DeleteObject"], [arn("s3", f"{bucket}/payloads/{own}")]),
        allow(["s3:PutObject"], result),
        allow(["s3:GetObject", "s3:PutObject"], told),
    ]
    if tells:
        ended = arn("s3", f"{bucket}/runs/{own}.end.json")
        statements.append(allow(["s3:GetObject"], [ended]))  # whether somebody has cancelled it
    if enters:
        asked = [arn("s3", f"{bucket}/{place}/{own}") for place in ("payloads", "runs", "listed")]
        statements.append(allow(["s3:PutObject"], asked))
    if job.encryption_key:
        statements.append(allow(KEY_USE, [job.encryption_key]))
    return statements


# --- what a process of it is told ---------------------------------------------------------------


def job_variables(job: Job, stage: str) -> dict[str, str]:
    """What tells a job's process which job it is."""
    return {"DEVBRIDGE_APP": job.app.name, "DEVBRIDGE_STAGE": stage, JOB_NAME: job.name}


def variables(stack: Stack, job: Job, runner: Mapping[str, Any]) -> Json:
    """All variables of a job's process.

    Args:
        runner: those of the runner: `runner_variables`, and what its provider adds.
    """
    return {**job_variables(job, stack.stage), **runner, **stack.environment(job)}


def runner_variables(stack: Stack, job: Job) -> dict[str, str]:
    """What the runner is told of its job."""
    attempts = {"DEVBRIDGE_ATTEMPTS": str(job.retries + 1)}
    if job.container:
        return attempts
    found = {
        **attempts,
        "DEVBRIDGE_HANDLER": str(job.handler),
        "DEVBRIDGE_TIMEOUT": number(job.timeout.total_seconds()),
        "DEVBRIDGE_RETRY_DELAY": number(job.retry_delay.total_seconds()),
        "DEVBRIDGE_MEMORY_MB": str(job.memory_mb),
        "DEVBRIDGE_BUCKET": stack.assets.bucket,
        "DEVBRIDGE_COMPUTE": job.compute.name,
    }
    if job.secrets:
        found[secrets.VARIABLE] = secrets.parameters(job, stack.stage)
    if job.inline:
        found["DEVBRIDGE_INLINE"] = "1"
    if job.encryption_key:
        found["DEVBRIDGE_KEY"] = job.encryption_key
    return found


def total_seconds(job: Job) -> float:
    """How long all attempts may take together, with the delays between them."""
    return job.timeout.total_seconds() * (job.retries + 1) + sum(delays(job))


def delays(job: Job) -> list[float]:
    """The seconds before each further attempt."""
    delay = job.retry_delay.total_seconds()
    return [retry_delay(delay, attempt) for attempt in range(1, job.retries + 1)]


def pauses(delays: Sequence[float]) -> str:
    """These delays for a shell's loop over the attempts: behind the last one is none, ``''``."""
    return " ".join([*map(number, delays), "''"])


def number(value: float) -> str:
    """``90``, ``0.5``"""
    return str(int(value) if value == int(value) else value)


def place_text(place: Json) -> Any:
    """What an invoker must know of its provider, as one variable."""
    text = json.dumps(place, sort_keys=True)
    return sub(text) if "${" in text else text
