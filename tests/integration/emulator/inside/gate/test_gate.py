"""Who is served by the embedded cloud: door by door, and what tries to get past them."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import socket
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import psutil
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config as ClientConfig
from botocore.credentials import Credentials

from devbridge.cloud import keys
from devbridge.config import Config
from devbridge.emulator import process
from devbridge.emulator.embedded import embedded_cloud
from devbridge.emulator.ports import free_port
from devbridge.emulator.state import Running
from devbridge.transport import sigv4
from devbridge.transport.base import AwsCredentials, Endpoint
from tests.clients import administer, reset, root_client, signed_headers
from tests.waiting import eventually

EVIL = "https://evil.example"
PARAMETER = "/devbridge/demo/secret"
ROLE = "arn:aws:iam::000000000000:role/worker"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:worker"
CODE = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'from the function'}\n"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def refused(self) -> bool:
        return 400 <= self.status < 500 and not any(
            name.startswith("access-control-") for name in self.headers
        )


@dataclass(frozen=True)
class Ask:
    """A request, unsigned: `send` adds what makes it another's."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    service: str = "s3"


@dataclass
class World:
    """An embedded cloud with one of everything that has a door."""

    endpoint: str
    api: str = ""
    socket_api: str = ""
    open_url: str = ""
    closed_url: str = ""
    pool: str = ""
    client_id: str = ""

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])

    def client(self, service: str, **options: Any) -> Any:
        return root_client(self.endpoint, service, **options)

    def send(self, ask: Ask, headers: Mapping[str, str] | None = None, host: str = "") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Host": host or f"127.0.0.1:{self.port}", **ask.headers, **(headers or {})}
        with closing(connection):
            connection.request(ask.method, ask.path, ask.body, sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())

    def raw(self, request: str) -> bytes:
        """The first line of the answer to a request that no library would send."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall(request.replace("PORT", str(self.port)).encode("latin-1"))
            return connection.makefile("rb").readline()


def zipped(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("m.py", text)
    return file.getvalue()


@pytest.fixture(scope="module")
def world(shared_cloud: Running) -> World:
    reset(shared_cloud.endpoint_url)
    made = World(shared_cloud.endpoint_url)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
    made.client("iam").create_role(
        RoleName="worker",
        AssumeRolePolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]}
        ),
    )
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    made.client("iam").put_role_policy(
        RoleName="worker",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    made.client("ssm").put_parameter(Name=PARAMETER, Value="s3cret", Type="SecureString")
    _with_bucket(made)
    _with_function(made)
    _with_apis(made)
    cognito = made.client("cognito-idp")
    made.pool = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
    made.client_id = cognito.create_user_pool_client(
        UserPoolId=made.pool, ClientName="page", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    return made


def _with_bucket(world: World) -> None:
    s3 = world.client("s3")
    for bucket in ("shown", "plain"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="a b/ü.txt", Body=b"hello")
    rule = {"AllowedOrigins": ["https://app.example"], "AllowedMethods": ["GET", "PUT", "POST"]}
    s3.put_bucket_cors(Bucket="shown", CORSConfiguration={"CORSRules": [rule]})


def _with_function(world: World) -> None:
    functions = world.client("lambda")
    made = functions.create_function(
        FunctionName="worker",
        Runtime="python3.11",
        Role=ROLE,
        Handler="m.handler",
        Code={"ZipFile": zipped(CODE)},
    )
    assert made["FunctionArn"] == FUNCTION
    functions.invoke(FunctionName="worker")  # from now on its session is known
    functions.publish_version(FunctionName="worker")
    functions.create_alias(FunctionName="worker", Name="closed", FunctionVersion="1")
    cors = {"AllowOrigins": ["https://app.example"], "AllowMethods": ["GET"]}
    open_ = functions.create_function_url_config(FunctionName="worker", AuthType="NONE", Cors=cors)
    closed = functions.create_function_url_config(
        FunctionName="worker", Qualifier="closed", AuthType="AWS_IAM", Cors=cors
    )
    functions.add_permission(
        FunctionName="worker",
        StatementId="public",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    world.open_url, world.closed_url = (
        f"{urlsplit(each['FunctionUrl']).hostname.partition('.')[0]}"
        f".lambda-url.us-east-1.localhost:{world.port}"
        for each in (open_, closed)
    )


def _with_apis(world: World) -> None:
    apis = world.client("apigatewayv2")
    for kind in ("HTTP", "WEBSOCKET"):
        settings: dict[str, Any] = {"Name": kind, "ProtocolType": kind}
        if kind == "HTTP":
            settings["CorsConfiguration"] = {
                "AllowOrigins": ["https://app.example"],
                "AllowMethods": ["GET"],
            }
        else:
            settings["RouteSelectionExpression"] = "$request.body.action"
        api_id = apis.create_api(**settings)["ApiId"]
        target = apis.create_integration(
            ApiId=api_id,
            IntegrationType="AWS_PROXY",
            IntegrationUri=FUNCTION,
            PayloadFormatVersion="2.0" if kind == "HTTP" else "1.0",
        )["IntegrationId"]
        routes = {"GET /open": "NONE", "GET /closed": "AWS_IAM"} if kind == "HTTP" else {}
        for key, authorization in (routes or {"$connect": "NONE"}).items():
            apis.create_route(
                ApiId=api_id,
                RouteKey=key,
                AuthorizationType=authorization,
                Target=f"integrations/{target}",
            )
        stage = "$default" if kind == "HTTP" else "live"
        apis.create_stage(ApiId=api_id, StageName=stage, AutoDeploy=True)
        host = f"{api_id}.execute-api.localhost:{world.port}"
        if kind == "HTTP":
            world.api = host
        else:
            world.socket_api = host


# --- the doors ------------------------------------------------------------------------------------


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


def cognito(operation: str, *, of: str = "IdentityProvider", **request: Any) -> Ask:
    headers = {
        "X-Amz-Target": f"AWSCognito{of}Service.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    return Ask("POST", "/", json.dumps(request).encode(), headers, "cognito-idp")


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


# --- what is not signed by a key of this cloud ----------------------------------------------------

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
OWN = [
    ("GET", "/_ministack/health"),
    ("GET", "/_localstack/health"),
    ("GET", "/_localstack/x"),
    ("GET", "/health"),
    ("GET", "/_ministack/ready"),
    ("POST", "/_ministack/reset"),
    ("POST", "/_ministack/config"),
    ("GET", "/_ministack/ses/messages"),
    ("GET", "/_ministack/sqs/messages"),
    ("GET", "/_ministack/sns/sms-messages"),
    ("GET", "/_ministack/iot/ca.pem"),
    ("GET", "/_ministack/rds/ca.pem"),
    ("POST", "/_ministack/rds/iam-auth"),
    ("GET", "/_ministack/transfer/sftp-ports"),
    ("GET", "/_ministack/lambda-code/worker"),
    ("PUT", "/_ministack/cfn-response/x"),
    ("PUT", "/_ministack/cfn-signal/x"),
    ("POST", "/_ministack/eks-auth/x"),
    ("GET", "/_devbridge/credentials"),
]
WANTED |= {path: Ask(method, path) for method, path in OWN}


def root(world: World) -> Credentials:
    key = keys.of_endpoint(world.endpoint)
    return Credentials(key.access_key, key.secret_key)


def unsalted() -> Credentials:
    """A function's credentials, by who knows its name and its role's, as ministack makes them."""
    digest = hashlib.sha256(f"{FUNCTION}:{ROLE}".encode()).hexdigest()
    secret, token = (
        hashlib.sha256(f"{what}:{digest}".encode()).hexdigest() for what in ("secret", "token")
    )
    return Credentials(f"ASIA{digest[:16].upper()}", secret, token)


def fake(service: str, key: str = "test") -> str:
    scope = time.strftime("%Y%m%d", time.gmtime()) + f"/us-east-1/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host, Signature=0"


def fake_query(service: str, key: str = "test") -> str:
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return urlencode(
        {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{key}/{moment[:8]}/us-east-1/{service}/aws4_request",
            "X-Amz-Date": moment,
            "X-Amz-Expires": "604800",
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": "0" * 64,
        }
    )


def with_query(ask: Ask, query: str) -> Ask:
    joined = f"{ask.path}{'&' if '?' in ask.path else '?'}{query}"
    return Ask(ask.method, joined, ask.body, ask.headers, ask.service)


def signed(world: World, ask: Ask, credentials: Credentials, **tampered: bytes) -> Ask:
    """The request signed rightly with those credentials."""
    request = AWSRequest(ask.method, world.endpoint + ask.path, dict(ask.headers), ask.body)
    auth = S3SigV4Auth if ask.service == "s3" else SigV4Auth
    auth(credentials, ask.service, "us-east-1").add_auth(request)
    body = tampered.get("body", ask.body)
    return Ask(ask.method, ask.path, body, dict(request.headers), ask.service)


def ways(world: World, ask: Ask) -> Iterator[tuple[str, Ask]]:
    own = root(world)
    yield "unsigned", ask
    for key in ("test", "", "000000000000", own.access_key):
        yield (
            f"header {key}",
            Ask(
                ask.method,
                ask.path,
                ask.body,
                {**ask.headers, "Authorization": fake(ask.service, key)},
            ),
        )
        yield f"query {key}", with_query(ask, fake_query(ask.service, key))
    yield (
        "old header",
        Ask(ask.method, ask.path, ask.body, {**ask.headers, "Authorization": "AWS test:AAAA"}),
    )
    yield "old query", with_query(ask, "AWSAccessKeyId=test&Signature=AAAA&Expires=9999999999")
    for known in (
        Credentials("test", "test"),
        Credentials("000000000000", "test"),
        Credentials(own.access_key, "test"),
        Credentials(own.access_key, own.secret_key, "token"),
        unsalted(),
    ):
        yield f"signed {known.access_key}", signed(world, ask, known)
    bearer = {**ask.headers, "Authorization": "Bearer x"}
    yield "bearer", Ask(ask.method, ask.path, ask.body, bearer)


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


def trusted(world: World) -> str:
    """A role that root may assume, with all permissions."""
    iam = world.client("iam")
    name = f"r{uuid.uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    arn: str = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    return arn


@pytest.mark.parametrize(
    "path",
    [
        "/_aws/execute-api/{api}/$default/open",
        "/restapis/{api}/$default/_user_request_/open",
        "/_aws/lambda-url/{url}/",
    ],
)
def test_an_api_has_one_address_where_nobody_signs(world: World, path: str) -> None:
    known = {"api": world.api.partition(".")[0], "url": world.open_url.partition(".")[0]}
    for way, ask in ways(world, Ask("GET", path.format(**known))):
        assert world.send(ask).refused, way
        assert world.send(ask, {"Origin": EVIL}).refused, way


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


def test_ministacks_own_paths_are_for_root_alone(world: World) -> None:
    assert administer(world.endpoint, "GET", "/_ministack/health")[0] == 200
    given = world.client("sts").assume_role(RoleArn=trusted(world), RoleSessionName="me")
    keys_ = given["Credentials"]
    session = Credentials(keys_["AccessKeyId"], keys_["SecretAccessKey"], keys_["SessionToken"])
    for method, path in OWN[:-1]:
        ask = Ask(method, path)
        if path != "/health":  # to S3, which has no such bucket
            assert world.send(signed(world, ask, session)).refused, path


# --- hosts and tricks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:PORT",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.evil.example:PORT",
        "0.0.0.0:PORT",
        "[::1]:PORT",
        "127.0.0.1:PORT@evil.example",
        "x.iot.us-east-1.localhost",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/_devbridge/health", "/shown/a%20b/%C3%BC.txt"])
def test_a_host_that_is_not_ours_is_refused_signed_or_not(
    world: World, host: str, path: str
) -> None:
    host = host.replace("PORT", str(world.port))
    ask = Ask("GET", path)
    request = AWSRequest("GET", world.endpoint + path, {"Host": host})
    S3SigV4Auth(root(world), "s3", "us-east-1").add_auth(request)
    assert world.send(ask, host=host or " ").refused
    assert world.send(ask, dict(request.headers), host or " ").refused


@pytest.mark.parametrize(
    "request_",
    [
        "POST http://127.0.0.1:PORT/_ministack/reset HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "GET http://evil.example/_devbridge/health HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "POST //_ministack/reset HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "POST /%5fministack/reset HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "POST /_ministack%2freset HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "POST /_devbridge/health/../../_ministack/reset HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "POST /_devbridge/health HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "GET /_devbridge/health HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: evil\r\n\r\n",
        "GET /_devbridge/health HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: http://localhost"
        "\r\nOrigin: https://evil.example\r\n\r\n",
        "GET /_devbridge/health HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ"
        "CAAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
        "GET /_ministack/health HTTP/1.1\r\nHost: HOST\r\n\r\n",
    ],
)
def test_tricks_get_no_further(world: World, request_: str) -> None:
    line = world.raw(request_.replace("HOST", "x.lambda-url.us-east-1.localhost:PORT"))
    assert line == b"" or line.split()[1][:1] in (b"4", b"5"), line
    assert world.client("lambda").get_function(FunctionName="worker")


@pytest.mark.parametrize("path", [path for _, path in OWN])
@pytest.mark.parametrize("of", ["api", "open_url"])
def test_ministacks_own_paths_are_the_apis_at_its_host(world: World, path: str, of: str) -> None:
    for method in ("GET", "POST", "PUT"):
        answer = world.send(Ask(method, path, b"{}"), host=getattr(world, of))
        assert (answer.status, answer.body) in (
            (404, b'{"message":"Not Found"}'),
            (404, b'{"message": "Not Found"}'),
            (200, b"from the function"),
        )
    assert world.client("lambda").get_function(FunctionName="worker")


# --- WebSockets -----------------------------------------------------------------------------------


def mqtt(world: World) -> Endpoint:
    answer = world.client("iot").describe_endpoint(endpointType="iot:Data-ATS")
    host = answer["endpointAddress"].partition(":")[0]
    return Endpoint(host, "us-east-1", ("127.0.0.1", world.port))


def upgrade(world: World, path: str, host: str, origin: str = "", **headers: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol: mqtt",
        *([f"Origin: {origin}"] if origin else []),
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return world.raw("\r\n".join([*lines, "", ""]))


def aws(credentials: Credentials) -> AwsCredentials:
    return AwsCredentials(credentials.access_key, credentials.secret_key, credentials.token)


def test_the_mqtt_broker_wants_a_signature(world: World) -> None:
    endpoint, own = mqtt(world), root(world)
    assert b" 101 " in upgrade(world, sigv4.signed_path(endpoint, aws(own)), endpoint.host)
    wrong = [
        "/mqtt",
        "/",
        f"/mqtt?{fake_query('iotdevicegateway')}",
        f"/mqtt?{fake_query('iotdevicegateway', '')}",
        f"/mqtt?{fake_query('iotdevicegateway', '000000000000')}",
        f"/mqtt?{fake_query('iotdevicegateway', own.access_key)}",
        sigv4.signed_path(endpoint, AwsCredentials("test", "test")),
        sigv4.signed_path(endpoint, AwsCredentials("000000000000", "test")),
        sigv4.signed_path(endpoint, aws(unsalted())),
        sigv4.signed_path(endpoint, AwsCredentials(own.access_key, "test")),
        sigv4.signed_path(endpoint, aws(own), now=time.time() - 3600),
        sigv4.signed_path(Endpoint("other-ats.iot.us-east-1.localhost", "us-east-1"), aws(own)),
    ]
    for path in wrong:
        for origin in ("", EVIL, "http://localhost"):
            line = upgrade(world, path, endpoint.host, origin)
            assert b" 403 " in line, (path, line)
            line = upgrade(world, path, f"x.iot.us-east-1.localhost:{world.port}", origin)
            assert b" 403 " in line, (path, line)
    bogus = {"Authorization": fake("iotdevicegateway")}
    assert b" 403 " in upgrade(world, "/mqtt", endpoint.host, **bogus)


def test_a_websocket_api_is_as_open_as_its_routes(world: World) -> None:
    assert b" 101 " in upgrade(world, "/live", world.socket_api, EVIL)
    for host in ("x.appsync-realtime-api.localhost:PORT", "127.0.0.1:PORT"):
        for path in ("/live", f"/_aws/execute-api/{world.socket_api[:8]}/live"):
            line = upgrade(world, path, host.replace("PORT", str(world.port)))
            assert b" 403 " in line, (host, path)


def test_keys_are_not_in_what_functions_inherit(world: World) -> None:
    code = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    name = f"shows-{uuid.uuid4().hex[:8]}"
    world.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=ROLE,
        Handler="m.handler",
        Code={"ZipFile": zipped(code)},
    )
    shown = world.client("lambda").invoke(FunctionName=name)["Payload"].read().decode()
    own = root(world)
    assert "AWS_SECRET_ACCESS_KEY" in shown
    assert own.secret_key not in shown
    assert own.access_key not in shown


# --- what else would listen -----------------------------------------------------------------------

BOOTSTRAP = """\
#!{python}
import os, sys, time, urllib.request
from pathlib import Path
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
with urllib.request.urlopen(api + "next") as answer:
    run, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], answer.read()
Path("{started}").touch()
while not Path("{until}").exists():
    time.sleep(0.02)
urllib.request.urlopen(api + run + "/response", event).read()
"""


def listening(pid: int) -> set[tuple[str, int]]:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return {
        (connection.laddr.ip, connection.laddr.port)
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def test_the_runtime_api_of_a_custom_runtime_is_for_its_function_alone(
    world: World, shared_cloud: Running, tmp_path: Path
) -> None:
    places = {name: tmp_path / name for name in ("started", "until")}
    archive, entry = io.BytesIO(), zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(entry, BOOTSTRAP.format(python=sys.executable, **places))
    functions = world.client("lambda")
    functions.create_function(
        FunctionName="custom",
        Runtime="provided.al2023",
        Role=ROLE,
        Handler="bootstrap",
        Code={"ZipFile": archive.getvalue()},
    )
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(functions.invoke, FunctionName="custom", Payload=b'{"a": 1}')
        eventually(places["started"].exists)
        others = {each for each in listening(shared_cloud.pid) if each[1] != world.port}
        try:
            assert {address for address, _ in others} == {"127.0.0.1"}
            for _, port in others:
                stranger = World(f"http://127.0.0.1:{port}")
                for path in ("", "/x", "/"):
                    ask = Ask("GET", f"{path}/2018-06-01/runtime/invocation/next")
                    assert stranger.send(ask).status == 403
                forged = Ask("POST", "/2018-06-01/runtime/init/error", b"{}")
                assert stranger.send(forged).status == 403
        finally:
            places["until"].touch()
        assert json.load(call.result()["Payload"]) == {"a": 1}


def test_what_would_listen_on_all_interfaces_listens_on_loopback(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    mtls = free_port()
    made = process.cloud_environment

    def with_mtls(*arguments: Any) -> dict[str, str]:
        return {**made(*arguments), "IOT_MTLS_ENABLED": "1", "IOT_MTLS_PORT": str(mtls)}

    monkeypatch.setattr(process, "cloud_environment", with_mtls)
    with embedded_cloud(make_config(), lambda _: None) as cloud:
        pid, port = cloud.running.pid, cloud.running.port
        eventually(lambda: len(listening(pid)) == 2)
        assert listening(pid) == {("127.0.0.1", port), ("127.0.0.1", mtls)}
