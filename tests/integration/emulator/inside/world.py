"""An embedded cloud with one of everything that has a door; requests to it, right and forged."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import socket
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from devbridge.cloud import keys
from tests.clients import root_client

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

    @property
    def base_path(self) -> str:
        """The API's, at the cloud's own host."""
        return f"/{self.api.partition('.')[0]}"

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


def with_bucket(world: World) -> None:
    s3 = world.client("s3")
    for bucket in ("shown", "plain"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="a b/ü.txt", Body=b"hello")
    rule = {"AllowedOrigins": ["https://app.example"], "AllowedMethods": ["GET", "PUT", "POST"]}
    s3.put_bucket_cors(Bucket="shown", CORSConfiguration={"CORSRules": [rule]})


def with_function(world: World) -> None:
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


def with_apis(world: World) -> None:
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


def cognito(operation: str, *, of: str = "IdentityProvider", **request: Any) -> Ask:
    headers = {
        "X-Amz-Target": f"AWSCognito{of}Service.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    return Ask("POST", "/", json.dumps(request).encode(), headers, "cognito-idp")


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
