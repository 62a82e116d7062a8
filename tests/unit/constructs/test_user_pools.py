from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import Api, App, UserPool
from devbridge.errors import InvalidValue


def test_by_default_people_sign_up_with_their_address_and_a_password(app: App) -> None:
    pool = UserPool(app, "users")
    assert (pool.sign_in, pool.self_sign_up, pool.password_length) == ("email", True, 8)
    assert (pool.mfa, pool.password_auth, pool.removal) == (False, False, None)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"sign_in": "phone"}, {"sign_in": None}, {"self_sign_up": 1}, {"password_auth": "yes"}),
        *({"password_length": 7}, {"password_length": 100}, {"password_length": True}),
        *({"password_length": 8.0}, {"mfa": "required"}, {"mfa": 1}, {"removal": "keep"}),
        {"transform": "x"},
    ],
)
def test_what_cognito_or_this_has_not_is_refused(app: App, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=f"UserPool 'users': {next(iter(wrong))}"):
        UserPool(app, "users", **wrong)
    assert app.constructs == []


def test_it_is_an_authorizer_of_an_api_of_its_app(app: App) -> None:
    pool = UserPool(app, "users")
    api = Api(
        app,
        "api",
        routes={"GET /": "api/start.handler"},
        authorizers={"users": pool},
        authorizer="users",
    )
    assert api.authorizers == {"users": pool}
    assert api.routes[0].authorizer == "users"


def test_another_apps_pool_is_no_authorizer(app: App) -> None:
    other = UserPool(App("other"), "users")
    with pytest.raises(InvalidValue, match="authorizer 'users'") as caught:
        Api(app, "api", routes={"GET /": "api/start.handler"}, authorizers={"users": other})
    assert "a UserPool of this app" in str(caught.value.remedy)
