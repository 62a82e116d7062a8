from __future__ import annotations

import errno
import json
import os
from http import HTTPStatus
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from devbridge.console import model, refused
from devbridge.errors import (
    CloudNotRunning,
    CredentialsError,
    DevbridgeError,
    InvalidValue,
    InvokeError,
    NotDeployed,
    PayloadNotJson,
    UnknownJob,
    UnknownRun,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnknownRun("no run"), 404),
        (UnknownJob("no job"), 404),
        (NotDeployed("no stage"), 409),
        (refused.Conflict("others"), 409),
        (InvalidValue("no value"), 400),
        (PayloadNotJson("no JSON"), 400),
        (CloudNotRunning("no cloud"), 502),
        (CredentialsError("no credentials"), 502),
        (InvokeError("no answer"), 502),
        (DevbridgeError("nothing"), 500),
    ],
)
def test_an_error_has_its_status_and_says_what_and_what_to_do(
    error: DevbridgeError, status: int
) -> None:
    error.where, error.remedy = "there", "do it"
    found, body = refused.by(error)
    assert found == status
    told = json.loads(body)["error"]
    assert (told["type"], told["message"]) == (type(error).__name__, error.what)
    assert (told["where"], told["remedy"]) == ("there", "do it")


def test_a_payload_that_is_not_json_has_its_place() -> None:
    error = PayloadNotJson("the payload is not JSON: line 2, column 7: expecting value\n  x\n  ^")
    told = json.loads(refused.by(error)[1])["error"]
    assert (told["line"], told["column"]) == (2, 7)


def test_a_body_that_is_not_as_documented_is_told() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(b'{"job": 1}', type=model.Invocation)
    status, body = refused.by(caught.value)
    assert status is HTTPStatus.BAD_REQUEST
    assert "$.job" in json.loads(body)["error"]["message"]


def test_what_aws_says_is_told_and_a_defect_is_not() -> None:
    answer: Any = {"Error": {"Code": "Throttling", "Message": "slow down"}}
    status, body = refused.by(ClientError(answer, "Invoke"))
    assert status is HTTPStatus.BAD_GATEWAY
    assert "slow down" in json.loads(body)["error"]["message"]
    status, body = refused.by(ZeroDivisionError("secret"))
    assert status is HTTPStatus.INTERNAL_SERVER_ERROR
    assert b"secret" not in body
    assert refused.status(HTTPStatus.NOT_FOUND)[0] is HTTPStatus.NOT_FOUND


def test_a_file_that_cannot_be_used_is_said_with_its_place() -> None:
    status, body = refused.by(PermissionError(13, "Permission denied", "/app/a.json"))
    error = json.loads(body)["error"]
    assert (status, error["where"]) == (500, "/app/a.json")
    assert error["message"] == "/app/a.json cannot be used: Permission denied"
    assert error["remedy"]


def test_a_full_disk_is_told_as_the_terminal_tells_it() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/app/.devbridge-payloads/a/b.new")
    told = json.loads(refused.by(full)[1])["error"]
    assert told["type"] == "FolderError"
    assert told["where"] == "/app/.devbridge-payloads/a/b.new"
    assert "No space left on device" in told["message"]
    assert told["remedy"]
