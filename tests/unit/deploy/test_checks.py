from __future__ import annotations

import json
from pathlib import Path

from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.deploy import checks
from devbridge.deploy.access import Progress
from tests.unit.deploy.conftest import FakeCloud


def test_a_boundary_that_the_embedded_cloud_does_not_have_is_said_not_to_bound(
    root: Path, aws: FakeCloud
) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = aws.client("iam")
    there = iam.create_policy(PolicyName="there", PolicyDocument=document)["Policy"]["Arn"]
    missing = there.replace("there", "missing")
    with loading(root):
        app = App("demo", permissions_boundary=missing)
        Job(app, "a", handler="jobs/a.handler", permissions_boundary=there)
    told: list[Progress] = []
    checks.say_what_is_unbounded(aws, app, told.append)
    assert told == []  # AWS refuses it by itself
    aws.endpoint_url = "http://127.0.0.1:5000"
    checks.say_what_is_unbounded(aws, app, told.append)
    assert [p.text for p in told] == [f"no policy {missing} here: its roles are not bounded"]
