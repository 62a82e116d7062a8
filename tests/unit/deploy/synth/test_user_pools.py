from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import Api, App, Function, UserPool
from tests.unit.deploy.synth.conftest import MakeApp
from tests.unit.deploy.templates import allowed, of_type, properties, resources


def test_users_sign_up_with_an_address_that_a_code_verifies(synthed_app: MakeApp) -> None:
    pool = properties(synthed_app(lambda app: UserPool(app, "users")), "UsersUserPool")
    assert pool["UsernameAttributes"] == pool["AutoVerifiedAttributes"] == ["email"]
    assert pool["Schema"] == [{"Name": "email", "Required": True, "Mutable": True}]
    assert pool["UsernameConfiguration"] == {"CaseSensitive": False}
    assert pool["VerificationMessageTemplate"] == {"DefaultEmailOption": "CONFIRM_WITH_CODE"}
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": False}
    assert pool["Policies"]["PasswordPolicy"] == {
        "MinimumLength": 8,
        "RequireLowercase": True,
        "RequireNumbers": True,
        "RequireSymbols": True,
        "RequireUppercase": True,
    }
    assert (pool["MfaConfiguration"], "EnabledMfas" in pool) == ("OFF", False)
    # A new address is used when it is verified, and not before.
    settings = pool["UserAttributeUpdateSettings"]
    assert settings == {"AttributesRequireVerificationBeforeUpdate": ["email"]}


def test_the_client_has_no_secret_and_is_never_sent_a_password_unless_told(
    synthed_app: MakeApp,
) -> None:
    def define(app: App) -> None:
        UserPool(app, "users")
        UserPool(app, "others", password_auth=True)

    template = synthed_app(define)
    client = properties(template, "UsersUserPoolClient")
    assert client == {
        "UserPoolId": {"Ref": "UsersUserPool"},
        "GenerateSecret": False,
        "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        "PreventUserExistenceErrors": "ENABLED",
        "EnableTokenRevocation": True,
    }
    flows = properties(template, "OthersUserPoolClient")["ExplicitAuthFlows"]
    assert flows == [*client["ExplicitAuthFlows"], "ALLOW_USER_PASSWORD_AUTH"]


@pytest.mark.parametrize(("mfa", "said"), [("optional", "OPTIONAL"), (True, "ON")])
def test_each_option_is_that_of_cognito(mfa: Any, said: str, synthed_app: MakeApp) -> None:
    template = synthed_app(
        lambda app: UserPool(
            app, "users", sign_in="username", self_sign_up=False, password_length=12, mfa=mfa
        )
    )
    pool = properties(template, "UsersUserPool")
    assert "UsernameAttributes" not in pool
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] == 12
    assert (pool["MfaConfiguration"], pool["EnabledMfas"]) == (said, ["SOFTWARE_TOKEN_MFA"])


@pytest.mark.parametrize(
    ("removal", "mode", "policy"),
    [(None, "dev", "Delete"), (None, "deployed", "Retain"), ("delete", "deployed", "Delete")],
)
def test_users_are_kept_with_the_client_that_their_pages_know(
    removal: Any, mode: str, policy: str, synthed_app: MakeApp
) -> None:
    template = synthed_app(lambda app: UserPool(app, "users", removal=removal), mode=mode)
    for title in ("UsersUserPool", "UsersUserPoolClient"):
        assert resources(template)[title]["UpdateReplacePolicy"] == policy


def test_it_has_the_tags_of_its_app_and_is_transformed(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        app.tags["team"] = "web"
        UserPool(app, "users", transform=lambda pool: setattr(pool, "UserPoolName", "mine"))

    pool = properties(synthed_app(define), "UsersUserPool")
    assert (pool["UserPoolTags"], pool["UserPoolName"]) == ({"team": "web"}, "mine")


def test_an_api_asks_for_tokens_of_the_pool_that_were_made_for_its_client(
    synthed_app: MakeApp,
) -> None:
    def define(app: App) -> None:
        Api(
            app,
            "api",
            routes={"GET /": "api/start.handler"},
            authorizers={"users": UserPool(app, "users")},
            authorizer="users",
        )

    template = synthed_app(define)
    ((title, authorizer),) = of_type(template, "AWS::ApiGatewayV2::Authorizer").items()
    assert authorizer["Properties"] == {
        "ApiId": {"Ref": "ApiApi"},
        "Name": "users",
        "AuthorizerType": "JWT",
        "IdentitySource": ["$request.header.Authorization"],
        "JwtConfiguration": {
            "Issuer": {"Fn::Sub": "https://${UsersUserPool.ProviderName}"},
            "Audience": [{"Ref": "UsersUserPoolClient"}],
        },
    }
    (route,) = of_type(template, "AWS::ApiGatewayV2::Route").values()
    assert route["Properties"]["AuthorizationType"] == "JWT"
    assert route["Properties"]["AuthorizerId"] == {"Ref": title}
    assert "AuthorizationScopes" not in route["Properties"]


def test_who_binds_it_may_look_a_user_up_and_change_none(synthed_app: MakeApp) -> None:
    def define(app: App) -> None:
        Function(app, "f", handler="api/start.handler", bind=[UserPool(app, "users")])

    template = synthed_app(define, mode="deployed")
    may = allowed(template, "FFunctionRole")
    assert {action: on for action, on in may.items() if action.startswith("cognito")} == {
        "cognito-idp:AdminGetUser": [{"Fn::GetAtt": ["UsersUserPool", "Arn"]}]
    }
    found = properties(template, "FFunction")["Environment"]["Variables"]
    assert found["DEVBRIDGE_UserPool_clientId_users"] == {"Ref": "UsersUserPoolClient"}
