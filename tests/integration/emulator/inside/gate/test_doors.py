"""Who is served without a signature: door by door."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from tests.clients import signed_headers
from tests.integration.emulator.inside.world import (
    EVIL,
    Answer,
    Ask,
    World,
    cognito,
    fake,
    fake_query,
)


def test_the_health_check_says_nothing_else(world: World) -> None:
    answer = world.send(Ask("GET", "/_devbridge/health"))
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})
    assert set(answer.headers) <= {"content-type", "content-length", "date"}


def test_an_api_route_is_open_to_everybody_and_its_cors_decides(world: World) -> None:
    ask = Ask("GET", "/open")
    answer = world.send(ask, {"Origin": EVIL}, world.api)
    assert (answer.status, answer.body) == (200, b"from the function")
    assert "access-control-allow-origin" not in answer.headers
    answer = world.send(ask, {"Origin": "https://app.example"}, world.api)
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


@pytest.mark.parametrize("path", ["/closed", "/live/@connections/x", "/%40connections/x"])
def test_what_an_api_keeps_for_signatures_is_refused_without_one(world: World, path: str) -> None:
    assert world.send(Ask("GET", path), host=world.api).status in (403, 404)
    bogus = {"Authorization": fake("execute-api")}
    assert world.send(Ask("GET", path), bogus, world.api).status in (403, 404)


def test_a_signature_opens_a_route_that_wants_one(world: World) -> None:
    signed = signed_headers(f"http://{world.api}/closed")
    # The helper asks by the host's name whose key it is.
    assert world.send(Ask("GET", "/closed"), signed, world.api).status == 200
    path = f"{world.base_path}/closed"
    signed = signed_headers(world.endpoint + path)
    assert world.send(Ask("GET", path), signed).status == 200
    assert world.send(Ask("GET", f"{world.base_path}/open"), {**signed, "X": "y"}).status == 200
    assert world.send(Ask("GET", path)).status == 403
    assert world.send(Ask("GET", path), signed_headers(f"{world.endpoint}/closed")).status == 403


def test_an_apis_base_path_is_as_open_as_its_own_host(world: World) -> None:
    ask = Ask("GET", f"{world.base_path}/open")
    for host in ("", f"localhost:{world.port}"):
        answer = world.send(ask, {"Origin": EVIL}, host)
        assert (answer.status, answer.body) == (200, b"from the function")
        assert "access-control-allow-origin" not in answer.headers
        answer = world.send(ask, {"Origin": "https://app.example"}, host)
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
    for path in ("/closed", "/live/@connections/x", "/%40connections/x"):
        assert world.send(Ask("GET", world.base_path + path)).status in (403, 404)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:PORT",
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]:PORT",
        "x.localhost:PORT",
    ],
)
def test_a_page_whose_name_leads_here_gets_no_base_path(world: World, host: str) -> None:
    host = host.replace("PORT", str(world.port))
    for origin in ({}, {"Origin": f"http://{host}"}):
        assert world.send(Ask("GET", f"{world.base_path}/open"), origin, host).refused


def test_a_base_path_that_is_no_apis_is_refused(world: World) -> None:
    known = world.base_path.encode()
    other = "/deadbeef" if world.base_path != "/deadbeef" else "/deadbeee"
    escaped = "/" + "".join(f"%{byte:02x}" for byte in known[1:])
    for base_path in (
        *(other, f"/{world.base_path}", f"{world.base_path}0", world.base_path.upper() + "A"),
        *(escaped, f"/x/..{world.base_path}", "/shown", "/_aws/execute-api" + world.base_path),
    ):
        answer = world.send(Ask("GET", f"{base_path}/open"))
        assert answer.refused, base_path
        assert answer.body != b"from the function"


def test_a_function_url_is_as_open_as_its_auth_type_says(world: World) -> None:
    ask = Ask("GET", "/")
    assert world.send(ask, {"Origin": EVIL}, world.open_url).body == b"from the function"
    assert world.send(ask, host=world.closed_url).status == 403
    for bogus in ("/?X-Amz-Signature=0", f"/?{fake_query('lambda')}"):
        assert world.send(Ask("GET", bogus), host=world.closed_url).status == 403
        assert world.send(Ask("OPTIONS", bogus), host=world.closed_url).body == b""
    signed = signed_headers(f"http://{world.closed_url}/", service="lambda")
    assert world.send(ask, signed, world.closed_url).body == b"from the function"


PREFLIGHT = {"Access-Control-Request-Method": "GET"}


@pytest.mark.parametrize("of", ["api", "open_url", "closed_url", "bucket"])
def test_a_preflight_is_answered_as_the_doors_cors_says(world: World, of: str) -> None:
    path, host = ("/shown/key", "") if of == "bucket" else ("/open", getattr(world, of))
    for origin, allowed in ((EVIL, False), ("null", False), ("https://app.example", True)):
        answer = world.send(Ask("OPTIONS", path), {"Origin": origin, **PREFLIGHT}, host)
        given = answer.headers.get("access-control-allow-origin")
        assert given == ("https://app.example" if allowed else None)


@pytest.mark.parametrize(
    "path",
    ["/", "/plain/key", "/2015-03-31/functions", "/_ministack/reset", "/no-bucket/x", "/mqtt"],
)
@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:3000"])
def test_no_other_preflight_is_answered(world: World, path: str, origin: str) -> None:
    asked = {"Access-Control-Request-Headers": "authorization,x-amz-target", **PREFLIGHT}
    assert world.send(Ask("OPTIONS", path), {"Origin": origin, **asked}).refused


def form(world: World, **changed: str) -> Ask:
    made = world.client("s3").generate_presigned_post("shown", "form.txt")
    fields = {**made["fields"], **changed}
    lines = [
        f'--xx\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
        if value
    ]
    lines.append(
        '--xx\r\nContent-Disposition: form-data; name="file"\r\n\r\nuploaded\r\n--xx--\r\n'
    )
    kind = {"Content-Type": "multipart/form-data; boundary=xx"}
    return Ask("POST", "/shown", "".join(lines).encode(), kind)


def test_a_form_uploads_if_it_is_signed(world: World) -> None:
    answer = world.send(form(world), {"Origin": EVIL})
    assert answer.status == 204, answer.body
    found = world.client("s3").get_object(Bucket="shown", Key="form.txt")
    assert found["Body"].read() == b"uploaded"


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "other.txt"},
        {"signature": "AAAA"},
        {"AWSAccessKeyId": "test"},
        {"AWSAccessKeyId": "000000000000"},
        {"policy": ""},
        {"signature": ""},
        {"policy": "", "signature": "", "AWSAccessKeyId": ""},
    ],
)
def test_a_form_that_is_not_signed_so_uploads_nothing(
    world: World, changed: Mapping[str, str]
) -> None:
    changed = {"key": "forged.txt", **changed} if "key" not in changed else changed
    assert 400 <= world.send(form(world, **changed)).status < 500
    listed = world.client("s3").list_objects_v2(Bucket="shown")["Contents"]
    assert not {each["Key"] for each in listed} & {"forged.txt", "other.txt"}


def test_people_sign_up_and_in_without_a_key(world: World) -> None:
    person = {"ClientId": world.client_id, "Username": uuid.uuid4().hex, "Password": "Secret-123"}
    assert world.send(cognito("SignUp", **person)).status == 200
    assert world.send(cognito("SignUp", **person), {"Origin": EVIL}).refused
    page = {"Origin": f"http://localhost:{world.port}"}
    again = world.send(cognito("SignUp", **person), page)
    assert b"UsernameExistsException" in again.body


@pytest.mark.parametrize("operation", ["ListUserPools", "AdminCreateUser", "ListUsers", "No"])
def test_no_administration_of_people_without_a_key(world: World, operation: str) -> None:
    assert world.send(cognito(operation, UserPoolId=world.pool, MaxResults=1)).refused


def test_credentials_are_for_identities_of_a_pool_and_in_its_role_alone(world: World) -> None:
    def vended(**request: Any) -> Answer:
        return world.send(cognito("GetCredentialsForIdentity", of="Identity", **request))

    for request in ({"IdentityId": "us-east-1:nobody"}, {}, {"IdentityId": None}):
        answer = vended(**request)
        assert answer.status >= 400
        assert b"SecretKey" not in answer.body
    pools = world.client("cognito-identity")
    made = pools.create_identity_pool(
        IdentityPoolName="guests", AllowUnauthenticatedIdentities=True
    )
    pool = made["IdentityPoolId"]
    found = world.send(cognito("GetId", of="Identity", IdentityPoolId=pool))
    identity = json.loads(found.body)["IdentityId"]
    answer = vended(IdentityId=identity)
    assert b"InvalidIdentityPoolConfiguration" in answer.body
    role = "arn:aws:iam::000000000000:role/guest"
    pools.set_identity_pool_roles(IdentityPoolId=pool, Roles={"unauthenticated": role})
    assert b"SecretKey" in vended(IdentityId=identity).body
    assert b"SecretKey" not in vended(IdentityId=identity, Logins={"who": "ever"}).body


@pytest.mark.parametrize("name", ["abcd.us-east-1.aoss", "shown.s3", "x.appsync-api.us-east-1"])
def test_the_doors_of_cognito_are_at_this_clouds_own_name_alone(world: World, name: str) -> None:
    host = f"{name}.localhost:{world.port}"
    for ask in (
        cognito("GetId", of="Identity", IdentityPoolId="x"),
        cognito("SignUp", ClientId=world.client_id, Username="ann", Password="Secret-123"),
        Ask("GET", f"/{world.pool}/.well-known/jwks.json"),
    ):
        assert world.send(ask, host=host).refused


def test_a_pools_keys_are_public(world: World) -> None:
    ask = Ask("GET", f"/{world.pool}/.well-known/jwks.json")
    answer = world.send(ask)
    assert (answer.status, list(json.loads(answer.body))) == (200, ["keys"])
    assert world.send(ask, {"Origin": EVIL}).refused
    for path in ("/us-east-1_none/.well-known/jwks.json", f"/x/{world.pool}/.well-known/jwks.json"):
        assert world.send(Ask("GET", path)).refused
