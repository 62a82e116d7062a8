"""The table of who may run now, and who waits: only where a job says how many of its runs may go on
at the same time."""

from __future__ import annotations

from collections.abc import Iterable

from devbridge import names
from devbridge.constructs import Job
from devbridge.deploy.policies import Json, allow, of_service
from devbridge.deploy.references import arn
from devbridge.deploy.synth.stack import Stack

TITLE = "Turns"
_ACTIONS = of_service("dynamodb", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")


def takes_turns(job: Job) -> bool:
    """Whether the runs of a job that the cloud runs wait for each other."""
    return job.concurrency is not None


def add_table(stack: Stack, jobs: Iterable[Job]) -> None:
    """Add the table, if one of these jobs, which the cloud runs, needs it. What it holds is of
    running runs only: it goes with the stage."""
    from troposphere import dynamodb

    if not any(map(takes_turns, jobs)):
        return
    table = dynamodb.Table(
        TITLE,
        TableName=names.turns(stack.app.name, stack.stage),
        AttributeDefinitions=[
            dynamodb.AttributeDefinition(AttributeName=key, AttributeType="S")
            for key in ("job", "entry")
        ],
        KeySchema=[
            dynamodb.KeySchema(AttributeName="job", KeyType="HASH"),
            dynamodb.KeySchema(AttributeName="entry", KeyType="RANGE"),
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    table.DeletionPolicy = table.UpdateReplacePolicy = "Delete"
    stack.add("the turns of runs", table)


def grants(stack: Stack, jobs: Iterable[Job]) -> list[Json]:
    """What the invokers of these jobs need to hand turns on."""
    if not any(map(takes_turns, jobs)):
        return []
    table = names.turns(stack.app.name, stack.stage)
    return [allow(_ACTIONS, [arn("dynamodb", f"table/{table}")])]


def variables(stack: Stack, job: Job) -> dict[str, str]:
    """What a job's invoker is told of them."""
    if not takes_turns(job):
        return {}
    return {
        "DEVBRIDGE_CONCURRENCY": str(job.concurrency),
        "DEVBRIDGE_TURNS": names.turns(stack.app.name, stack.stage),
    }
