"""What tries to get past the doors."""

from __future__ import annotations

import time

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from devbridge.transport import sigv4
from devbridge.transport.base import AwsCredentials, Endpoint
from tests.clients import administer
from tests.integration.emulator.inside.world import (
    EVIL,
    OWN,
    Ask,
    World,
    fake,
    fake_query,
    root,
    signed,
    trusted,
    unsalted,
)


def test_ministacks_own_paths_are_for_root_alone(world: World) -> None:
    assert administer(world.endpoint, "GET", "/_ministack/health")[0] == 200
    given = world.client("sts").assume_role(RoleArn=trusted(world), RoleSessionName="me")
    keys_ = given["Credentials"]
    session = Credentials(keys_["AccessKeyId"], keys_["SecretAccessKey"], keys_["SessionToken"])
    for method, path in OWN[:-1]:
        ask = Ask(method, path)
        if path != "/health":  # to S3, which has no such bucket
            assert world.send(signed(world, ask, session)).refused, path


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
    base_path = f"/{world.socket_api[:8]}"
    assert b" 101 " in upgrade(world, f"{base_path}/live", f"127.0.0.1:{world.port}", EVIL)
    assert b" 101 " not in upgrade(world, f"{base_path}/live", f"evil.example:{world.port}", EVIL)
    for host in ("x.appsync-realtime-api.localhost:PORT", "127.0.0.1:PORT"):
        for path in ("/live", f"/_aws/execute-api/{world.socket_api[:8]}/live"):
            line = upgrade(world, path, host.replace("PORT", str(world.port)))
            assert b" 403 " in line, (host, path)
