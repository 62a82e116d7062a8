"""Routes that start a job."""

from __future__ import annotations

import pytest

from devbridge.constructs import OnRequest
from tests.unit.deploy.synth.triggers.conftest import Triggered
from tests.unit.deploy.templates import of_type, properties


@pytest.mark.parametrize("authorizer", ["users", "none"])
def test_a_route_is_answered_by_the_invoker(triggered: Triggered, authorizer: str) -> None:
    template = triggered(lambda to: [OnRequest(to.api, "GET /a", authorizer, name="asked")])
    (route,) = of_type(template, "AWS::ApiGatewayV2::Route").values()
    found = route["Properties"]
    (named,) = of_type(template, "AWS::ApiGatewayV2::Authorizer")
    users = authorizer == "users"
    assert found == {
        "ApiId": {"Ref": "WApi"},
        "RouteKey": "GET /a",
        "Target": {"Fn::Sub": "integrations/${SeeJobOnRequestAskedIntegration}"},
        "AuthorizationType": "JWT" if users else "NONE",
        **({"AuthorizerId": {"Ref": named}} if users else {}),
    }
    assert properties(template, "SeeJobOnRequestAskedIntegration") == {
        "ApiId": {"Ref": "WApi"},
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": {"Fn::GetAtt": ["SeeJobInvoker", "Arn"]},
        "PayloadFormatVersion": "2.0",
    }


@pytest.mark.parametrize(
    ("route", "source"),
    [
        ("GET /a", "GET/a"),
        ("ANY /a/{b}/{c+}", "*/a/*/*"),
        ("POST /", "POST/"),
        ("$default", "$default"),
    ],
)
def test_api_gateway_may_call_for_that_route(triggered: Triggered, route: str, source: str) -> None:
    template = triggered(lambda to: [OnRequest(to.api, route, name="asked")])
    arn = properties(template, "SeeJobOnRequestAskedPermission")["SourceArn"]["Fn::Sub"]
    assert arn.partition(":${AWS::AccountId}:")[2] == f"${{WApi}}/*/{source}"


def test_a_function_answers_a_route_as_it_does_one_of_the_apis_own(calling: Triggered) -> None:
    found = calling(lambda to: [OnRequest(to.api, "GET /a", name="a")])
    integration = properties(found, "SeeFunctionOnRequestAIntegration")
    assert integration["IntegrationUri"] == {"Fn::GetAtt": ["SeeFunction", "Arn"]}
    assert integration["PayloadFormatVersion"] == "2.0"
    (route,) = of_type(found, "AWS::ApiGatewayV2::Route").values()
    assert route["Properties"]["RouteKey"] == "GET /a"
