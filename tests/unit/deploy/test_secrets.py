from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from devbridge.constructs import App, Config, Secret
from devbridge.deploy.secrets import (
    MAX_BYTES,
    get_secret,
    listed,
    missing,
    remove_all,
    remove_secret,
    set_secret,
    stored,
    versions,
)
from devbridge.errors import DeployError, InvalidValue, NotFound
from tests.unit.deploy.conftest import FakeCloud


def values(aws: FakeCloud) -> dict[str, str]:
    """All parameters, decrypted."""
    pages = aws.client("ssm").get_paginator("get_parameters_by_path")
    found = pages.paginate(Path="/", Recursive=True, WithDecryption=True)
    return {each["Name"]: each["Value"] for page in found for each in page["Parameters"]}


def test_a_value_is_stored_encrypted_tagged_and_in_place_of_the_last_one(aws: FakeCloud) -> None:
    for value in ("old", "ключ\n"):
        set_secret(aws, "demo", "dev", "api-key", value)
    name = "/devbridge/demo/dev/secrets/api-key"
    assert values(aws) == {name: "ключ\n"}
    ssm = aws.client("ssm")
    (found,) = ssm.describe_parameters()["Parameters"]
    assert (found["Type"], found["KeyId"]) == ("SecureString", "alias/aws/ssm")
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "devbridge:app": "demo",
        "devbridge:stage": "dev",
    }


def test_a_value_is_encrypted_with_the_key_that_is_named(aws: FakeCloud) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/1"
    set_secret(aws, "demo", "dev", "api-key", "x", key)
    (found,) = aws.client("ssm").describe_parameters()["Parameters"]
    assert found["KeyId"] == key


@pytest.mark.parametrize("value", ["", "x" * (MAX_BYTES + 1), "ü" * (MAX_BYTES // 2) + "x"])
def test_a_value_that_ssm_would_not_take_is_refused(aws: FakeCloud, value: str) -> None:
    with pytest.raises(InvalidValue, match=f"has {len(value.encode())} bytes"):
        set_secret(aws, "demo", "dev", "api-key", value)
    assert values(aws) == {}


@pytest.mark.parametrize("value", ["x", "x" * MAX_BYTES])
def test_a_value_of_1_to_4096_bytes_is_stored(aws: FakeCloud, value: str) -> None:
    set_secret(aws, "demo", "dev", "api-key", value)
    assert get_secret(aws, "demo", "dev", "api-key") == value


def test_a_value_that_is_not_set_says_how_to_set_it(aws: FakeCloud) -> None:
    set_secret(aws, "demo", "prod", "api-key", "x")
    with pytest.raises(NotFound, match="devbridge secrets set api-key --stage dev"):
        get_secret(aws, "demo", "dev", "api-key")


def test_a_value_is_removed_once(aws: FakeCloud) -> None:
    set_secret(aws, "demo", "dev", "api-key", "x")
    assert remove_secret(aws, "demo", "dev", "api-key")
    assert not remove_secret(aws, "demo", "dev", "api-key")
    assert values(aws) == {}


def test_all_of_a_stage_are_removed_and_no_others(aws: FakeCloud) -> None:
    set_secret(aws, "demo", "prod", "k", "x")
    for number in range(12):  # more than SSM deletes at once
        set_secret(aws, "demo", "dev", f"k{number:02}", "x")
    assert remove_all(aws, "demo", "dev") == [f"k{number:02}" for number in range(12)]
    assert list(values(aws)) == ["/devbridge/demo/prod/secrets/k"]
    assert remove_all(aws, "demo", "dev") == []


def test_the_names_of_those_with_a_value_are_sorted_and_nothing_is_decrypted(
    aws: FakeCloud,
) -> None:
    with Stubber(aws.client("ssm")) as ssm:
        expected = {"Path": "/devbridge/demo/dev/secrets/", "WithDecryption": False}
        for names, more in (("b", {"NextToken": "2"}), ("a", {})):
            found: Any = [{"Name": f"/devbridge/demo/dev/secrets/{name}"} for name in names]
            wanted = expected if more else {**expected, "NextToken": "2"}
            ssm.add_response("get_parameters_by_path", {"Parameters": found, **more}, wanted)
        assert stored(aws, "demo", "dev") == ["a", "b"]


def test_a_new_value_has_another_version(aws: FakeCloud) -> None:
    name = "/devbridge/demo/dev/secrets/api-key"
    assert versions(aws, "demo", "dev") == {}
    set_secret(aws, "demo", "dev", "api-key", "x")
    first = versions(aws, "demo", "dev")
    assert versions(aws, "demo", "dev") == first
    set_secret(aws, "demo", "dev", "api-key", "x")
    assert versions(aws, "demo", "dev")[name] != first[name]


def test_who_may_not_ask_for_versions_is_told_so(aws: FakeCloud) -> None:
    with Stubber(aws.client("ssm")) as ssm:
        ssm.add_client_error("get_parameters_by_path", "AccessDeniedException", "no")
        with pytest.raises(DeployError, match="AWS refuses GetParametersByPath: no") as caught:
            versions(aws, "demo", "dev")
    assert isinstance(caught.value.__cause__, ClientError)


def test_what_is_missing_is_what_the_app_has_and_the_stage_has_not(
    app: App, aws: FakeCloud
) -> None:
    for name in ("api-key", "token"):
        Secret(app, name)
    Config(app, "colour", value="red")
    set_secret(aws, "demo", "dev", "token", "x")
    set_secret(aws, "demo", "dev", "of-an-earlier-app", "x")
    assert listed(aws, app, "dev") == {"api-key": False, "token": True}
    assert missing(aws, app, "dev") == ["api-key"]
    assert missing(aws, app, "prod") == ["api-key", "token"]


def test_an_app_without_secrets_asks_nobody(app: App) -> None:
    cloud = FakeCloud()
    assert missing(cloud, app, "dev") == []
    assert not cloud.clients
