from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncIterator

import pytest

from devbridge import proxies
from devbridge.errors import BrokerUnreachable
from devbridge.transport import sigv4, tunnel
from devbridge.transport.base import Endpoint
from devbridge.transport.mqtt import MqttTransport
from tests.unit.transport.broker import AsyncBroker, async_broker

pytestmark = pytest.mark.timeout(5)
AWS = Endpoint("a1-ats.iot.eu-west-1.amazonaws.com", "eu-west-1")
HERE = Endpoint("x.iot.us-east-1.localhost", "us-east-1", ("127.0.0.1", 1))


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in proxies.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
async def broker() -> AsyncIterator[AsyncBroker]:
    async with async_broker() as one:
        yield one


class ConnectProxy:
    """An HTTP proxy that leads wherever is asked for to one port; it keeps what it was asked."""

    def __init__(self, port: int, answer: str) -> None:
        self._port = port
        self._answer = answer
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        writer.write(f"HTTP/1.1 {self._answer}\r\n\r\n".encode())
        if self._answer.startswith("200"):
            back, there = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.gather(copy(reader, there), copy(back, writer))
        writer.close()


async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(4096):
        sink.write(data)
    sink.close()


async def connect_through(
    proxy: ConnectProxy, shell: pytest.MonkeyPatch, user: str = "ann:s%40cret"
) -> None:
    """Connect to AWS, without TLS, and end it."""
    shell.setattr(MqttTransport, "_secure", lambda self: (sigv4.PATH, None))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        shell.setenv("HTTPS_PROXY", f"http://{user}@127.0.0.1:{port}")
        transport = MqttTransport(AWS, "me", lambda: None, clean=True, session_expiry=60)
        await transport.connect(subscriptions=("a",), on_delivery=lambda _: None)
        await transport.close()


async def test_the_broker_of_aws_is_reached_through_the_proxy(
    broker: AsyncBroker, shell: pytest.MonkeyPatch
) -> None:
    proxy = ConnectProxy(broker.port, "200 OK")
    await connect_through(proxy, shell)
    assert proxy.asked[0].startswith(f"CONNECT {AWS.host}:443 HTTP/1.")
    user = base64.b64encode(b"ann:s@cret").decode()
    assert f"Proxy-Authorization: Basic {user}" in proxy.asked
    assert len(broker.sessions) == 1


async def test_a_proxy_that_refuses_is_named_without_its_password(
    shell: pytest.MonkeyPatch,
) -> None:
    refusing = ConnectProxy(0, "407 Proxy Authentication Required")
    with pytest.raises(BrokerUnreachable) as caught:
        await connect_through(refusing, shell)
    assert "through the proxy http://ann@127.0.0.1:" in caught.value.what
    assert "407 Proxy Authentication Required" in caught.value.what
    assert caught.value.where == f"{AWS.host}:443"


@pytest.mark.parametrize("url", ["socks5h://127.0.0.1:1", "https://127.0.0.1:1", "http://"])
def test_a_proxy_of_another_kind_is_refused_by_name(shell: pytest.MonkeyPatch, url: str) -> None:
    shell.setenv("HTTPS_PROXY", url)
    with pytest.raises(OSError, match=r"is none of the kind http://host:port"):
        tunnel.connect(AWS, 1.0)


@pytest.mark.parametrize("url", ["http://ann:se/cret@proxy:1", "http://ann:secret@[::1"])
def test_what_cannot_be_read_as_a_proxy_is_refused_without_its_password(
    shell: pytest.MonkeyPatch, url: str
) -> None:
    shell.setenv("HTTPS_PROXY", url)
    with pytest.raises(OSError, match="the proxy http://ann@") as caught:
        tunnel.connect(AWS, 1.0)
    assert "cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_proxy_is_found_as_botocore_finds_it(shell: pytest.MonkeyPatch) -> None:
    assert tunnel.proxy_for(AWS) is None
    shell.setenv("https_proxy", "proxy:3128")
    assert tunnel.proxy_for(AWS) == "http://proxy:3128"
    assert tunnel.proxy_for(HERE) is None
    shell.setenv("no_proxy", ".amazonaws.com")
    assert tunnel.proxy_for(AWS) is None


def test_without_a_proxy_it_is_a_plain_connection() -> None:
    accepted = threading.Event()

    async def serve() -> None:
        async with await asyncio.start_server(lambda r, w: accepted.set(), "127.0.0.1", 0) as one:
            address = one.sockets[0].getsockname()
            endpoint = Endpoint("iot.example", "eu-west-1", address)
            (await asyncio.to_thread(tunnel.connect, endpoint, 1.0)).close()
            await asyncio.to_thread(accepted.wait, 4)

    asyncio.run(serve())
    assert accepted.is_set()
