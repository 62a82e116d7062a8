"""Synth: the app becomes a CloudFormation template. Pure but for the slow import of troposphere.

The template of a dev stage has, per job, the CodeBuild project with its role (so that the role and
its ARN are the real ones) and the stub that stands in for the invoker; and the app's own functions,
tables and APIs. It is deterministic, and holds nothing that changes when the embedded cloud is
started again on another port.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devbridge.constructs import Api, App, Construct, Function, Job, Table
from devbridge.constructs.values import ENVIRONMENT_LIMIT
from devbridge.deploy import names
from devbridge.deploy.policies import (
    Json,
    allow,
    arn_of,
    attribute,
    document,
    dump,
    grants,
    logs_of,
    ref,
    sub,
)
from devbridge.deploy.principal import trust
from devbridge.errors import InvalidValue
from devbridge.job import JOB_NAME
from devbridge.protocol.messages import Topics
from devbridge.resources import variable

LOG_DAYS: Final = 14
STUB_HANDLER: Final = "stub_lambda/handler.handler"
STUB_TIMEOUT: Final = 10
"""Seconds."""
_COMPUTE: Final = {
    3 * 1024: "BUILD_GENERAL1_SMALL",
    7 * 1024: "BUILD_GENERAL1_MEDIUM",
    15 * 1024: "BUILD_GENERAL1_LARGE",
    145 * 1024: "BUILD_GENERAL1_2XLARGE",
}
_MACHINE: Final = {
    "x86_64": ("LINUX_CONTAINER", "aws/codebuild/amazonlinux-x86_64-standard:5.0"),
    "arm64": ("ARM_CONTAINER", "aws/codebuild/amazonlinux-aarch64-standard:3.0"),
}
_BUILDSPEC: Final = """\
version: 0.2
phases:
  build:
    commands:
      - echo 'this is a stage of devbridge dev, its jobs run on the laptop; deploy it to run here'
      - exit 1
"""


@dataclass(frozen=True, slots=True)
class Code:
    """Where the zip of a function is."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class Template:
    """A CloudFormation template, and who in app.py each of its resources belongs to."""

    body: str
    hash: str
    """Of the template; also one of the stack's outputs."""
    labels: Mapping[str, str]
    """Logical id -> construct as the user knows it, e.g. ``Job 'factorial'``."""


def synth(
    app: App,
    *,
    stage: str,
    principal_arn: str,
    iot_host: str,
    python: str,
    stub: Code,
    functions: Mapping[str, Code],
    offline: str = "queue",
) -> Template:
    """The template of a dev stage.

    Args:
        principal_arn: the developer, as the roles' trust policies name them (see `principal`).
        iot_host: name of the account's IoT endpoint, without a port.
        python: version of the functions' runtime, e.g. ``3.11``.
        stub, functions: the zips, those of the functions by the construct's name.
        offline: what the stubs do when no daemon is connected, unless the job says otherwise.

    Raises:
        InvalidValue: a name is too long, or an environment is over 4 KB.
    """
    made = _Synth(app, stage, f"python{python}", principal_arn)
    for table in app.of_type(Table):
        made.table(table)
    if jobs := app.of_type(Job):
        policies = {job.name: job.offline or offline for job in jobs}
        made.stub_role([job for job in jobs if policies[job.name] == "cloud"])
        for job in jobs:
            made.job(job)
            environment = {
                "DEVBRIDGE_IOT_ENDPOINT": iot_host,
                "DEVBRIDGE_OFFLINE": policies[job.name],
            }
            if policies[job.name] == "cloud":
                environment["DEVBRIDGE_PROJECT"] = names.project(job, stage)
            made.invoker(job, stub, environment)
    for function in app.of_type(Function):
        made.function(function, functions[function.name])
    for api in app.of_type(Api):
        made.api(api)
    return made.template()


class _Synth:
    """A template in the making."""

    def __init__(self, app: App, stage: str, runtime: str, principal_arn: str) -> None:
        import troposphere  # noqa: PLC0415

        self.app = app
        self.stage = stage
        self.runtime = runtime
        self.principal_arn = principal_arn
        self.topics = Topics(app.name, stage)
        self.labels: dict[str, str] = {}
        self.made = troposphere.Template(Description=f"devbridge app {app.name}, stage {stage}")

    def add(self, label: str, resource: Any) -> str:
        """Add a troposphere resource; return its logical id."""
        self.made.add_resource(resource)
        self.labels[resource.title] = label
        return str(resource.title)

    def output(self, construct: Construct, what: names.Output, value: Any) -> None:
        import troposphere  # noqa: PLC0415

        name, text = names.output(construct, what), f"{what} of {construct}"
        self.made.add_output(troposphere.Output(name, Description=text, Value=value))

    def template(self) -> Template:
        body = {"Resources": {}, **self.made.to_dict()}
        digest = hashlib.sha256(dump(body).encode()).hexdigest()
        # Something must change whenever the template does: outputs alone may be no change. It also
        # keeps the template of an empty app valid.
        body["Resources"][f"Template{digest[:16]}"] = {"Type": names.STAMP}
        stamp = {"Description": "hash of the template", "Value": digest}
        body.setdefault("Outputs", {})[names.TEMPLATE_HASH] = stamp
        return Template(dump(body), digest, self.labels)

    def table(self, table: Table) -> None:
        from troposphere import dynamodb  # noqa: PLC0415

        keys = [key for key in (table.partition_key, table.sort_key) if key]
        title = self.add(
            str(table),
            dynamodb.Table(
                names.logical(table),
                AttributeDefinitions=[
                    dynamodb.AttributeDefinition(AttributeName=key, AttributeType="S")
                    for key in keys
                ],
                KeySchema=[
                    dynamodb.KeySchema(AttributeName=key, KeyType=kind)
                    for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                BillingMode="PAY_PER_REQUEST",
            ),
        )
        self.output(table, "Table", ref(title))

    def job(self, job: Job) -> None:
        from troposphere import codebuild  # noqa: PLC0415

        label, name = str(job), names.project(job, self.stage)
        log_group = self.log_group(job, f"/aws/codebuild/{name}")
        role = self.role(
            label,
            names.logical(job, "Role"),
            [trust("codebuild.amazonaws.com"), trust(self.principal_arn)],
            [*grants(job.bind, job.permissions), logs_of(log_group)],
        )
        machine, image = _MACHINE[job.architecture]
        title = self.add(
            label,
            codebuild.Project(
                names.logical(job, "Project"),
                Name=name,
                Description=f"devbridge job {job.name}",
                Artifacts=codebuild.Artifacts(Type="NO_ARTIFACTS"),
                Source=codebuild.Source(Type="NO_SOURCE", BuildSpec=_BUILDSPEC),
                Environment=codebuild.Environment(
                    Type=machine,
                    Image=image,
                    ComputeType=_COMPUTE[job.memory_mb],
                    EnvironmentVariables=[
                        codebuild.EnvironmentVariable(Name=key, Value=value)
                        for key, value in self.environment(
                            job, job_environment(job, self.stage)
                        ).items()
                    ],
                ),
                LogsConfig=codebuild.LogsConfig(
                    CloudWatchLogs=codebuild.CloudWatchLogs(
                        Status="ENABLED", GroupName=ref(log_group)
                    )
                ),
                ServiceRole=arn_of(role),
                TimeoutInMinutes=math.ceil(job.timeout.total_seconds() / 60),
            ),
        )
        self.output(job, "Project", arn_of(title))
        self.output(job, "Role", arn_of(role))

    def stub_role(self, started_in_the_cloud: Sequence[Job]) -> None:
        def arn(kind: str, resource: str) -> Any:
            base = "arn:${AWS::Partition}:iot:${AWS::Region}:${AWS::AccountId}"
            return sub(f"{base}:{kind}/{resource}")

        incoming = (self.topics.replies("*"), self.topics.presence)
        logs = [names.logical(job, "InvokerLogs") for job in self.app.of_type(Job)]
        # By name: by reference, a job that binds a job would depend on itself.
        account = "arn:${AWS::Partition}:codebuild:${AWS::Region}:${AWS::AccountId}"
        projects = [
            sub(f"{account}:project/{names.project(job, self.stage)}")
            for job in started_in_the_cloud
        ]
        self.role(
            "the stubs",
            "StubRole",
            [trust("lambda.amazonaws.com")],
            [
                allow(["iot:Connect"], [arn("client", self.topics.stub_client_id("*"))]),
                allow(["iot:Publish"], [arn("topic", self.topics.requests)]),
                allow(["iot:Subscribe"], [arn("topicfilter", topic) for topic in incoming]),
                allow(["iot:Receive"], [arn("topic", topic) for topic in incoming]),
                logs_of(*logs),
                *([allow(["codebuild:StartBuild"], projects)] if projects else []),
            ],
        )

    def invoker(self, job: Job, code: Code, environment: Mapping[str, str]) -> None:
        name = names.invoker(job, self.stage)
        self.log_group(job, f"/aws/lambda/{name}", "InvokerLogs")
        title = self.lambda_function(
            job,
            names.logical(job, "Invoker"),
            FunctionName=name,
            Description=f"forwards job {job.name} to devbridge dev",
            Handler=STUB_HANDLER,
            code=code,
            Role=arn_of("StubRole"),
            Timeout=STUB_TIMEOUT,
            MemorySize=256,
            DependsOn=names.logical(job, "InvokerLogs"),
            environment={
                "DEVBRIDGE_APP": self.app.name,
                "DEVBRIDGE_STAGE": self.stage,
                "DEVBRIDGE_JOB": job.name,
                **environment,
            },
        )
        self.output(job, "Invoker", ref(title))

    def function(self, function: Function, code: Code) -> None:
        name = names.function(function, self.stage)
        log_group = self.log_group(function, f"/aws/lambda/{name}")
        role = self.role(
            str(function),
            names.logical(function, "Role"),
            [trust("lambda.amazonaws.com")],
            [*grants(function.bind, function.permissions), logs_of(log_group)],
        )
        self.lambda_function(
            function,
            names.logical(function),
            FunctionName=name,
            Handler=str(function.handler),
            code=code,
            Role=arn_of(role),
            Timeout=math.ceil(function.timeout.total_seconds()),
            MemorySize=function.memory_mb,
            DependsOn=log_group,
            Architectures=[function.architecture],
            environment=self.environment(function, {}),
        )

    def api(self, api: Api) -> None:
        from troposphere import apigatewayv2, awslambda  # noqa: PLC0415

        label = str(api)
        title = self.add(
            label,
            apigatewayv2.Api(
                names.logical(api),
                Name=f"{self.app.name}-{self.stage}-{api.name}",
                ProtocolType="HTTP",
            ),
        )
        integrations: dict[str, str] = {}
        for route in api.routes:
            target = names.logical(route.function)
            if target not in integrations:
                integrations[target] = self.add(
                    label,
                    apigatewayv2.Integration(
                        f"{title}To{target}",
                        ApiId=ref(title),
                        IntegrationType="AWS_PROXY",
                        IntegrationUri=arn_of(target),
                        PayloadFormatVersion="2.0",
                    ),
                )
                account = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}"
                self.add(
                    label,
                    awslambda.Permission(
                        f"{title}May{target}",
                        Action="lambda:InvokeFunction",
                        FunctionName=ref(target),
                        Principal="apigateway.amazonaws.com",
                        SourceArn=sub(f"{account}:${{{title}}}/*"),
                    ),
                )
            # The id must not depend on the order of the routes, nor hold what ids may not.
            digest = hashlib.sha256(route.key.encode()).hexdigest()[:8]
            self.add(
                f"{label}, route {route.key!r}",
                apigatewayv2.Route(
                    f"{title}Route{digest}",
                    ApiId=ref(title),
                    RouteKey=route.key,
                    Target=sub(f"integrations/${{{integrations[target]}}}"),
                ),
            )
        self.add(
            label,
            apigatewayv2.Stage(
                f"{title}Stage", ApiId=ref(title), StageName="$default", AutoDeploy=True
            ),
        )
        self.output(api, "Url", attribute(title, "ApiEndpoint"))

    def lambda_function(
        self, construct: Construct, title: str, *, code: Code, environment: Json, **properties: Any
    ) -> str:
        from troposphere import awslambda  # noqa: PLC0415

        size = sum(
            len(key) + (len(value) if isinstance(value, str) else 255)
            for key, value in environment.items()
        )
        if size > ENVIRONMENT_LIMIT:
            raise InvalidValue(
                f"{construct}: environment and binds take about {size} bytes",
                where=str(construct.where),
                remedy=f"AWS Lambda allows {ENVIRONMENT_LIMIT}: bind or set less",
            )
        return self.add(
            str(construct),
            awslambda.Function(
                title,
                Runtime=self.runtime,
                Code=awslambda.Code(S3Bucket=code.bucket, S3Key=code.key),
                Environment=awslambda.Environment(Variables=environment),
                **properties,
            ),
        )

    def log_group(self, construct: Construct, name: str, suffix: str = "Logs") -> str:
        from troposphere import logs  # noqa: PLC0415

        title = names.logical(construct, suffix)
        group = logs.LogGroup(title, LogGroupName=name, RetentionInDays=LOG_DAYS)
        return self.add(str(construct), group)

    def role(
        self, label: str, title: str, trusted: Sequence[Json], statements: Sequence[Json]
    ) -> str:
        from troposphere import iam  # noqa: PLC0415

        return self.add(
            label,
            iam.Role(
                title,
                AssumeRolePolicyDocument=document(trusted),
                Policies=[iam.Policy(PolicyName="devbridge", PolicyDocument=document(statements))],
            ),
        )

    def environment(self, code: Job | Function, own: Mapping[str, str]) -> Json:
        """What `bind` and `environment` put into a process, with references to what is bound."""
        result: Json = {**own, **code.environment}
        for target in code.bind:
            if isinstance(target, Table):
                result[variable("Table", "tableName", target.name)] = ref(names.logical(target))
            else:
                key = variable("Job", "functionName", target.name)
                result[key] = names.invoker(target, self.stage)
        return result


def job_environment(job: Job, stage: str) -> dict[str, str]:
    """What tells a job's process which job it is."""
    return {"DEVBRIDGE_APP": job.app.name, "DEVBRIDGE_STAGE": stage, JOB_NAME: job.name}
