from __future__ import annotations

import pytest

from devbridge.cloud.session import Cloud
from devbridge.deploy.access import Access, Progress


def test_a_session_with_a_cloud_is_what_a_deployment_needs() -> None:
    def needs(_: Access) -> None: ...

    def checked(cloud: Cloud) -> None:
        needs(cloud)  # mypy, which is one of the tests, says whether it is

    wanted = [name for name in dir(Access) if not name.startswith("_")]
    assert sorted(wanted) == [
        "account",
        "client",
        "endpoint_url",
        "explained",
        "iot_endpoint",
        "principal_arn",
        "region",
    ]
    assert callable(checked)


def test_a_step_is_a_line_with_its_name_first() -> None:
    assert str(Progress("upload", "Job 'a', 12 bytes")) == "upload   Job 'a', 12 bytes"


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (
            "CREATE_COMPLETE",
            "",
            "create complete    AWS::SQS::Queue                  Queue 'orders'",
        ),
        (
            "DELETE_FAILED",
            "it is in use",
            "delete failed      AWS::SQS::Queue                  Queue 'orders': it is in use",
        ),
        (
            "UPDATE_COMPLETE",
            "not worth a word",
            "update complete    AWS::SQS::Queue                  Queue 'orders'",
        ),
        (
            "CREATE_FAILED",
            "",
            "create failed      AWS::SQS::Queue                  Queue 'orders'",
        ),
    ],
)
def test_a_resource_is_a_line_with_its_status_and_why_it_failed(
    status: str, reason: str, line: str
) -> None:
    kind, label = "AWS::SQS::Queue", "Queue 'orders'"
    progress = Progress("resource", label, type=kind, status=status, reason=reason)
    assert str(progress) == line
    assert progress.failed is status.endswith("FAILED")
