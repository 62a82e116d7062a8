from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.stub import Stubber

from devbridge import deploy as deployment
from devbridge import names
from devbridge.deploy.deployed import values_of
from devbridge.errors import DeployError, NotDeployed
from tests.unit.deploy.cloudformation import stack
from tests.unit.deploy.conftest import FakeCloud


@pytest.fixture
def cloudformation(aws: FakeCloud) -> Iterator[Stubber]:
    with Stubber(aws.client("cloudformation")) as stub:
        yield stub


def outputs(**values: str) -> list[dict[str, str]]:
    return [{"OutputKey": key, "OutputValue": value} for key, value in values.items()]


def test_outputs_have_the_urls_first_and_hide_the_hash(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    own = {names.TEMPLATE_HASH: "h", names.MODE: "dev", names.BIND_ROLE: "arn:r"}
    given = outputs(ATable="t", ApiUrl="https://x", **own)
    cloudformation.add_response("describe_stacks", {"Stacks": [stack(Outputs=given)]})
    found = deployment.outputs(aws, "demo", "dev")
    assert list(found.items()) == [("ApiUrl", "https://x"), ("ATable", "t")]


def test_what_aws_calls_the_resources_of_a_stage_is_known(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    for _ in range(2):
        cloudformation.add_response("describe_stacks", {"Stacks": [stack()]})
    known = {"ResourceType": "AWS::SQS::Queue", "LastUpdatedTimestamp": 0}
    listed = [
        {
            "LogicalResourceId": "A",
            "PhysicalResourceId": "a-1",
            "ResourceStatus": "CREATE_COMPLETE",
        },
        {
            "LogicalResourceId": "B",
            "PhysicalResourceId": "b-1",
            "ResourceStatus": "DELETE_COMPLETE",
        },
        {"LogicalResourceId": "C", "ResourceStatus": "CREATE_IN_PROGRESS"},
    ]
    found = [{**known, **each} for each in listed]
    cloudformation.add_response("list_stack_resources", {"StackResourceSummaries": found})
    assert deployment.resources(aws, "demo", "dev") == {"A": "a-1"}


def test_a_url_of_the_embedded_cloud_has_its_port_of_today(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    given = outputs(
        ApiUrl="http://a1.execute-api.localhost:4000",
        WorkQueue="http://localhost:4000/000000000000/work",
        NewsTopic="arn:aws:sns:us-east-1:000000000000:news",
        OtherUrl="http://example.com/x",
    )
    cloudformation.add_response("describe_stacks", {"Stacks": [stack(Outputs=given)]})
    aws.endpoint_url = "http://127.0.0.1:5000"
    found = deployment.outputs(aws, "demo", "dev")
    assert found == {
        "ApiUrl": "http://a1.execute-api.localhost:5000",
        "WorkQueue": "http://localhost:5000/000000000000/work",
        "NewsTopic": "arn:aws:sns:us-east-1:000000000000:news",
        "OtherUrl": "http://example.com/x",
    }


@pytest.mark.parametrize(
    ("found", "mode"),
    [
        ({names.MODE: "deployed"}, "deployed"),
        ({names.MODE: "dev"}, "dev"),
        ({names.TEMPLATE_HASH: "of an earlier version"}, "dev"),
    ],
)
def test_a_stage_says_what_it_is(
    found: dict[str, str], mode: str, aws: FakeCloud, cloudformation: Stubber
) -> None:
    cloudformation.add_response("describe_stacks", {"Stacks": [stack(Outputs=outputs(**found))]})
    assert deployment.stage_mode(aws, "demo", "dev") == mode


def test_a_stage_that_is_not_there_has_no_mode(aws: FakeCloud, cloudformation: Stubber) -> None:
    for _ in ("its name", "the one that an older devbridge gave it"):
        cloudformation.add_client_error("describe_stacks", "ValidationError", "... does not exist")
    assert deployment.stage_mode(aws, "demo", "dev") is None
    for status in ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"):
        half = stack(StackStatus=status)
        cloudformation.add_response("describe_stacks", {"Stacks": [half]})
        assert deployment.stage_mode(aws, "demo", "dev") is None


def test_a_stage_that_is_not_there_says_what_to_do(aws: FakeCloud, cloudformation: Stubber) -> None:
    for _ in ("its name", "the one that an older devbridge gave it"):
        cloudformation.add_client_error("describe_stacks", "ValidationError", "... does not exist")
    with pytest.raises(NotDeployed, match="devbridge dev"):
        deployment.outputs(aws, "demo", "dev")


def test_what_aws_refuses_names_the_call_and_who_asked(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    cloudformation.add_client_error("describe_stacks", "AccessDenied", "not authorized")
    with pytest.raises(DeployError) as caught:
        deployment.outputs(aws, "demo", "dev")
    assert "AWS refuses DescribeStacks: not authorized" in str(caught.value)
    assert "user/ann, region eu-west-1" in str(caught.value)


def test_the_stage_of_an_older_devbridge_has_to_be_deployed_once_more(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    now = {names.NAMING: names.NAMING_VERSION}
    for given in ({}, {names.NAMING: "older"}, now):
        described = stack(Outputs=outputs(**given))
        cloudformation.add_response("describe_stacks", {"Stacks": [described]})
    for _ in ("none", "an older one"):
        with pytest.raises(NotDeployed) as caught:
            deployment.check_naming(aws, "demo", "dev")
        assert caught.value.where == "app 'demo'"
        assert caught.value.remedy
        assert "devbridge deploy --stage dev" in caught.value.remedy
    deployment.check_naming(aws, "demo", "dev")
    deployment.require_naming(now, "demo", "dev")


def test_the_names_of_a_stage_that_is_not_there_are_not_wrong(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    cloudformation.add_response("describe_stacks", {"Stacks": [stack("ROLLBACK_COMPLETE")]})
    deployment.check_naming(aws, "demo", "dev")


def test_who_may_not_ask_for_a_stage_is_not_told_that_its_names_are_wrong(
    aws: FakeCloud, cloudformation: Stubber
) -> None:
    cloudformation.add_client_error("describe_stacks", "AccessDenied", "not authorized")
    deployment.check_naming(aws, "demo", "dev")


@pytest.mark.parametrize(
    ("endpoint_url", "local"),
    [(None, False), ("http://127.0.0.1:5000", True)],
)
def test_where_a_stage_was_looked_for_is_said_with_what_else_there_is(
    aws: FakeCloud, cloudformation: Stubber, endpoint_url: str | None, local: bool
) -> None:
    for _ in ("its name", "the one that an older devbridge gave it"):
        cloudformation.add_client_error("describe_stacks", "ValidationError", "... does not exist")
    aws.endpoint_url = endpoint_url
    with pytest.raises(NotDeployed) as caught:
        deployment.stack_values(aws, "demo", "dev")
    assert caught.value.what == "app 'demo' is not deployed to stage 'dev'"
    assert caught.value.where == (endpoint_url or "account 123456789012, region eu-west-1")
    assert caught.value.remedy
    assert ("the embedded cloud with --local" in caught.value.remedy) is not local
    assert ("`devbridge deploy --local`" in caught.value.remedy) is local


@pytest.mark.parametrize(
    ("endpoint_url", "url", "reached"),
    [
        ("http://127.0.0.1:5000", "http://a.localhost:4000/x?y=1", "http://a.localhost:5000/x?y=1"),
        ("http://127.0.0.1:5000", "https://a.localhost:4000", "https://a.localhost:4000"),
        ("http://127.0.0.1:5000", "http://a.localhost", "http://a.localhost"),
        ("http://127.0.0.1", "http://a.localhost:4000", "http://a.localhost:4000"),
        (None, "http://a.localhost:4000", "http://a.localhost:4000"),
    ],
)
def test_only_a_url_of_plain_http_with_a_port_is_that_of_the_embedded_cloud(
    endpoint_url: str | None, url: str, reached: str
) -> None:
    cloud = FakeCloud(endpoint_url=endpoint_url)
    assert values_of(cloud, stack(Outputs=outputs(ApiUrl=url))) == {"ApiUrl": reached}
    assert values_of(cloud, None) == {}
