"""Event source mappings: what reads queues and streams for a job's invoker."""

from __future__ import annotations

from typing import Any

from devbridge import names
from devbridge.constructs import Job
from devbridge.deploy.references import ref
from devbridge.deploy.synth.placement import has_invoker
from devbridge.deploy.synth.stack import Stack


def reads_itself(stack: Stack, job: Job) -> bool:
    """Whether the job's own function is what reads queues that hold messages until their runs have
    succeeded: on the laptop, the stub does."""
    return has_invoker(job, stack.settings)


def add_mapping(
    stack: Stack, job: Job, title: str, *, itself: bool = False, **properties: Any
) -> None:
    """Have a job's invoker called with what is read, or its own function `itself`; the answer names
    what is to come again."""
    from troposphere import awslambda

    mapping = awslambda.EventSourceMapping(
        title,
        FunctionName=ref(names.logical(job, names.RUNNER if itself else "Invoker")),
        FunctionResponseTypes=["ReportBatchItemFailures"],
        # On a dev stage, `devbridge dev` enables it once it is there to take runs.
        Enabled=has_invoker(job, stack.settings),
        **properties,
    )
    stack.add(str(job), mapping, job.tags)


def scaling(most: int) -> Any:
    """How many invokers may read at the same time."""
    from troposphere import awslambda, validators

    # Troposphere 4.11 has another type's properties under this name.
    properties = {"props": {"MaximumConcurrency": (validators.integer, False)}}
    made: Any = type("ScalingConfig", (awslambda.ScalingConfig,), properties)
    return made(MaximumConcurrency=most)


def filters(criteria: str) -> Any:
    """What is not passed over."""
    from troposphere import awslambda

    return awslambda.FilterCriteria(Filters=[awslambda.Filter(Pattern=criteria)])
