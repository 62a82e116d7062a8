from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devbridge.constructs import App, FileSystem, Job, Vpc
from devbridge.constructs.app import loading
from devbridge.constructs.compute import Fargate
from devbridge.deploy.request import Request
from devbridge.deploy.settings import settings_of, version_of
from devbridge.deploy.synth import Settings
from devbridge.errors import InterpreterError
from devbridge.names import Mode
from devbridge.transport.base import Endpoint
from tests.unit.deploy.conftest import FakeCloud

VERSION = version_of(Path(sys.executable))


def test_a_stage_of_dev_trusts_the_developer_and_knows_the_broker(app: App) -> None:
    found = settings_of(Request(app, FakeCloud(), stage="ann", mode="dev", offline="error"))
    assert found == Settings(
        stage="ann",
        principal_arn="arn:aws:iam::123456789012:user/ann",
        iot_host="a1-ats.iot.eu-west-1.amazonaws.com",
        python=VERSION,
        mode="dev",
        offline="error",
        tls=True,
    )


def test_a_deployed_stage_trusts_nobody_and_nobody_is_asked(app: App) -> None:
    cloud = FakeCloud(endpoint_url="http://127.0.0.1:1")
    found = settings_of(Request(app, cloud, stage="prod", mode="deployed"))
    assert (found.principal_arn, found.iot_host, found.tls) == ("", "", False)
    assert not cloud.clients


def test_the_brokers_host_has_no_port(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    local = Endpoint("127.0.0.1:1883", "us-east-1")
    monkeypatch.setattr(FakeCloud, "iot_endpoint", lambda _: local)
    found = settings_of(Request(app, FakeCloud(), stage="ann", mode="dev"))
    assert found.iot_host == "127.0.0.1"


def test_another_interpreters_version_is_asked_for(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    assert version_of(python) == version_of(Path(sys.executable))


def test_this_interpreters_version_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbridge.deploy.settings.verify_interpreter", None)
    major, minor, *_ = sys.version_info
    assert version_of(Path(sys.executable)) == f"{major}.{minor}"


def test_an_interpreter_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InterpreterError):
        version_of(tmp_path / "python")


@pytest.mark.parametrize(
    ("mode", "offline", "asked"),
    [("deployed", "queue", True), ("dev", "cloud", True), ("dev", "queue", False)],
)
def test_the_default_vpc_is_asked_for_where_a_job_needs_it(
    mode: Mode, offline: str, asked: bool, root: Path, aws: FakeCloud
) -> None:
    with loading(root):
        app = App("demo")
        Job(app, "a", handler="jobs/a.handler", compute=Fargate())
    request = Request(app, aws, stage="ann", mode=mode, offline=offline)
    assert (settings_of(request).network is not None) == asked


@pytest.mark.parametrize(
    ("mode", "count", "asked"), [("deployed", 2, True), ("deployed", 1, False), ("dev", 2, False)]
)
def test_zones_are_asked_for_where_a_file_system_may_have_two_subnets_in_one(
    mode: Mode, count: int, asked: bool, root: Path, aws: FakeCloud
) -> None:
    there = aws.client("ec2").describe_subnets()["Subnets"][:count]
    subnets = [each["SubnetId"] for each in there]
    with loading(root):
        app = App("demo")
        vpc = Vpc(there[0]["VpcId"], subnets=subnets, security_groups=["sg-0123456789abcdef0"])
        FileSystem(app, "files", vpc=vpc)
    zones = settings_of(Request(app, aws, stage="ann", mode=mode)).zones
    expected = {each["SubnetId"]: each["AvailabilityZone"] for each in there}
    assert zones == (expected if asked else {})
