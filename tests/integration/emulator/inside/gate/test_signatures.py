"""What is signed with a key of this cloud is served, and nothing that only looks so."""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config as ClientConfig
from botocore.credentials import Credentials

from tests.integration.emulator.inside.world import (
    CODE,
    EVIL,
    OWN,
    ROLE,
    Ask,
    World,
    fake,
    root,
    signed,
    trusted,
    ways,
    zipped,
)
from tests.waiting import eventually


def presigned(world: World, version: str, **options: Any) -> str:
    s3 = world.client(
        "s3", config=ClientConfig(signature_version=version, s3={"addressing_style": "path"})
    )
    place = {"Bucket": "shown", "Key": "a b/ü.txt"}
    url: str = s3.generate_presigned_url("get_object", Params=place, **options)
    return url.partition(f":{world.port}")[2]


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_is_served_and_the_buckets_cors_decides(world: World, version: str) -> None:
    ask = Ask("GET", presigned(world, version))
    answer = world.send(ask, {"Origin": EVIL})
    assert (answer.status, answer.body) == (200, b"hello")
    assert "access-control-allow-origin" not in answer.headers
    answer = world.send(ask, {"Origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_is_good_for_itself_alone(world: World, version: str) -> None:
    path = presigned(world, version)
    others = [
        Ask("PUT", path, b"x"),
        Ask("DELETE", path),
        Ask("GET", path.replace("/shown/", "/plain/")),
        Ask("GET", path.replace("%C3%BC", "u")),
        Ask("GET", path, headers={"X-Amz-Target": "AmazonSSM.DescribeParameters"}),
        Ask("GET", path, headers={"x-amz-acl": "public-read"}),
        Ask("GET", path, headers={"Authorization": fake("s3")}),
        Ask("GET", f"{path}&Action=ListUsers&Version=2010-05-08"),
        Ask("GET", path[:-1] + ("0" if path[-1] != "0" else "1")),
    ]
    for ask in others:
        assert world.send(ask).refused, ask
    if version == "s3v4":
        assert world.send(Ask("GET", path), host=f"localhost:{world.port}").refused


def test_a_presigned_put_copies_nothing_that_was_not_signed(world: World) -> None:
    url = world.client("s3").generate_presigned_url(
        "put_object", Params={"Bucket": "shown", "Key": "copy"}
    )
    path = url.partition(f":{world.port}")[2]
    stolen = {"x-amz-copy-source": "/plain/a%20b/%C3%BC.txt"}
    assert world.send(Ask("PUT", path, headers=stolen)).refused
    assert world.send(Ask("PUT", path, b"mine")).status == 200


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_ends(world: World, version: str) -> None:
    path = presigned(world, version, ExpiresIn=1)
    eventually(lambda: world.send(Ask("GET", path)).refused)


def test_a_presigned_url_is_not_for_ever_and_not_of_tomorrow(world: World) -> None:
    def signed(at: float, expires: int) -> str:
        request = AWSRequest("GET", f"{world.endpoint}/plain/x")
        auth: Any = SigV4QueryAuth(root(world), "s3", "us-east-1", expires=expires)
        request.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
        auth.payload = lambda _: "UNSIGNED-PAYLOAD"
        auth._modify_request_before_signing(request)
        canonical = auth.canonical_request(request)
        signature = auth.signature(auth.string_to_sign(request, canonical), request)
        return f"{request.url}&X-Amz-Signature={signature}".partition(f":{world.port}")[2]

    now = time.time()
    assert world.send(Ask("GET", signed(now, 60))).status == 404
    for at, expires in ((now - 120, 60), (now + 3600, 60), (now, 8 * 24 * 3600)):
        assert world.send(Ask("GET", signed(at, expires))).status == 403


SSM = {
    "X-Amz-Target": "AmazonSSM.GetParametersByPath",
    "Content-Type": "application/x-amz-json-1.1",
}


SECRETS = {"Path": "/devbridge", "Recursive": True, "WithDecryption": True}


EVIL_FUNCTION = {
    "FunctionName": "evil",
    "Runtime": "python3.11",
    "Role": ROLE,
    "Handler": "m.handler",
    "Code": {"ZipFile": base64.b64encode(zipped(CODE)).decode()},
}


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


ROLE_FORM = {
    "Action": "CreateRole",
    "Version": "2010-05-08",
    "RoleName": "evil",
    "AssumeRolePolicyDocument": "{}",
}


WANTED = {
    "the secrets": Ask("POST", "/", json.dumps(SECRETS).encode(), SSM, "ssm"),
    "a function made": Ask(
        "POST", "/2015-03-31/functions", json.dumps(EVIL_FUNCTION).encode(), service="lambda"
    ),
    "a function's call": Ask(
        "POST", "/2015-03-31/functions/worker/invocations", b"{}", service="lambda"
    ),
    "a role": Ask("POST", "/", urlencode(ROLE_FORM).encode(), FORM, "iam"),
    "who am I": Ask("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", FORM, "sts"),
    "an object": Ask("GET", "/shown/a%20b/%C3%BC.txt"),
    "an upload": Ask("PUT", "/shown/evil.txt", b"x"),
    "all buckets": Ask("GET", "/"),
    "a stage's template": Ask("POST", "/", b"Action=ListStacks", FORM, "cloudformation"),
    "a web identity": Ask(
        "POST",
        "/",
        b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&WebIdentityToken=aaaaaa"
        b"&RoleSessionName=me&RoleArn=" + quote(ROLE).encode(),
        FORM,
        "sts",
    ),
    "a device's shadow": Ask("GET", "/things/x/shadow", service="iotdata"),
    "a registry": Ask("GET", "/v2/_catalog", service="ecr"),
    "GraphQL": Ask("POST", "/v1/apis/x/graphql", b"{}", service="appsync"),
    "Iceberg": Ask("GET", "/iceberg/v1/config", service="s3tables"),
    "the login page": Ask("GET", "/oauth2/authorize?client_id=x&response_type=code"),
    "a token": Ask("POST", "/oauth2/token", b"grant_type=client_credentials", FORM),
    "SES v2": Ask("GET", "/v2/email/identities", service="ses"),
    "RDS": Ask("POST", "/Execute", b"{}", service="rds-data"),
    "S3 Control": Ask("GET", "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Ashown"),
}


WANTED |= {path: Ask(method, path) for method, path in OWN}


@pytest.mark.parametrize("wanted", WANTED)
def test_without_a_key_of_this_cloud_nothing_is_had(world: World, wanted: str) -> None:
    for way, ask in ways(world, WANTED[wanted]):
        for host in (f"127.0.0.1:{world.port}", f"lambda.us-east-1.localhost:{world.port}"):
            answer = world.send(ask, host=host)
            assert answer.refused, (way, host, answer)
    assert "evil" not in json.dumps(world.client("lambda").list_functions()["Functions"])
    assert "evil" not in [each["RoleName"] for each in world.client("iam").list_roles()["Roles"]]


@pytest.mark.parametrize("wanted", ["the secrets", "a function's call", "a role", "an object"])
def test_what_is_signed_with_a_key_of_this_cloud_is_served(world: World, wanted: str) -> None:
    ask = WANTED[wanted]
    if wanted == "a role":
        ask = Ask("POST", "/", b"Action=ListRoles&Version=2010-05-08", FORM, "iam")
    sessions = world.client("sts").assume_role(RoleArn=trusted(world), RoleSessionName="me")
    given = sessions["Credentials"]
    session = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    user = world.client("iam")
    name = f"u{uuid.uuid4().hex[:8]}"
    user.create_user(UserName=name)
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    user.put_user_policy(
        UserName=name,
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    key = user.create_access_key(UserName=name)["AccessKey"]
    for known in (root(world), session, Credentials(key["AccessKeyId"], key["SecretAccessKey"])):
        answer = world.send(signed(world, ask, known))
        assert answer.status == 200, answer
        # ... from a page of elsewhere, too: it has the key.
        assert world.send(signed(world, ask, known), {"Origin": EVIL}).status == 200
        tampered = signed(world, ask, known, body=ask.body + b" ")
        assert world.send(tampered).refused
        without = signed(world, ask, Credentials(known.access_key, known.secret_key))
        assert world.send(without).refused is bool(known.token)
    user.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert world.send(signed(world, ask, known)).refused


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=KEY/x/us-east-1/s3/aws4_request, SignedHeaders=host, "
        "Signature=\xfc",
        "AWS4-HMAC-SHA256 Credential=KEY/////, SignedHeaders=;;;, Signature=",
        "AWS4-ECDSA-P256-SHA256 Credential=KEY/20261125/s3/aws4_request, "
        "SignedHeaders=host;x-amz-region-set, Signature=zz",
        "AWS KEY:\xfc",
        "AWS",
    ],
)
def test_what_is_no_signature_at_all_is_an_answer_not_a_crash(
    world: World, authorization: str
) -> None:
    sent = authorization.replace("KEY", str(root(world).access_key))
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    sent = sent.replace("/x/", f"/{moment[:8]}/")
    headers = {"X-Amz-Date": moment, "X-Amz-Region-Set": "*"}
    request = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    line = world.raw(
        f"GET /shown/x HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n{request}Authorization: {sent}\r\n\r\n"
    )
    assert line.split()[1][:1] == b"4", line
