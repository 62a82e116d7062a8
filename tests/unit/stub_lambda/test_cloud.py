from __future__ import annotations

import json
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.stub import Stubber

from devbridge.errors import CloudError, PayloadTooLarge
from devbridge.protocol import codec
from devbridge.protocol.messages import Run
from devbridge.transport.base import Endpoint
from stub_lambda import cloud
from stub_lambda.settings import Settings

SETTINGS = Settings("app", "dev", "factorial", Endpoint("h", "eu-west-1"), "cloud", "project")


def a_run(payload: bytes) -> Run:
    return Run(
        request_id=codec.new_id(),
        stub_id=codec.new_id(),
        sent_at=1.0,
        job="factorial",
        job_id=codec.new_id(),
        payload=payload,
    )


def test_a_build_is_started_once_for_a_run() -> None:
    run = a_run(b'{"num":5}')
    client = boto3.client(
        "codebuild", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    expected: dict[str, Any] = {
        "projectName": "project",
        "idempotencyToken": run.job_id,
        "environmentVariablesOverride": [
            {"name": "DEVBRIDGE_PAYLOAD", "value": '{"num":5}', "type": "PLAINTEXT"}
        ],
    }
    with Stubber(client) as stub, mock.patch("boto3.client", return_value=client):
        stub.add_response("start_build", {"build": {"id": "project:1"}}, expected)
        assert cloud.start_build(SETTINGS, run) == "project:1"


def test_a_payload_that_a_build_cannot_take_is_refused() -> None:
    with pytest.raises(PayloadTooLarge, match="a build takes 8192"):
        cloud.start_build(SETTINGS, a_run(b"x" * 8193))


def test_what_is_json_and_no_text_is_escaped() -> None:
    run = a_run(codec.dump_json({"half": "\ud800", "face": "\U0001f642"}))
    client = mock.Mock()
    client.start_build.return_value = {"build": {"id": "project:1"}}
    with mock.patch("boto3.client", return_value=client):
        cloud.start_build(SETTINGS, run)
    (variable,) = client.start_build.call_args.kwargs["environmentVariablesOverride"]
    assert variable["value"] == '{"half":"\\ud800","face":"\U0001f642"}'
    assert json.loads(variable["value"]) == {"half": "\ud800", "face": "\U0001f642"}


def test_a_build_that_is_refused_is_an_error_that_names_the_project() -> None:
    client = boto3.client(
        "codebuild", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stub, mock.patch("boto3.client", return_value=client):
        stub.add_client_error("start_build", "AccessDeniedException", "not you")
        with pytest.raises(CloudError, match="not you") as caught:
            cloud.start_build(SETTINGS, a_run(b"0"))
    assert caught.value.where == "project"
