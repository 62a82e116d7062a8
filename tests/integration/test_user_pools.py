"""Users sign up, confirm, sign in and call an API, on the embedded cloud: as a browser would."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import get_session

from devbridge import deploy as deployment
from devbridge.cloud.session import Cloud
from devbridge.constructs.load import load_app
from devbridge.deploy import Request
from devbridge.deploy.leftovers import USER_POOLS
from devbridge.deploy.remove import inventory, remove
from tests.clients import administer
from tests.integration.test_any_app_deploys import fast
from tests.integration.test_api import call

APP = """\
from devbridge import Api, App, RouteTo, UserPool

app = App("members")
users = UserPool(app, "users", password_auth=True)
strangers = UserPool(app, "strangers", self_sign_up=False, password_length=12)
Api(
    app,
    "api",
    routes={"GET /me": "api/me.handler", "GET /open": RouteTo("api/me.handler", "none")},
    bind=[users],
    authorizers={"users": users},
    authorizer="users",
)
app.output("Users", users.arn)
app.output("Issuer", users.issuer)
"""
ME = """\
import json

import boto3

from devbridge.resources import UserPool


def handler(event, context):
    claims = (event["requestContext"].get("authorizer") or {}).get("jwt", {}).get("claims", {})
    found = {"claims": claims, "issuer": UserPool.users.issuer}
    if claims:
        cognito, pool = boto3.client("cognito-idp"), UserPool.users.user_pool_id
        user = cognito.admin_get_user(UserPoolId=pool, Username=claims["username"])
        try:
            cognito.list_users(UserPoolId=pool)
        except cognito.exceptions.ClientError as error:
            found["refused"] = error.response["Error"]["Code"]
        found["email"] = {each["Name"]: each["Value"] for each in user["UserAttributes"]}["email"]
    return {"statusCode": 200, "body": json.dumps(found)}
"""
JANE, PASSWORD = "jane@example.com", "Correct-horse-1"


@dataclass(frozen=True)
class Deployed:
    cloud: Cloud
    request: Request
    outputs: dict[str, str]
    browser: Any
    """A Cognito client without credentials."""

    def code(self) -> str:
        """What the newest mail says."""
        endpoint = str(self.cloud.endpoint_url)
        found = json.loads(administer(endpoint, "GET", "/_ministack/ses/messages")[1])["messages"]
        (*_, mail) = (mail for account in found.values() for mail in account)
        (code,) = re.findall(r"code is (\d{6})", mail["BodyText"])
        return str(code)

    def sign_up(self) -> None:
        self.browser.sign_up(
            ClientId=self.outputs["UsersUserPoolClient"], Username=JANE, Password=PASSWORD
        )

    def confirm(self, code: str) -> None:
        client = self.outputs["UsersUserPoolClient"]
        self.browser.confirm_sign_up(ClientId=client, Username=JANE, ConfirmationCode=code)

    def tokens(self) -> dict[str, str]:
        answer = self.browser.initiate_auth(
            ClientId=self.outputs["UsersUserPoolClient"],
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": JANE, "PASSWORD": PASSWORD},
        )
        return dict(answer["AuthenticationResult"])


@pytest.fixture
def members(tmp_path: Path, local_cloud: Cloud) -> Deployed:
    root = tmp_path / "app"
    (root / "api").mkdir(parents=True)
    (root / "app.py").write_text(APP)
    (root / "api" / "me.py").write_text(ME)
    request = Request(load_app(root), local_cloud, stage="test", mode="deployed")
    done = deployment.deploy(request)
    browser = get_session().create_client(
        "cognito-idp",
        region_name=local_cloud.region,
        endpoint_url=local_cloud.endpoint_url,
        config=Config(signature_version=UNSIGNED),
    )
    return Deployed(local_cloud, request, dict(done.outputs), browser)


def test_who_has_signed_up_confirmed_and_signed_in_may_call(members: Deployed) -> None:
    members.sign_up()
    with pytest.raises(members.browser.exceptions.UserNotConfirmedException):
        members.tokens()
    with pytest.raises(members.browser.exceptions.CodeMismatchException):
        members.confirm("000000")
    members.confirm(members.code())
    tokens = members.tokens()
    url = members.outputs["ApiUrl"]
    status, found = call(url, "GET /open")
    assert (status, found["claims"]) == (200, {})
    status, found = call(url, "GET /me", f"Bearer {tokens['AccessToken']}")
    assert (status, found["email"]) == (200, JANE)
    assert "AccessDenied" in found["refused"]  # to look at all users is not what `bind` gives
    assert found["claims"]["iss"] == found["issuer"] == members.outputs["Issuer"]
    assert found["claims"]["client_id"] == members.outputs["UsersUserPoolClient"]


def test_nobody_else_may(members: Deployed) -> None:
    members.sign_up()
    members.confirm(members.code())
    url, token = members.outputs["ApiUrl"], members.tokens()["AccessToken"]
    head, claims, signature = token.split(".")
    other = ("A" if signature[0] != "A" else "B") + signature[1:]
    tampered = f"{head}.{claims}.{other}"
    for wrong in (None, "Bearer nonsense", f"Bearer {tampered}"):
        assert call(url, "GET /me", wrong)[0] == 401, wrong
    assert call(url, "GET /me", f"Bearer {token}")[0] == 200


def test_where_nobody_may_sign_up_by_himself_only_an_administrator_makes_users(
    members: Deployed,
) -> None:
    client = members.outputs["StrangersUserPoolClient"]
    with pytest.raises(members.browser.exceptions.NotAuthorizedException):
        members.browser.sign_up(ClientId=client, Username=JANE, Password=PASSWORD)
    members.cloud.client("cognito-idp").admin_create_user(
        UserPoolId=members.outputs["StrangersUserPool"], Username=JANE
    )


def test_a_password_may_be_sent_only_where_the_app_says_so(members: Deployed) -> None:
    with pytest.raises(members.browser.exceptions.InvalidParameterException, match="not enabled"):
        members.browser.initiate_auth(
            ClientId=members.outputs["StrangersUserPoolClient"],
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": JANE, "PASSWORD": PASSWORD},
        )


def test_users_are_data_that_is_counted_kept_and_deleted_when_told(members: Deployed) -> None:
    members.sign_up()
    cloud, pool = members.cloud, members.outputs["UsersUserPool"]
    assert USER_POOLS.count
    assert USER_POOLS.count(cloud, pool) == (1, "user")
    removed = remove(cloud, "members", "test", lambda _: None, fast)
    assert removed
    assert {each.name for each in removed.kept if each.data} == {
        pool,
        members.outputs["StrangersUserPool"],
    }
    assert USER_POOLS.is_there(cloud, pool)
    left = inventory(cloud, "members", "test", left=True)
    assert pool in {each.name for each in left.resources}
    remove(cloud, "members", "test", lambda _: None, fast, delete_data=True)
    assert not USER_POOLS.is_there(cloud, pool)
