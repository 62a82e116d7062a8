from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.stub import Stubber

from devbridge import deploy as deployment
from devbridge.constructs import App
from devbridge.deploy import facade, names
from devbridge.errors import DeployError, InvalidValue, NotDeployed
from tests.unit.deploy.conftest import FakeCloud
from tests.unit.deploy.test_plan import stack

LOCAL = "http://127.0.0.1:5000"


@pytest.fixture
def cloudformation(aws: FakeCloud) -> Iterator[Stubber]:
    with Stubber(aws.client("cloudformation")) as stub:
        yield stub


def outputs(**values: str) -> list[dict[str, str]]:
    return [{"OutputKey": key, "OutputValue": value} for key, value in values.items()]


def test_outputs_have_the_urls_first_and_hide_the_hash(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    given = outputs(ATable="t", ApiUrl="https://x", **{names.TEMPLATE_HASH: "h"})
    cloudformation.add_response("describe_stacks", {"Stacks": [stack(Outputs=given)]})
    found = deployment.outputs(aws, "demo", "dev")
    assert list(found.items()) == [("ApiUrl", "https://x"), ("ATable", "t")]


def test_a_url_of_the_embedded_cloud_has_its_port_of_today(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    given = outputs(ApiUrl="http://a1.execute-api.localhost:4000")
    cloudformation.add_response("describe_stacks", {"Stacks": [stack(Outputs=given)]})
    aws.endpoint_url = LOCAL
    found = deployment.outputs(aws, "demo", "dev")
    assert found == {"ApiUrl": "http://a1.execute-api.localhost:5000"}


def test_a_stage_that_is_not_there_says_what_to_do(aws: FakeCloud, cloudformation: Stubber) -> None:
    cloudformation.add_client_error("describe_stacks", "ValidationError", "... does not exist")
    with pytest.raises(NotDeployed, match="devbridge dev"):
        deployment.outputs(aws, "demo", "dev")


def test_what_aws_refuses_names_the_call_and_who_asked(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    cloudformation.add_client_error("describe_stacks", "AccessDenied", "not authorized")
    with pytest.raises(DeployError) as caught:
        deployment.remove(aws, "demo", "dev", lambda _: None)
    assert "AWS refuses DescribeStacks: not authorized" in str(caught.value)
    assert "user/ann, region eu-west-1" in str(caught.value)


@pytest.mark.parametrize("stage", ["", "Dev", "a_b", "x" * 33])
def test_a_stages_name_is_checked_before_anything_is_asked(app: App, stage: str) -> None:
    with pytest.raises(InvalidValue, match="the stage's name"):
        deployment.deploy(app, FakeCloud(), stage=stage, on_progress=lambda _: None)


def test_another_interpreters_version_is_asked_for(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    assert facade._version(python) == facade._version(Path(sys.executable))
