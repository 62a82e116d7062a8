"""What workers have not of their roles, compared with what a function's role has for its stub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from devbridge import names
from devbridge.constructs import App, Bucket, Function
from devbridge.constructs.app import loading
from devbridge.live.roles import without_bridge
from devbridge.protocol.messages import Topics
from tests.unit.deploy.templates import made, statements

ACCOUNT, REGION = "123456789012", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/devbridge/demo/dev/f"
LIMIT = 2048
"""Characters: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""


def denied(action: str, resource: str) -> bool:
    document = json.loads(without_bridge(Topics("demo", "dev"), ACCOUNT, REGION, ROLE))
    allows, *denies = document["Statement"]
    assert allows == {"Effect": "Allow", "Action": "*", "Resource": "*"}
    assert {each["Effect"] for each in denies} == {"Deny"}
    return any(
        fnmatchcase(action, each["Action"]) and fnmatchcase(resource, on)
        for each in denies
        for on in each["Resource"]
    )


def rights(root: Path, **options: Any) -> Iterator[tuple[str, str]]:
    """What the function's role may, where the ARN is known."""
    with loading(root):
        app = App("demo")
        files = Bucket(app, "files")
        Function(app, "f", handler="handler.handler", bind=[files], **options)
    known = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}
    for statement in statements(made(app), "FFunctionRole"):
        for resource in statement["Resource"]:
            text = resource.get("Fn::Sub", json.dumps(resource))
            for name, value in known.items():
                text = text.replace(f"${{{name}}}", value)
            text = text.replace(":::assets/", f":::{names.asset_bucket(ACCOUNT, REGION)}/")
            yield from ((action, text) for action in statement["Action"])


def test_workers_have_what_the_function_has_and_nothing_of_its_stub(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("def handler(event, context): ...\n")
    own, live = set(rights(tmp_path, enable_live_dev=False)), set(rights(tmp_path))
    assert [each for each in own if denied(*each)] == []
    writes_its_log = {each for each in live if "FunctionStubLogs" in each[1]}
    assert len(writes_its_log) == 2
    of_the_stub = live - own - writes_its_log
    assert {action.partition(":")[0] for action, _ in of_the_stub} == {"iot", "s3", "lambda"}
    assert [each for each in of_the_stub if not denied(*each)] == []


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iot:Publish", f"arn:aws:iot:{REGION}:{ACCOUNT}:topic/sensors/1"),
        ("iot:Publish", f"arn:aws:iot:{REGION}:{ACCOUNT}:topic/devbridge/demo/dev-2/calls"),
        ("s3:GetObject", f"arn:aws:s3:::{names.asset_bucket(ACCOUNT, REGION)}/calls/demo/dev-2/x"),
        ("s3:GetObject", "arn:aws:s3:::mine/calls/demo/dev/x"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:demo_dev_f-fn"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:demo_dev-2_f-cp"),
    ],
)
def test_what_the_app_may_give_to_its_functions_they_have(action: str, resource: str) -> None:
    assert not denied(action, resource)


def test_it_is_of_the_roles_partition_and_fits_whatever_the_names() -> None:
    role = ROLE.replace(":aws:", ":aws-us-gov:")
    text = without_bridge(Topics("a" * 32, "s" * 32), ACCOUNT, "us-gov-east-1", role)
    assert "arn:aws:" not in text
    assert len(text) < LIMIT
