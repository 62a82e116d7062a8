"""Who calls the API: API Gateway has verified the token before the function is called."""

from typing import Any

import boto3

from devbridge.resources import UserPool


def caller(event: dict[str, Any]) -> str:
    """The caller's id, which stays when the address changes."""
    return str(_claims(event)["sub"])


def address(event: dict[str, Any]) -> str:
    """The caller's address, which the user pool has verified: nobody is mailed who did not ask."""
    user = boto3.client("cognito-idp").admin_get_user(
        UserPoolId=UserPool.users.user_pool_id, Username=_claims(event)["username"]
    )
    attributes = {each["Name"]: each["Value"] for each in user["UserAttributes"]}
    return str(attributes["email"])


def _claims(event: dict[str, Any]) -> Any:
    return event["requestContext"]["authorizer"]["jwt"]["claims"]
