from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import (
    App,
    Batch,
    Bucket,
    Container,
    Fargate,
    Job,
    Lambda,
    OnEvent,
    OnObject,
    Queue,
    Secret,
    Topic,
)
from devbridge.constructs.app import loading
from devbridge.deploy import checks
from devbridge.deploy.access import Progress
from devbridge.deploy.changes import all_added
from devbridge.deploy.plan import Plan
from devbridge.deploy.request import Request
from devbridge.deploy.secrets import set_secret
from devbridge.errors import DeployError, InvalidValue
from devbridge.names import Mode
from tests.unit.deploy.conftest import FakeCloud
from tests.unit.deploy.templates import made


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
    request = Request(app, aws, stage="ann", mode="dev", on_progress=told.append)
    checks.say_what_is_unbounded(request)
    assert told == []  # AWS refuses it by itself
    aws.endpoint_url = "http://127.0.0.1:5000"
    checks.say_what_is_unbounded(request)
    assert [p.text for p in told] == [
        f"no policy {missing} here: the roles it should bound are not bounded"
    ]


def test_without_a_secrets_value_nothing_is_deployed(app: App, aws: FakeCloud) -> None:
    for name in ("api-key", "set", "token"):
        Secret(app, name)
    set_secret(aws, "demo", "prod", "set", "x")
    with pytest.raises(DeployError) as caught:
        checks.check_secrets(Request(app, aws, stage="prod", mode="deployed", local=True))
    assert caught.value.what == "secrets without a value: api-key, token"
    assert caught.value.where == "devbridge-demo--prod-"
    assert caught.value.remedy == (
        "set them first:\n"
        "    devbridge secrets set api-key --stage prod --local\n"
        "    devbridge secrets set token --stage prod --local"
    )


def test_in_dev_a_secret_can_get_its_value_while_it_runs(app: App, aws: FakeCloud) -> None:
    Secret(app, "api-key")
    told: list[Progress] = []
    checks.check_secrets(Request(app, aws, stage="ann", mode="dev", on_progress=told.append))
    assert [str(p) for p in told] == [
        "warning  secret 'api-key' has no value: devbridge secrets set api-key --stage ann"
    ]


def test_a_stack_of_an_old_name_is_told_of(app: App, aws: FakeCloud) -> None:
    told: list[Progress] = []
    request = Request(app, aws, stage="dev", mode="dev", on_progress=told.append)
    checks.say_what_is_old("devbridge-demo--dev-", request)
    assert not told
    checks.say_what_is_old("devbridge-demo-dev", request)
    assert "stack devbridge-demo-dev keeps its old name" in told[0].text


def short(root: Path, **options: object) -> App:
    """An app whose jobs may take 10 seconds, 4 minutes and 5."""
    with loading(root):
        app = App("demo")
        for name, timeout in (("a", "10 seconds"), ("b", "4 minutes"), ("c", "5 minutes")):
            Job(app, name, timeout=timeout, **options)  # type: ignore[arg-type]
    return app


def test_a_timeout_that_codebuild_does_not_have_is_for_stages_of_dev_alone(
    root: Path, aws: FakeCloud
) -> None:
    app, told = short(root, handler="jobs/a.handler"), list[Progress]()
    checks.check_timeouts(Request(app, aws, stage="ann", mode="dev", on_progress=told.append))
    assert told == []
    with pytest.raises(InvalidValue) as caught:
        checks.check_timeouts(Request(app, aws, stage="prod", mode="deployed"))
    error = caught.value
    assert error.what == (
        "a timeout is too short for a deployed stage: Job 'a': 10 seconds, Job 'b': 4 minutes"
    )
    assert str(error.where).count("test_checks.py:") == 2
    assert str(error.remedy).startswith("allowed there: 5 minutes to 36 hours in CodeBuild; ")
    assert "devbridge dev --timeout '10 seconds'" in str(error.remedy)


@pytest.mark.parametrize(
    ("options", "offline", "said"),
    [
        ({}, "queue", False),
        ({}, "cloud", True),
        ({"offline": "cloud"}, "queue", True),
        ({"enable_live_dev": False}, "queue", True),
    ],
)
def test_what_codebuild_makes_of_a_containers_short_timeout_is_said_where_it_may_run_it(
    root: Path, aws: FakeCloud, options: dict[str, object], offline: str, said: bool
) -> None:
    (root / "image").mkdir(exist_ok=True)
    (root / "image" / "Dockerfile").write_text("FROM scratch")
    container = Container("image", cmd=["run"])
    app = short(root, runtime="container", container=container, **options)
    told: list[Progress] = []
    request = Request(app, aws, stage="ann", mode="dev", offline=offline, on_progress=told.append)
    checks.check_timeouts(request)
    expected = [
        f"Job {name!r}: in CodeBuild it may take 5 minutes, the least that there is; {timeout}"
        " holds on this machine"
        for name, timeout in (("a", "10 seconds"), ("b", "4 minutes"))
    ]
    assert [progress.text for progress in told] == (expected if said else [])


def test_the_least_timeout_is_that_of_each_jobs_place(root: Path, aws: FakeCloud) -> None:
    with loading(root):
        app = App("demo")
        for name, compute in (("b", Batch()), ("f", Fargate()), ("l", Lambda())):
            Job(app, name, handler="jobs/a.handler", compute=compute, timeout="59 seconds")
        Job(app, "c", handler="jobs/a.handler", timeout="59 seconds")
    with pytest.raises(InvalidValue) as caught:
        checks.check_timeouts(Request(app, aws, stage="prod", mode="deployed"))
    assert caught.value.what.endswith(": Job 'b': 59 seconds, Job 'c': 59 seconds")
    assert str(caught.value.remedy).startswith(
        "allowed there: 1 minute to 14 days in Batch, 5 minutes to 36 hours in CodeBuild; "
    )


@pytest.mark.parametrize(
    ("mode", "options", "offline", "said"),
    [
        ("deployed", {}, "queue", True),
        ("dev", {}, "queue", False),
        ("dev", {}, "cloud", True),
        ("dev", {"enable_live_dev": False}, "queue", True),
    ],
)
def test_what_could_be_better_is_said_where_aws_runs_the_job(
    root: Path, aws: FakeCloud, mode: Mode, options: dict[str, Any], offline: str, said: bool
) -> None:
    with loading(root):
        app = App("demo")
        Job(app, "a", handler="jobs/a.handler", compute=Batch(memory="8 GB"), **options)
    told: list[Progress] = []
    request = Request(app, aws, stage="x", mode=mode, offline=offline, on_progress=told.append)
    checks.say_hints(request)
    assert [str(each).startswith("warning  Job 'a': memory='8 GB'") for each in told] == [
        True
    ] * said


def test_a_mail_that_aws_writes_to_confirm_is_said_once(app: App, aws: FakeCloud) -> None:
    Topic(app, "ops", subscribers=["ops@example.com", "https://example.com", Queue(app, "q")])
    template = made(app)
    added = all_added(json.loads(template.body), template.labels)
    told: list[Progress] = []
    request = Request(app, aws, stage="s", mode="dev", on_progress=told.append)
    checks.say_who_confirms(request, Plan("s", "c", True, added), template)
    assert [each.text for each in told] == [
        "Topic 'ops', subscriber 'ops@example.com': AWS sends a mail; until its link is followed,"
        " it gets no other"
    ]
    aws.endpoint_url = "http://127.0.0.1:5000"  # which writes to nobody
    checks.say_who_confirms(request, Plan("s", "c", True, added), template)
    assert len(told) == 1


def test_of_a_bucket_that_exists_it_is_said_once_that_it_may_tell_nothing(
    root: Path, aws: FakeCloud
) -> None:
    with loading(root):
        app = App("demo")
        theirs = Bucket.existing(app, "files", arn="arn:aws:s3:::the-files")
        triggers = [OnObject(theirs), OnObject(Bucket(app, "own")), OnEvent({"source": ["shop"]})]
        Job(app, "a", handler="jobs/a.handler", triggers=triggers)
    template = made(app)
    added = all_added(json.loads(template.body), template.labels)
    told: list[Progress] = []
    request = Request(app, aws, stage="s", mode="dev", on_progress=told.append)
    checks.say_what_is_unheard(request, Plan("s", "c", True, added), template)
    assert [each.text for each in told] == [
        "Job 'a': OnObject hears nothing of bucket the-files unless its owner has turned on"
        " EventBridge's notifications: see docs/triggers.md"
    ]
    checks.say_what_is_unheard(request, Plan("s", "c", True, ()), template)
    assert len(told) == 1
