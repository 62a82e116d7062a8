"""What things are called in the cloud: one place, so that nobody guesses. Pure."""

from __future__ import annotations

import re
from typing import Final, Literal

from devbridge.config import STAGE, STAGE_ALLOWED
from devbridge.constructs import Construct
from devbridge.errors import InvalidValue

TEMPLATE_HASH: Final = "DevbridgeTemplate"
"""The output that holds the hash of the template that the stack was made from."""

MODE: Final = "DevbridgeMode"
"""The output that says whether the stage is one of `devbridge dev` or of `devbridge deploy`."""

BIND_ROLE: Final = "DevbridgeBindRole"
"""The output with the ARN of the role that `devbridge bind` assumes."""

STAMP: Final = "AWS::CloudFormation::WaitConditionHandle"
"""The type of the resource whose name has that hash. It is nothing, and costs nothing."""

_LAMBDA_LIMIT: Final = 64

Mode = Literal["dev", "deployed"]
"""Of a stage: its jobs run on the laptop of a developer, or in CodeBuild."""

Output = Literal["Url", "Table", "Bucket", "Queue", "Topic", "Function", "Role"]


def stack(app: str, stage: str) -> str:
    """The CloudFormation stack of one app and stage.

    Raises:
        InvalidValue: the stage's name is not allowed.
    """
    if not STAGE.fullmatch(stage):
        raise InvalidValue(
            f"the stage's name {stage!r} is not allowed",
            where=f"app {app!r}",
            remedy=f"allowed: {STAGE_ALLOWED}",
        )
    return f"devbridge-{app}-{stage}"


def logical(construct: Construct, suffix: str = "") -> str:
    """The CloudFormation id of (a part of) a construct, e.g. ``FactorialJobRole``."""
    return _camel(construct) + construct.type + suffix


def output(construct: Construct, what: Output) -> str:
    """The name of one of the stack's outputs, e.g. ``NotesTable``, ``ApiUrl``."""
    return _camel(construct) + what


def invoker(job: Construct, stage: str) -> str:
    """The name of a job's invoker function."""
    return _limited(job, f"{job.app.name}-{stage}-{job.name}-invoker")


def function(construct: Construct, stage: str) -> str:
    """The name of a Function's Lambda."""
    return _limited(construct, f"{construct.app.name}-{stage}-{construct.name}-fn")


def project(job: Construct, stage: str) -> str:
    """The name of a job's CodeBuild project."""
    return f"{job.app.name}-{stage}-{job.name}"


def invoker_log_group(app: str, stage: str) -> str:
    """The log group of all invokers."""
    return f"/aws/lambda/{app}-{stage}-invokers"


def asset_bucket(account: str, region: str) -> str:
    """The bucket that holds the zips of every app in one account and region."""
    return f"devbridge-assets-{account}-{region}"


def _camel(construct: Construct) -> str:
    words = re.split(r"[-_]", construct.name)
    return "".join(word[0].upper() + word[1:] for word in words)


def _limited(construct: Construct, name: str) -> str:
    if len(name) > _LAMBDA_LIMIT:
        raise InvalidValue(
            f"{construct}: its function's name {name!r} has {len(name)} characters",
            where=str(construct.where),
            remedy=f"AWS Lambda allows {_LAMBDA_LIMIT}: shorten the name of the app, the stage or "
            "the resource",
        )
    return name
