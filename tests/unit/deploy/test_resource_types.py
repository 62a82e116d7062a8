from __future__ import annotations

import pytest

from devbridge.deploy.kinds import KINDS, resource_types
from devbridge.deploy.resource_types import FOREIGN

TABLE = "AWS::DynamoDB::Table"
REPLACING = {
    known.name: known.replacing for known in resource_types() if known.replacing is not None
}


@pytest.mark.parametrize("kind", sorted(REPLACING))
def test_what_replaces_is_what_the_resource_types_schema_says(kind: str) -> None:
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # a second, in each of pytest's processes

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    paths = schema.get("createOnlyProperties") or []
    expected = {path.removeprefix("/properties/") for path in paths}
    # Parts of properties: a template's comparison knows whole ones.
    expected = {name for name in expected if "/" not in name}
    if kind == TABLE:
        # The schema calls the one conditional; the reference says of the other: "Replacement".
        expected |= {"KeySchema", "LocalSecondaryIndexes"}
    assert REPLACING[kind] == expected


def test_what_an_app_can_have_besides_its_constructs_is_no_constructs() -> None:
    made = {each.name for kind in KINDS for each in kind.makes}
    assert len([*resource_types()]) == len(made) + len(FOREIGN)
    assert not made & {each.name for each in FOREIGN}


def test_what_can_be_left_over_is_told_from_others_by_its_service() -> None:
    left = [each.leftover for each in resource_types() if each.leftover]
    assert sorted(each.tagged for each in left) == [
        *("cognito-idp:userpool", "dynamodb:table", "elasticfilesystem:file-system"),
        *("kinesis:stream", "logs:log-group", "s3", "sqs"),
    ]
    assert len({each.service for each in left}) == len(left)


def test_what_holds_data_is_kept_in_mind() -> None:
    holds = {each.name for each in resource_types() if each.holds_data}
    assert {TABLE, "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::RDS::DBInstance"} <= holds
    assert not holds & {"AWS::SNS::Topic", "AWS::Logs::LogGroup", "AWS::Lambda::Function"}
