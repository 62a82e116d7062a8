"""HTTP APIs: routes, integrations, authorizers."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from devbridge import names
from devbridge.constructs import Api, Cors, Function, FunctionAuthorizer, JwtAuthorizer, UserPool
from devbridge.constructs.authorizers import HEADER
from devbridge.deploy.references import arn, arn_of, ref, sub
from devbridge.deploy.synth.permissions import permit
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.user_pools import client, issuer

_ACCESS_LOG: Final = json.dumps(
    {
        name: f"$context.{value}"
        for name, value in {
            "requestId": "requestId",
            "time": "requestTime",
            "ip": "identity.sourceIp",
            "route": "routeKey",
            "path": "path",
            "status": "status",
            "responseLength": "responseLength",
            "latency": "responseLatency",
            "error": "error.messageString",
            "integrationError": "integrationErrorMessage",
            "authorizerError": "authorizer.error",
        }.items()
    }
).replace('"$context.error.messageString"', "$context.error.messageString")
"""A line of JSON a request; `error` is quoted by API Gateway. No body, no header, no query."""


def add_api(stack: Stack, api: Api) -> None:
    """Add an HTTP API with its routes, and its permission to call the functions."""
    from troposphere import apigatewayv2

    label = str(api)
    resource = apigatewayv2.Api(
        names.logical(api),
        Name=f"{api.app.name}-{stack.stage}-{api.name}",
        ProtocolType="HTTP",
    )
    if api.cors:
        resource.CorsConfiguration = _cors(api.cors)
    title = stack.add_main(api, resource)
    for name in api.authorizers:
        _add_authorizer(stack, api, name)
    for function in _functions(api):
        _add_permission(stack, api, function)
    integrations = {
        function: _add_integration(stack, api, function)
        for function in dict.fromkeys(route.function for route in api.routes)
    }
    for route in api.routes:
        add_route(stack, api, route.key, integrations[route.function], route.authorizer)
    stage = apigatewayv2.Stage(
        f"{title}Stage", ApiId=ref(title), StageName="$default", AutoDeploy=True
    )
    if api.throttle:
        stage.DefaultRouteSettings = apigatewayv2.RouteSettings(
            ThrottlingRateLimit=api.throttle.rate_limit,
            ThrottlingBurstLimit=api.throttle.burst_limit,
        )
    if api.access_log:
        group = stack.add_log_group(
            label,
            f"{title}Logs",
            names.api_log_group(api, stack.stage),
            api.log_days,
            api.encryption_key,
        )
        stage.AccessLogSettings = apigatewayv2.AccessLogSettings(
            DestinationArn=arn_of(group), Format=_ACCESS_LOG
        )
    stack.add(label, stage)


def add_route(stack: Stack, api: Api, key: str, integration: str, name: str | None) -> None:
    """Add a route of an API.

    Args:
        integration: the title of that with what answers it.
        name: of the authorizer that lets callers in; None: all may call.
    """
    from troposphere import apigatewayv2

    # The id must not depend on the order of the routes, nor hold what ids may not.
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    title = names.logical(api)
    made = apigatewayv2.Route(
        f"{title}Route{digest}",
        ApiId=ref(title),
        RouteKey=key,
        Target=sub(f"integrations/${{{integration}}}"),
    )
    made.AuthorizationType = "NONE"
    if name:
        authorizer = api.authorizers[name]
        made.AuthorizerId = ref(_authorizer(api, name))
        asked = isinstance(authorizer, FunctionAuthorizer)
        made.AuthorizationType = "CUSTOM" if asked else "JWT"
        if isinstance(authorizer, JwtAuthorizer) and authorizer.scopes:
            made.AuthorizationScopes = list(authorizer.scopes)
    stack.add(f"{api}, route {key!r}", made)


def _functions(api: Api) -> list[Function]:
    """All that the API calls, once each."""
    routed = [route.function for route in api.routes]
    asked = [
        authorizer.function
        for authorizer in api.authorizers.values()
        if isinstance(authorizer, FunctionAuthorizer)
    ]
    return list(dict.fromkeys([*routed, *asked]))


def _add_permission(stack: Stack, api: Api, function: Function) -> None:
    title, target = names.logical(api), names.logical(function)
    source = arn("execute-api", f"${{{title}}}/*")
    may = f"{title}May{target}"
    permit(stack, str(api), may, ref(target), "apigateway.amazonaws.com", source)


def _add_integration(stack: Stack, api: Api, function: Function) -> str:
    target = names.logical(function)
    return add_integration(stack, api, target, f"{names.logical(api)}To{target}", str(api))


def add_integration(stack: Stack, api: Api, target: str, title: str, label: str) -> str:
    """Let an API call a function.

    Args:
        target: the function's title.
        title: that of the integration, which is returned.
    """
    from troposphere import apigatewayv2

    integration = apigatewayv2.Integration(
        title,
        ApiId=ref(names.logical(api)),
        IntegrationType="AWS_PROXY",
        IntegrationUri=arn_of(target),
        PayloadFormatVersion="2.0",
    )
    return stack.add(label, integration)


def _authorizer(api: Api, name: str) -> str:
    """The title of an API's authorizer."""
    return f"{names.logical(api)}Authorizer{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _add_authorizer(stack: Stack, api: Api, name: str) -> None:
    from troposphere import apigatewayv2

    authorizer = api.authorizers[name]
    resource = apigatewayv2.Authorizer(
        _authorizer(api, name), ApiId=ref(names.logical(api)), Name=name
    )
    if isinstance(authorizer, UserPool):
        resource.AuthorizerType = "JWT"
        resource.IdentitySource = [HEADER]
        resource.JwtConfiguration = apigatewayv2.JWTConfiguration(
            Issuer=issuer(names.logical(authorizer)), Audience=[ref(client(authorizer))]
        )
    elif isinstance(authorizer, JwtAuthorizer):
        resource.AuthorizerType = "JWT"
        resource.IdentitySource = [authorizer.identity_source]
        resource.JwtConfiguration = apigatewayv2.JWTConfiguration(
            Issuer=authorizer.issuer, Audience=list(authorizer.audience)
        )
    else:
        function = names.logical(authorizer.function)
        path = "lambda:path/2015-03-31/functions"
        resource.AuthorizerType = "REQUEST"
        resource.AuthorizerUri = sub(
            f"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:{path}/${{{function}.Arn}}"
            "/invocations"
        )
        resource.AuthorizerPayloadFormatVersion = "2.0"
        resource.EnableSimpleResponses = True
        resource.AuthorizerResultTtlInSeconds = authorizer.ttl_seconds
        resource.IdentitySource = list(authorizer.identity_sources)
    stack.add(f"{api}, authorizer {name!r}", resource)


def _cors(cors: Cors) -> Any:
    from troposphere import apigatewayv2

    made = apigatewayv2.Cors(
        AllowOrigins=list(cors.allow_origins),
        AllowMethods=list(cors.allow_methods),
        AllowHeaders=list(cors.allow_headers),
    )
    if cors.expose_headers:
        made.ExposeHeaders = list(cors.expose_headers)
    if cors.allow_credentials:
        made.AllowCredentials = True
    if cors.max_age_seconds is not None:
        made.MaxAge = cors.max_age_seconds
    return made
