"""What the tests of CodeBuild on the embedded cloud share."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from devbridge.cloud.session import Cloud
from tests.waiting import eventually

ROLE = "builder"
PROJECT = "project"
GROUP = f"/aws/codebuild/{PROJECT}"
IMAGE = "aws/codebuild/standard:7.0"


def conforms(shape: Any, value: Any, path: str = "$") -> None:
    """Assert that the JSON value is what botocore's service model says, with nothing besides."""
    kind = shape.type_name
    if kind == "structure":
        assert isinstance(value, dict), path
        assert set(value) <= set(shape.members), (path, set(value) - set(shape.members))
        required = set(shape.required_members) - {"startedAt"}  # of a job, which AWS leaves out
        assert required <= set(value), path
        for key, item in value.items():
            conforms(shape.members[key], item, f"{path}.{key}")
    elif kind == "list":
        assert isinstance(value, list), path
        for index, item in enumerate(value):
            conforms(shape.member, item, f"{path}[{index}]")
    elif kind == "timestamp":
        assert type(value) in (int, float), path
    elif kind in ("integer", "long"):
        assert type(value) is int, path
    elif kind == "boolean":
        assert isinstance(value, bool), path
    elif kind == "map":
        for key, item in value.items():
            conforms(shape.value, item, f"{path}.{key}")
    elif kind == "string":
        assert isinstance(value, str), path
        assert value in (getattr(shape, "enum", None) or [value]), (path, value)
        assert len(value) >= shape.metadata.get("min", 0), path
    else:
        raise AssertionError(f"{path}: {kind}")


def buildspec(*build: str, **more: Any) -> str:
    """A buildspec (JSON is YAML) whose build phase has those commands."""
    phases = {"build": {"commands": list(build)}, **more.pop("phases", {})}
    return json.dumps({"version": 0.2, "phases": phases, **more})


class CodeBuild:
    """The CodeBuild of an embedded cloud, each of whose answers is checked against the model."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.client = cloud.client("codebuild")
        self.client.meta.events.register("after-call.codebuild.*", self._check)
        self.make_role()

    @staticmethod
    def _check(http_response: Any, model: Any, **_: Any) -> None:
        if http_response.status_code == 200:
            conforms(model.output_shape, json.loads(http_response.content))

    def make_role(
        self, name: str = ROLE, *statements: Mapping[str, Any], trusts: str = "codebuild"
    ) -> str:
        """Make, or change, a role that may write the project's log; its ARN."""
        iam = self.cloud.client("iam")
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": f"{trusts}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=json.dumps(
                    {"Version": "2012-10-17", "Statement": [trust]}
                ),
            )
        logs = {
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [f"arn:aws:logs:*:*:log-group:{GROUP}{end}" for end in ("", ":*")],
        }
        document = {"Version": "2012-10-17", "Statement": [logs, *statements]}
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(document))
        return f"arn:aws:iam::000000000000:role/{name}"

    def make_project(self, spec: str = "", **settings: Any) -> None:
        """Make `PROJECT`, with a source of its own or just the buildspec."""
        environment = {
            "type": "LINUX_CONTAINER",
            "image": settings.pop("image", IMAGE),
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": settings.pop("variables", []),
        }
        self.client.create_project(
            **{
                "name": PROJECT,
                "source": {"type": "NO_SOURCE", "buildspec": spec},
                "artifacts": {"type": "NO_ARTIFACTS"},
                "environment": environment,
                "serviceRole": f"arn:aws:iam::000000000000:role/{ROLE}",
                **settings,
            }
        )

    def start(self, **overrides: Any) -> str:
        build_id: str = self.client.start_build(projectName=PROJECT, **overrides)["build"]["id"]
        return build_id

    def get(self, build_id: str) -> Any:
        (build,) = self.client.batch_get_builds(ids=[build_id])["builds"]
        return build

    def ended(self, build_id: str, seconds: float = 30) -> Any:
        """The build, when it has ended."""
        eventually(lambda: self.get(build_id)["buildComplete"], seconds)
        return self.get(build_id)

    def run(self, spec: str | None = None, **overrides: Any) -> Any:
        """Run a build of the project, with that buildspec if there is one; its record."""
        if spec is not None:
            overrides["buildspecOverride"] = spec
        return self.ended(self.start(**overrides))

    def lines(self, build: Any, *, own: bool = False) -> list[str]:
        """What the build has printed; with `own`, what CodeBuild has said, without the time."""
        events = self.events(build)
        if own:
            return [
                text.split(" ", 3)[3][:-1] for text in events if text.startswith("[Container] ")
            ]
        return [text.removesuffix("\n") for text in events if not text.startswith("[Container] ")]

    def log(self, build: Any) -> str:
        """All of the build's log."""
        return "".join(self.events(build))

    def events(self, build: Any) -> list[str]:
        logs, where = self.cloud.client("logs"), build["logs"]
        found: list[str] = []
        page = {"nextForwardToken": ""}
        while True:
            token = {"nextToken": page["nextForwardToken"]} if page["nextForwardToken"] else {}
            page = logs.get_log_events(
                logGroupName=where["groupName"],
                logStreamName=where["streamName"],
                startFromHead=True,
                **token,
            )
            if not page["events"]:
                return found
            found += [event["message"] for event in page["events"]]


def put_zip(cloud: Cloud, files: Mapping[str, str], bucket: str = "sources") -> str:
    """Put a zip of the files into a new bucket; its location."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=bucket)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o755 if text.startswith("#!") else 0o644) << 16
            archive.writestr(info, text)
    s3.put_object(Bucket=bucket, Key="a/b.zip", Body=body.getvalue())
    return f"{bucket}/a/b.zip"


def allow(actions: str | Sequence[str], *resources: str) -> dict[str, Any]:
    """One statement of a policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def phase(build: Any, name: str) -> Any:
    """One phase of a build's record."""
    (found,) = [each for each in build["phases"] if each["phaseType"] == name]
    return found


def context(build: Any, name: str) -> tuple[str, str]:
    """Code and message of a phase."""
    (found,) = phase(build, name)["contexts"]
    return found["statusCode"], found["message"]


def statuses(build: Any) -> dict[str, str | None]:
    """Each phase and its status, in order."""
    return {each["phaseType"]: each.get("phaseStatus") for each in build["phases"]}
