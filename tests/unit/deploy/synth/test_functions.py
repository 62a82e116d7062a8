"""Functions: each option in the template."""

from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.constructs import (
    App,
    Function,
    Job,
    Vpc,
)
from devbridge.constructs.app import loading
from tests.unit.deploy.templates import allowed, lint, made, properties


def test_a_function_has_all_of_its_options(root: Path) -> None:
    vpc = Vpc(
        "vpc-0123456789abcdef0",
        subnets=["subnet-0123456789abcdef0"],
        security_groups=["sg-0123456789abcdef0"],
    )
    with loading(root):
        app = App("demo")
        Function(
            app,
            "f",
            handler="api/start.handler",
            runtime="python3.13",
            architecture="arm64",
            memory_size="1 GB",
            timeout="2 minutes",
            environment={"AB": "c"},
            log_retention="30 days",
            vpc=vpc,
            tags={"team": "web"},
        )
    template = made(app, mode="deployed")
    assert lint(template) == []
    function = properties(template, "FFunction")
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert (function["MemorySize"], function["Timeout"]) == (1024, 120)
    assert function["Environment"]["Variables"] == {"AB": "c"}
    assert function["VpcConfig"] == {
        "SubnetIds": list(vpc.subnets),
        "SecurityGroupIds": list(vpc.security_groups),
    }
    assert function["Tags"] == [{"Key": "team", "Value": "web"}]
    assert properties(template, "FFunctionLogs")["RetentionInDays"] == 30
    assert "ec2:CreateNetworkInterface" in allowed(template, "FFunctionRole")


def test_a_function_without_a_runtime_has_the_apps_python(root: Path) -> None:
    with loading(root):
        app = App("demo")
        Function(app, "f", handler="api/start.handler")
    template = made(app, python="3.12", mode="deployed")
    assert properties(template, "FFunction")["Runtime"] == "python3.12"
    assert "VpcConfig" not in properties(template, "FFunction")


def test_a_python_that_devbridge_has_not_heard_of_is_named_all_the_same(root: Path) -> None:
    with loading(root):
        app = App("demo")
        Function(app, "f", handler="api/start.handler")
        Job(app, "a", handler="jobs/a.handler")
    template = made(app, python="3.99", mode="deployed")
    assert properties(template, "FFunction")["Runtime"] == "python3.99"
    assert properties(template, "AJobProject")["Environment"]["Image"].endswith("/python:3.99")


@pytest.mark.parametrize("mode", ["dev", "deployed"])
@pytest.mark.parametrize("reserved", [0, 5, None])
def test_what_is_reserved_for_a_function_is_zero_too(
    root: Path, reserved: int | None, mode: str
) -> None:
    with loading(root):
        app = App("demo")
        Function(app, "f", handler="api/start.handler", reserved_concurrency=reserved)
    template = made(app, mode=mode)
    assert lint(template) == []
    assert properties(template, "FFunction").get("ReservedConcurrentExecutions") == reserved
