"""What things are called in the cloud: one place, so that nobody guesses. Pure.

An IAM policy can name what belongs to one app, or to one of its stages, and nothing else: names of
apps and stages have single hyphens only, so ``--`` ends them in a stack's name (and in all that
CloudFormation names after it), ``_`` ends them in those of functions, projects and log groups, and
``/`` wherever paths are allowed. ``devbridge-hello--*`` is not ``devbridge-hello-world--*``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from devbridge.config import STAGE, STAGE_ALLOWED
from devbridge.errors import InvalidValue

if TYPE_CHECKING:
    from devbridge.constructs import Construct

TEMPLATE_HASH: Final = "DevbridgeTemplate"
"""The output that holds the hash of the template that the stack was made from."""

MODE: Final = "DevbridgeMode"
"""The output that says whether the stage is one of `devbridge dev` or of `devbridge deploy`."""

NAMING: Final = "DevbridgeNaming"
"""The output with the version of this module's rules that the stage was deployed with."""
NAMING_VERSION: Final = "2"

BIND_ROLE: Final = "DevbridgeBindRole"
"""The output with the ARN of the role that `devbridge bind` assumes."""

COPY: Final = "Copy"
"""What the logical name ends with of the function that has a live function's deployed code."""

RUNNER: Final = "Runner"
"""What the logical name of the function that runs a job ends with, where it is one."""

STAMP: Final = "AWS::CloudFormation::WaitConditionHandle"
"""The type of the resource whose name has that hash. It is nothing, and costs nothing."""

OF_TESTS: Final = "pytest"
"""The stage of a test session, on a cloud of its own."""

_LAMBDA_LIMIT: Final = 64

Mode = Literal["dev", "deployed"]
"""Of a stage: its jobs run on the laptop of a developer, or in the cloud."""


def stack(app: str, stage: str) -> str:
    """The CloudFormation stack of one app and stage.

    Raises:
        InvalidValue: the stage's name is not allowed.
    """
    _check_stage(app, stage)
    return f"devbridge-{app}--{stage}-"


def old_stack(app: str, stage: str) -> str:
    """The stack's name before it could be told apart from other apps': stages that have it keep it.

    ``a`` with stage ``b-c`` and ``a-b`` with stage ``c`` have the same one; tags tell whose it is.

    Raises:
        InvalidValue: the stage's name is not allowed.
    """
    _check_stage(app, stage)
    return f"devbridge-{app}-{stage}"


def _check_stage(app: str, stage: str) -> None:
    if not STAGE.fullmatch(stage):
        raise InvalidValue(
            f"the stage's name {stage!r} is not allowed",
            where=f"app {app!r}",
            remedy=f"allowed: {STAGE_ALLOWED}",
        )


def path(app: str, stage: str) -> str:
    """The path of the roles and policies of one app and stage."""
    return f"/devbridge/{app}/{stage}/"


def logical(construct: Construct, suffix: str = "") -> str:
    """The CloudFormation id of (a part of) a construct, e.g. ``FactorialJobRole``."""
    return _camel(construct) + construct.type + suffix


def output(construct: Construct, what: str) -> str:
    """The name of one of the stack's outputs, e.g. ``NotesTable``, ``ApiUrl``."""
    return _camel(construct) + what


def invoker(job: Construct, stage: str) -> str:
    """The name of a job's invoker function."""
    return _limited(job, f"{job.app.name}_{stage}_{job.name}-invoker")


def function(construct: Construct, stage: str) -> str:
    """The name of a Function's Lambda."""
    return _limited(construct, f"{construct.app.name}_{stage}_{construct.name}-fn")


def function_copy(construct: Construct, stage: str) -> str:
    """The name of the Lambda with the deployed code of a Function that runs on the laptop: as long
    as `function`, so that who has room for one has room for both."""
    return _limited(construct, f"{construct.app.name}_{stage}_{construct.name}-cp")


def function_copies(app: str, stage: str) -> str:
    """What the names of all of a stage's are like, as IAM has it."""
    return f"{app}_{stage}_*-cp"


def stubs_log_group(app: str, stage: str) -> str:
    """The log group of the stubs of live functions."""
    return f"/aws/lambda/{app}_{stage}_stubs"


def function_log_group(construct: Construct, stage: str) -> str:
    """The log group of a Function."""
    return f"/aws/lambda/{function(construct, stage)}"


def project(job: Construct, stage: str) -> str:
    """The name of what runs a job, and what the ids of its runs begin with."""
    return f"{job.app.name}_{stage}_{job.name}"


def stage_of(project: str) -> str:
    """The stage that such a name has in it; empty if it is none."""
    return project.partition("_")[2].partition("_")[0]


def job_log_group(job: Construct, stage: str) -> str:
    """The log group of a job's runs: CodeBuild's by its name, whatever runs the job. So a job that
    moves keeps its logs, and one that an older devbridge has deployed its log group."""
    return f"/aws/codebuild/{project(job, stage)}"


def job_function(job: Construct, stage: str) -> str:
    """The name of the Lambda function that runs a job."""
    return _limited(job, f"{job.app.name}_{stage}_{job.name}-job")


def cluster(app: str, stage: str) -> str:
    """The name of a stage's ECS cluster."""
    return f"{app}_{stage}"


def schedules(app: str, stage: str) -> str:
    """The group of EventBridge Scheduler that has a stage's runs for a later time."""
    return f"{app}_{stage}"


def turns(app: str, stage: str) -> str:
    """The table that says which runs of a stage's jobs may run now, and which wait."""
    return f"{app}_{stage}_turns"


def invoker_log_group(app: str, stage: str) -> str:
    """The log group of all invokers."""
    return f"/aws/lambda/{app}_{stage}_invokers"


def api_log_group(api: Construct, stage: str) -> str:
    """The log group of an API's access log; "vendedlogs" has room in CloudWatch's own policy."""
    return f"/aws/vendedlogs/{api.app.name}_{stage}_{api.name}"


def fifo_topic(topic: Construct, stage: str) -> str:
    """The name of a FIFO topic, as CloudFormation would make it, if its names ended right."""
    return f"{stack(topic.app.name, stage)}-{topic.name}.fifo"


def event_bus(bus: Construct, stage: str) -> str:
    """The name of an event bus, which CloudFormation does not make."""
    return f"{bus.app.name}_{stage}_{bus.name}"


def secrets(app: str, stage: str) -> str:
    """The folder of SSM parameters with the values of a stage's secrets; it ends with a slash."""
    return f"/devbridge/{app}/{stage}/secrets/"


def secret(app: str, stage: str, name: str) -> str:
    """The SSM parameter with the value of one secret."""
    return f"{secrets(app, stage)}{name}"


def asset_bucket(account: str, region: str) -> str:
    """The bucket that holds the zips of every app in one account and region."""
    return f"devbridge-assets-{account}-{region}"


def asset(app: str, file: str) -> str:
    """The key of a zip in that bucket; who may write it, decides what the app runs."""
    return f"assets/{app}/{file}"


def template(app: str, file: str) -> str:
    """The key of a template that is deployed."""
    return f"templates/{app}/{file}"


def compared(app: str, file: str) -> str:
    """The key of a template that `diff` asks CloudFormation about; nothing runs from there."""
    return f"diffs/{app}/{file}"


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
