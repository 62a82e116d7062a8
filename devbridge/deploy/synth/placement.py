"""Where code runs: what of a job or function is in the cloud, on which kind of stage. Pure."""

from __future__ import annotations

from typing import Protocol

from devbridge import names
from devbridge.constructs import Function, Job


class Stage(Protocol):
    """What of a stage decides it: the settings of its template have it, and who asks for one."""

    @property
    def mode(self) -> names.Mode:
        """Of the stage."""

    @property
    def offline(self) -> str:
        """What its stubs do when no daemon is connected, unless the job says otherwise."""


def in_cloud(job: Job, stage: Stage) -> bool:
    """Whether the cloud can run the job: on a deployed stage, or where the laptop may not."""
    return has_invoker(job, stage) or offline_policy(job, stage) == "cloud"


def has_invoker(job: Job, stage: Stage) -> bool:
    """Whether the job is invoked in the cloud, and never through the stub."""
    return stage.mode == "deployed" or not job.live


def offline_policy(job: Job, stage: Stage) -> str:
    """What the job's stub does when no daemon is connected: queue, error or cloud."""
    return job.offline or stage.offline


def is_live(function: Function, stage: Stage) -> bool:
    """Whether the function runs on the laptop, and what has its name in the cloud is a stub."""
    return stage.mode == "dev" and function.live


def has_code(function: Function, stage: Stage) -> bool:
    """Whether the function's own code is in the cloud."""
    return not is_live(function, stage) or function_policy(function, stage) == "cloud"


def function_policy(function: Function, stage: Stage) -> str:
    """What a live function's stub does when nobody runs `devbridge dev`: cloud or error. No caller
    of a function can be made to wait in a queue."""
    return function.offline or ("error" if stage.offline == "error" else "cloud")
