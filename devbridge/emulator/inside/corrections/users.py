"""Nobody signs up by himself where only administrators make users: ministack lets everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..host import ministack

REFUSAL = "SignUp is not permitted for this user pool"


def refuse_sign_up() -> None:
    """Answer as Cognito does where a pool has AllowAdminCreateUserOnly."""
    cognito = ministack("services.cognito")
    sign_up = cognito._sign_up

    def signed_up(data: Mapping[str, Any]) -> Any:
        pool, _ = cognito._pool_for_client(data.get("ClientId"))
        made_by = (pool or {}).get("AdminCreateUserConfig") or {}
        if str(made_by.get("AllowAdminCreateUserOnly", False)).lower() == "true":
            return cognito.error_response_json("NotAuthorizedException", REFUSAL, 400)
        return sign_up(data)

    cognito._sign_up = signed_up
