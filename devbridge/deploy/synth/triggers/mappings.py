"""Event source mappings: what reads queues and streams for a job's invoker, or a function."""

from __future__ import annotations

from typing import Any

from devbridge import names
from devbridge.constructs import Job
from devbridge.constructs.owners import Owner
from devbridge.deploy.references import ref
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers.called import called, is_there


def reads_itself(stack: Stack, owner: Owner) -> bool:
    """Whether the job's own function is what reads queues that hold messages until their runs have
    succeeded: on the laptop, the stub does."""
    return is_there(owner, stack.settings)


def add_mapping(
    stack: Stack, owner: Owner, title: str, *, itself: bool = False, **properties: Any
) -> None:
    """Have a job's invoker, or a function, called with what is read, or the job's own function
    `itself`; the answer names what is to come again. Workers read without a mapping."""
    from troposphere import awslambda

    if itself and isinstance(owner, Job) and owner.compute.workers:
        return
    mapping = awslambda.EventSourceMapping(
        title,
        FunctionName=ref(names.logical(owner, names.RUNNER) if itself else called(owner)),
        FunctionResponseTypes=["ReportBatchItemFailures"],
        # On a dev stage, `devbridge dev` enables a job's once it is there to take runs.
        Enabled=is_there(owner, stack.settings),
        **properties,
    )
    stack.add(str(owner), mapping, owner.tags)


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
