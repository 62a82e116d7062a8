from __future__ import annotations

import pytest
from botocore.stub import Stubber

from devbridge.deploy.changes import Change
from devbridge.deploy.contents import lost
from tests.unit.deploy.conftest import FakeCloud

TABLE = "AWS::DynamoDB::Table"


def gone(kind: str = TABLE, *, data: bool = True, kept: bool = False, name: str = "x") -> Change:
    return Change("remove", "X", kind, "X", data=data, kept=kept, physical_id=name)


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, ""), (1, "1 item"), (2, "2 items"), (999, "999 items"), (1000, "1,000 or more items")],
)
def test_what_is_lost_is_said_with_its_number(aws: FakeCloud, number: int, said: str) -> None:
    with Stubber(aws.client("dynamodb")) as dynamodb:
        dynamodb.add_response("scan", {"Count": number})
        assert lost(aws, gone()) == said


def test_what_is_gone_already_is_not_lost_again(aws: FakeCloud) -> None:
    assert lost(aws, gone()) == ""


@pytest.mark.parametrize("change", [gone(kept=True), gone(data=False)])
def test_nothing_is_lost_of_what_is_kept_or_holds_no_data(aws: FakeCloud, change: Change) -> None:
    with Stubber(aws.client("dynamodb")):  # which would fail if it were asked
        assert lost(aws, change) == ""


@pytest.mark.parametrize("change", [gone(name=""), gone("AWS::RDS::DBInstance")])
def test_what_nobody_can_look_into_has_its_data_lost(aws: FakeCloud, change: Change) -> None:
    assert lost(aws, change) == "its data"


def test_what_nobody_may_look_into_has_its_data_lost(aws: FakeCloud) -> None:
    with Stubber(aws.client("dynamodb")) as dynamodb:
        dynamodb.add_client_error("scan", "AccessDeniedException")
        assert lost(aws, gone()) == "its data"
