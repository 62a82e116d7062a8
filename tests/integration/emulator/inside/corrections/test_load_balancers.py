"""Functions behind a load balancer on the embedded cloud: which requests they get, and if."""

from __future__ import annotations

import http.client
import json
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import Stack, arn, function, role

ECHO: Final = """\
import json
ANSWERS = {
    "nothing": None,
    "text": "x",
    "no-status": {"body": "x"},
    "no-text": {"statusCode": 200, "body": {}},
    "no-base64": {"statusCode": 200, "body": "%", "isBase64Encoded": True},
    "large": {"statusCode": 200, "body": "x" * (1 << 20)},
    "bytes": {"statusCode": 201, "body": "/w==", "isBase64Encoded": True},
}
def handler(event, context):
    what = event["path"].rpartition("/")[2]
    if what in ANSWERS:
        return ANSWERS[what]
    if what == "raises":
        raise ValueError(what)
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"},
            "body": json.dumps(event), "isBase64Encoded": False}
"""
ELB: Final = "AWS::ElasticLoadBalancingV2::"


def permission() -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": "Function"},
            "Action": "lambda:InvokeFunction",
            "Principal": "elasticloadbalancing.amazonaws.com",
        },
    }


def group(*depends: str) -> dict[str, Any]:
    given = {"TargetType": "lambda", "Targets": [{"Id": arn("Function")}]}
    return {"Type": f"{ELB}TargetGroup", "Properties": given, "DependsOn": list(depends)}


def rule(priority: int, target: str, *conditions: dict[str, Any]) -> dict[str, Any]:
    forward = {"Type": "forward", "TargetGroupArn": {"Ref": target}}
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418"}}
    return {
        "Type": f"{ELB}ListenerRule",
        "Properties": {
            "ListenerArn": {"Ref": "Listener"},
            "Priority": priority,
            "Conditions": list(conditions),
            "Actions": [forward if target == "Group" else fixed],
        },
    }


def path(*values: str) -> dict[str, Any]:
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}


@pytest.fixture(scope="module")
def stack(shared_cloud: Running) -> Stack:
    reset(shared_cloud.endpoint_url)
    made = Stack(shared_cloud.endpoint_url, "balanced")
    ec2 = made.client("ec2")
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]]
    not_found = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    balancer = {"Name": "front", "Type": "application", "Subnets": subnets[:2]}
    listener = {
        "LoadBalancerArn": {"Ref": "Balancer"},
        "Port": 80,
        "Protocol": "HTTP",
        "DefaultActions": [not_found],
    }
    method = {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}
    header = {
        "Field": "http-header",
        "HttpHeaderConfig": {"HttpHeaderName": "X-Kind", "Values": ["job*"]},
    }
    resources = {
        "Role": role(),
        "Function": function(ECHO),
        "Permission": permission(),
        "Group": group("Permission"),
        "Balancer": {"Type": f"{ELB}LoadBalancer", "Properties": balancer},
        "Listener": {"Type": f"{ELB}Listener", "Properties": listener},
        "First": rule(1, "None", path("/jobs/secret")),
        "Second": rule(2, "Group", path("/jobs/*"), method, header),
    }
    assert made.deploy(resources) == ("CREATE_COMPLETE", "")
    return made


def ask(
    stack: Stack,
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    body: bytes = b'{"a": 1}',
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(stack.endpoint).netloc, timeout=30)
    try:
        connection.request(method, target, body if method == "POST" else None, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


JOB: Final = {"X-Kind": "job-1", "Content-Type": "application/json"}


def test_a_function_gets_what_a_load_balancer_sends(stack: Stack) -> None:
    status, body = ask(stack, "POST", "/_alb/front/jobs/thumbs?a=1&b=x%20y", JOB)
    assert status == 200
    event = json.loads(body)
    assert event["requestContext"] == {"elb": {"targetGroupArn": stack.resource("Group")}}
    assert (event["httpMethod"], event["path"]) == ("POST", "/jobs/thumbs")
    assert event["queryStringParameters"] == {"a": "1", "b": "x%20y"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)
    assert event["headers"]["x-kind"] == "job-1"
    assert {"x-forwarded-for", "x-forwarded-port", "x-amzn-trace-id"} <= event["headers"].keys()


def test_a_client_gets_the_bytes_that_a_function_returns_as_base64(stack: Stack) -> None:
    assert ask(stack, "POST", "/_alb/front/jobs/bytes", JOB) == (201, b"\xff")


@pytest.mark.parametrize(
    "what", ["nothing", "text", "no-status", "no-text", "no-base64", "large", "raises"]
)
def test_a_function_that_fails_or_answers_something_else_is_a_bad_gateway(
    stack: Stack, what: str
) -> None:
    status, body = ask(stack, "POST", f"/_alb/front/jobs/{what}", JOB)
    assert status == 502
    assert b"<title>502 Bad Gateway</title>" in body
    assert what.encode() not in body


def test_a_function_gets_a_body_of_a_megabyte_at_most(stack: Stack) -> None:
    text = b"x" * (1 << 20)
    assert ask(stack, "POST", "/_alb/front/jobs/bytes", JOB, text)[0] == 201
    status, body = ask(stack, "POST", "/_alb/front/jobs/bytes", JOB, text + b"x")
    assert status == 413
    assert b"<title>413 Request Entity Too Large</title>" in body


def test_it_has_a_name_of_its_own_as_well(stack: Stack) -> None:
    port = urlsplit(stack.endpoint).port
    host = {**JOB, "Host": f"front.alb.localhost:{port}"}
    assert ask(stack, "POST", "/jobs/x", host)[0] == 200


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("POST", "/jobs/secret", JOB, 418),
        ("POST", "/other", JOB, 404),
        ("GET", "/jobs/x", JOB, 404),
        ("POST", "/jobs/x", {"X-Kind": "other"}, 404),
        ("POST", "/jobs/x", {}, 404),
    ],
)
def test_the_first_rule_whose_conditions_are_all_met_is_taken(
    stack: Stack, method: str, target: str, headers: dict[str, str], status: int
) -> None:
    assert ask(stack, method, f"/_alb/front{target}", headers)[0] == status


def test_no_page_of_elsewhere_gets_in_and_nothing_else_is_open(stack: Stack) -> None:
    page = {**JOB, "Origin": "https://example.com"}
    assert ask(stack, "POST", "/_alb/front/jobs/x", page)[0] == 403
    assert ask(stack, "POST", "/_alb/nobody/jobs/x", JOB)[0] == 403
    assert ask(stack, "POST", "/_alb/front/jobs/x", {**JOB, "Host": "example.com"})[0] == 403


def test_a_function_that_lets_no_load_balancer_in_is_no_target(stack: Stack) -> None:
    closed = Stack(stack.endpoint, "closed")
    resources = {"Role": role(), "Function": function(ECHO), "Group": group()}
    status, reason = closed.deploy(resources)
    assert status == "ROLLBACK_COMPLETE"
    assert "principal does not have permission to invoke" in reason
