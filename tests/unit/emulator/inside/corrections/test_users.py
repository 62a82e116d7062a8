from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.corrections.users import REFUSAL, refuse_sign_up
from tests.unit.emulator.inside.conftest import MakeModule


@pytest.mark.parametrize(
    ("pool", "refused"),
    [
        ({"AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True}}, True),
        ({"AdminCreateUserConfig": {"AllowAdminCreateUserOnly": "true"}}, True),
        ({"AdminCreateUserConfig": {"AllowAdminCreateUserOnly": False}}, False),
        *(({"AdminCreateUserConfig": None}, False), ({}, False), (None, False)),
    ],
)
def test_only_administrators_make_users_where_a_pool_says_so(
    pool: Any, refused: bool, ministack: MakeModule
) -> None:
    cognito = ministack(
        "services.cognito",
        _pool_for_client=lambda client: (pool, client),
        _sign_up=lambda data: data["Username"],
        error_response_json=lambda *error: error,
    )
    refuse_sign_up()
    answer = cognito._sign_up({"ClientId": "c", "Username": "ann"})
    assert answer == (("NotAuthorizedException", REFUSAL, 400) if refused else "ann")
