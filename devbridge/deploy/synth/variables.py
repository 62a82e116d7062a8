"""The environment variables of code that binds: in a template, and in this process. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from devbridge import names
from devbridge.constructs import (
    Api,
    Bindable,
    Bucket,
    Config,
    Function,
    Job,
    Queue,
    Secret,
    Table,
    Topic,
)
from devbridge.deploy.references import attribute, ref
from devbridge.job import JOB_NAME
from devbridge.resources import variable

Lookup = Callable[[Bindable, names.Output], Any]
"""What CloudFormation knows of a construct: a reference to it, or its value."""


def in_template(target: Bindable, what: names.Output) -> Any:
    """A reference, for a template."""
    title = names.logical(target)
    return attribute(title, "ApiEndpoint") if what == "Url" else ref(title)


def bound_variables(
    bind: Iterable[Bindable], stage: str, lookup: Lookup = in_template
) -> dict[str, Any]:
    """What `bind` puts into an environment, by the names of the variables."""
    return dict(_bound(target, stage, lookup) for target in bind)


def _bound(target: Bindable, stage: str, lookup: Lookup) -> tuple[str, Any]:
    prop: str
    value: Any
    match target:
        case Table():
            prop, value = "tableName", lookup(target, "Table")
        case Bucket():
            prop, value = "bucketName", lookup(target, "Bucket")
        case Queue():
            prop, value = "queueUrl", lookup(target, "Queue")
        case Topic():
            prop, value = "topicArn", lookup(target, "Topic")
        case Api():
            prop, value = "url", lookup(target, "Url")
        case Secret():
            prop, value = "parameterName", names.secret(target.app.name, stage, target.name)
        case Config():
            prop, value = "value", target.value
        # By name: what binds each other would depend on itself.
        case Function():
            prop, value = "functionName", names.function(target, stage)
        case Job():
            prop, value = "functionName", names.invoker(target, stage)
    return variable(target.type, prop, target.name), value


def job_variables(job: Job, stage: str) -> dict[str, str]:
    """What tells a job's process which job it is."""
    return {"DEVBRIDGE_APP": job.app.name, "DEVBRIDGE_STAGE": stage, JOB_NAME: job.name}
