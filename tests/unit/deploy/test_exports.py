from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from devbridge.deploy.exports import check_unused
from devbridge.errors import DeployError
from tests.unit.deploy.cloudformation import Script, stack
from tests.unit.deploy.conftest import FakeCloud

EXPORTED = stack(
    Outputs=[
        {"OutputKey": "Url", "OutputValue": "1"},
        {"OutputKey": "Jobs", "OutputValue": "2", "ExportName": "jobs"},
    ]
)


def test_a_stack_that_exports_nothing_is_not_asked_about() -> None:
    check_unused(FakeCloud(), stack())


def test_what_nobody_imports_may_go(aws: FakeCloud) -> None:
    script = Script(aws.client("cloudformation"))
    text = "Export 'jobs' is not imported by any stack."
    script.stub.add_client_error("list_imports", "ValidationError", text)
    with script.stub:
        check_unused(aws, EXPORTED)
    script.stub.assert_no_pending_responses()


def test_what_another_stack_imports_may_not(aws: FakeCloud) -> None:
    script = Script(aws.client("cloudformation"))
    script.stub.add_response("list_imports", {"Imports": ["shop", "web"]}, {"ExportName": "jobs"})
    with script.stub, pytest.raises(DeployError) as caught:
        check_unused(aws, EXPORTED)
    assert caught.value.what == "what the stack exports as 'jobs' is imported by shop, web"
    assert "Fn::ImportValue" in str(caught.value.remedy)


def test_who_may_not_ask_is_told_so(aws: FakeCloud) -> None:
    script = Script(aws.client("cloudformation"))
    script.stub.add_client_error("list_imports", "AccessDenied", "not authorized")
    with script.stub, pytest.raises(ClientError, match="not authorized"):
        check_unused(aws, EXPORTED)
