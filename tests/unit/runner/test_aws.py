from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest

from runner import aws
from runner.aws import AwsError, Conflict
from tests.unit.runner.scripted import Server


def refusal(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode()


def test_an_object_is_asked_for_by_its_encoded_key(server: Server) -> None:
    server.answers = [(200, b"{}")]
    assert aws.get_object("bucket", "payloads/a b+ü.json") == b"{}"
    ((method, path, headers, _),) = server.requests
    assert (method, path) == ("GET", "/bucket/payloads/a%20b%2B%C3%BC.json")
    assert "Credential=AKIA/" in headers["authorization"]


@pytest.mark.parametrize("answer", [(404, refusal("NoSuchKey")), (403, refusal("AccessDenied"))])
def test_an_object_that_is_not_there_may_be_looked_for(
    server: Server, answer: tuple[int, bytes]
) -> None:
    server.answers = [answer, (200, b"1")]
    assert aws.find_object("b", "k") is None, "who may not list the bucket gets the second answer"
    assert aws.find_object("b", "k") == (b"1", "")


def test_an_object_that_cannot_be_looked_for_is_an_error(server: Server) -> None:
    server.answers = [(400, refusal("ExpiredToken"))]
    with pytest.raises(AwsError, match="ExpiredToken"):
        aws.find_object("b", "k")


@pytest.mark.parametrize(
    ("answer", "conflicts"),
    [
        ((412, refusal("PreconditionFailed")), True),
        ((404, refusal("NoSuchKey")), True),
        ((404, refusal("NoSuchBucket")), False),
        ((403, refusal("AccessDenied")), False),
    ],
)
def test_a_write_whose_condition_does_not_hold_is_a_conflict(
    server: Server, answer: tuple[int, bytes], conflicts: bool
) -> None:
    server.answers = [answer]
    with pytest.raises(AwsError) as caught:
        aws.put_object("b", "k", b"1", condition={"if-match": '"e"'})
    assert isinstance(caught.value, Conflict) is conflicts
    assert server.requests[0][2]["if-match"] == '"e"'


def test_two_conditional_writes_at_once_are_decided_by_sending_it_again(server: Server) -> None:
    server.answers = [(409, refusal("ConditionalRequestConflict")), (200, b"")]
    aws.put_object("b", "k", b"1", condition={"if-none-match": "*"})


def test_a_service_is_asked_with_json(server: Server) -> None:
    server.answers = [(200, b'{"Parameter": {}}')]
    assert aws.call("ssm", "AmazonSSM.GetParameter", Name="n") == {"Parameter": {}}
    ((method, path, headers, body),) = server.requests
    assert (method, path, json.loads(body)) == ("POST", "/", {"Name": "n"})
    assert headers["x-amz-target"] == "AmazonSSM.GetParameter"
    assert headers["content-type"] == "application/x-amz-json-1.1"


def test_a_function_is_called_and_not_waited_for(server: Server) -> None:
    server.answers = [(202, b"")]
    aws.invoke("demo_prod_a", {"hop": 1})
    ((method, path, headers, body),) = server.requests
    assert (method, path) == ("POST", "/2015-03-31/functions/demo_prod_a/invocations")
    assert headers["x-amz-invocation-type"] == "Event"
    assert json.loads(body) == {"hop": 1}


def test_a_function_is_called_and_its_answer_is_as_it_came(server: Server) -> None:
    server.answers = [(200, b'{"a":  1}')]
    assert aws.answer_of("demo_dev_f-cp", b'{"b": 2}', "", 5.0) == (b'{"a":  1}', False)
    ((method, path, headers, body),) = server.requests
    assert (method, path) == ("POST", "/2015-03-31/functions/demo_dev_f-cp/invocations")
    assert body == b'{"b": 2}'
    assert {"x-amz-invocation-type", "x-amz-client-context"} & headers.keys() == set()


def test_its_client_context_goes_with_the_call(server: Server) -> None:
    server.answers = [(200, b"1")]
    aws.answer_of("f", b"1", "eyJhIjogMX0=", 5.0)
    assert server.requests[0][2]["x-amz-client-context"] == "eyJhIjogMX0="


def test_a_call_that_may_have_begun_is_never_repeated(server: Server) -> None:
    server.answers = [(500, b""), (200, b"1")]
    with pytest.raises(AwsError, match="500"):
        aws.answer_of("f", b"1", "", 5.0)
    assert len(server.requests) == 1


def test_the_error_of_a_function_is_told_from_its_answer() -> None:
    class Response:
        def __init__(self, **headers: str) -> None:
            self.headers = {name.replace("_", "-"): text for name, text in headers.items()}

        def read(self) -> bytes:
            return b"{}"

    def send(*given: Any, **how: Any) -> Any:
        seen.append(how)
        return given[5](responses.pop(0))

    seen: list[Any] = []
    responses = [Response(X_Amz_Function_Error="Unhandled"), Response()]
    with mock.patch("runner.aws.send", send), mock.patch.dict("os.environ", AWS_REGION="x"):
        for failed in (True, False):
            assert aws.answer_of("f", b"1", "", 7.0) == (b"{}", failed)
    assert seen == [{"tries": 1, "timeout": 7.0}] * 2


def test_an_object_is_deleted(server: Server) -> None:
    server.answers = [(204, b"")]
    aws.delete_object("b", "k")
    assert server.requests[0][:2] == ("DELETE", "/b/k")


def test_an_object_is_encrypted_with_the_key_that_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with mock.patch("runner.aws.send", return_value="etag") as send:
        assert aws.put_object("b", "k", b"1") == "etag"
        aws.put_object("b", "k", b"1", encryption_key="arn:key")
    plain, encrypted = (call.args[3] for call in send.call_args_list)
    assert plain == {"content-type": "application/json"}
    assert encrypted == {
        **plain,
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "arn:key",
    }
