"""HTTP APIs: each option in the template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import (
    Api,
    App,
    Cors,
    JwtAuthorizer,
    LambdaAuthorizer,
    RouteTo,
    Throttle,
)
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Template
from tests.unit.deploy.templates import lint, made, of_type, properties

JWT = JwtAuthorizer("https://issuer.example.com", audience=["web"], scopes=["read"])


@pytest.fixture
def handlers(root: Path) -> Path:
    (root / "api" / "auth.py").write_text("def handler(event, context): ...\n")
    return root


def template_of(root: Path, **options: Any) -> Template:
    options.setdefault("routes", {"GET /a": "api/start.handler"})
    with loading(root):
        app = App("demo")
        Api(app, "api", **options)
    template = made(app)
    assert lint(template) == []
    return template


def routes(template: Template) -> dict[str, dict[str, Any]]:
    found = of_type(template, "AWS::ApiGatewayV2::Route").values()
    return {route["Properties"]["RouteKey"]: route["Properties"] for route in found}


def test_a_route_is_open_without_an_authorizer(handlers: Path) -> None:
    assert routes(template_of(handlers))["GET /a"]["AuthorizationType"] == "NONE"
    assert not of_type(template_of(handlers), "AWS::ApiGatewayV2::Authorizer")


def test_routes_have_the_apis_authorizer_or_their_own_or_none(handlers: Path) -> None:
    template = template_of(
        handlers,
        routes={
            "GET /a": "api/start.handler",
            "GET /b": RouteTo("api/start.handler", authorizer="code"),
            "GET /c": RouteTo("api/start.handler", authorizer="none"),
        },
        authorizers={"tokens": JWT, "code": LambdaAuthorizer("api/auth.handler", ttl="1 minute")},
        authorizer="tokens",
    )
    found = routes(template)
    assert [found[f"GET /{x}"]["AuthorizationType"] for x in "abc"] == ["JWT", "CUSTOM", "NONE"]
    assert found["GET /a"]["AuthorizationScopes"] == ["read"]
    assert "AuthorizationScopes" not in found["GET /b"]
    assert "AuthorizerId" not in found["GET /c"]
    jwt = properties(template, found["GET /a"]["AuthorizerId"]["Ref"])
    assert jwt["AuthorizerType"] == "JWT"
    assert jwt["JwtConfiguration"] == {
        "Issuer": "https://issuer.example.com",
        "Audience": ["web"],
    }
    assert jwt["IdentitySource"] == ["$request.header.Authorization"]
    code = properties(template, found["GET /b"]["AuthorizerId"]["Ref"])
    assert code["AuthorizerType"] == "REQUEST"
    assert code["AuthorizerPayloadFormatVersion"] == "2.0"
    assert code["EnableSimpleResponses"] is True
    assert code["AuthorizerResultTtlInSeconds"] == 60
    assert "${ApiAuthFunction.Arn}/invocations" in code["AuthorizerUri"]["Fn::Sub"]


def test_api_gateway_may_invoke_routes_and_authorizers_functions_once_each(handlers: Path) -> None:
    template = template_of(
        handlers,
        authorizers={
            "one": LambdaAuthorizer("api/auth.handler"),
            "two": LambdaAuthorizer("api/start.handler"),
        },
    )
    permissions = of_type(template, "AWS::Lambda::Permission").values()
    functions = [p["Properties"]["FunctionName"]["Ref"] for p in permissions]
    assert sorted(functions) == ["ApiAuthFunction", "ApiStartFunction"]
    # A function that is only an authorizer is not integrated.
    assert len(of_type(template, "AWS::ApiGatewayV2::Integration")) == 1


def test_cors_says_which_pages_may_call(handlers: Path) -> None:
    cors = Cors(
        allow_origins=["https://example.com"],
        allow_methods=["GET"],
        allow_headers=["Authorization"],
        expose_headers=["X-Id"],
        allow_credentials=True,
        max_age="1 hour",
    )
    assert properties(template_of(handlers, cors=cors), "ApiApi")["CorsConfiguration"] == {
        "AllowOrigins": ["https://example.com"],
        "AllowMethods": ["GET"],
        "AllowHeaders": ["Authorization"],
        "ExposeHeaders": ["X-Id"],
        "AllowCredentials": True,
        "MaxAge": 3600,
    }
    everything = properties(template_of(handlers, cors=True), "ApiApi")["CorsConfiguration"]
    assert everything["AllowOrigins"] == ["*"]
    assert "CorsConfiguration" not in properties(template_of(handlers), "ApiApi")


def test_an_api_has_its_throttle_and_its_access_log(handlers: Path) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/1"
    throttle = Throttle(rate_limit=10.5, burst_limit=20)
    template = template_of(
        handlers, throttle=throttle, access_log=True, log_retention="1 day", encryption_key=key
    )
    stage = properties(template, "ApiApiStage")
    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": 10.5,
        "ThrottlingBurstLimit": 20,
    }
    log = stage["AccessLogSettings"]
    assert log["DestinationArn"] == {"Fn::GetAtt": ["ApiApiLogs", "Arn"]}
    assert properties(template, "ApiApiLogs") == {
        "LogGroupName": "/aws/vendedlogs/demo_dev_api",
        "RetentionInDays": 1,
        "KmsKeyId": key,
    }
    # API Gateway puts in a number or a quoted text.
    line = json.loads(log["Format"].replace("$context.error.messageString", "null"))
    assert line["ip"] == "$context.identity.sourceIp"


def test_without_those_options_an_api_is_as_it_was(handlers: Path) -> None:
    stage = properties(template_of(handlers), "ApiApiStage")
    assert not {"DefaultRouteSettings", "AccessLogSettings"} & stage.keys()
