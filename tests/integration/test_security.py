"""Who may speak to the daemon on loopback, and what of it is ever written down.

(That nothing listens beyond loopback is in tests/e2e/test_what_peers_get_wrong.py.)
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devbridge.daemon import http
from devbridge.daemon.runtime_api import RuntimeApi
from runner.invocation import MAX_BODY, Invocation
from tests.e2e.dev_process import DevProcess, run, run_line
from tests.integration.workers import DEADLINE, Said

NEXT = "2018-06-01/runtime/invocation/next"
TOKEN = "the-token-of-worker-one"
OTHER = "the-token-of-worker-two"
SECRET = "what-only-the-worker-may-have"


class Credentials:
    async def get(self, role_arn: str) -> dict[str, str]:
        return {"AccessKeyId": "ASIA", "SecretAccessKey": SECRET, "Token": "t", "Expiration": "z"}


@dataclass
class Api:
    """A Runtime API with two workers, and what its event loop complained about."""

    api: RuntimeApi
    said: Said
    complaints: list[dict[str, Any]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.api.port}"

    async def send(self, data: bytes, *, eof: bool = True) -> bytes:
        """All that comes back for it, until the connection is closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.api.port)
        try:
            async with asyncio.timeout(DEADLINE):
                writer.write(data)
                if eof and writer.can_write_eof():
                    writer.write_eof()
                return await reader.read()
        except ConnectionError:  # it hung up before it had read all: a refusal, too
            return b""
        finally:
            writer.close()

    async def ask(
        self, path: str, *, method: str = "GET", body: bytes = b"", headers: str = ""
    ) -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{headers}"
        if body:
            head += f"Content-Length: {len(body)}\r\n"
        return await self.send(head.encode("latin-1") + b"\r\n" + body)

    async def serves(self) -> bool:
        return (await self.ask(f"/{TOKEN}/still-there")).startswith(b"HTTP/1.1 404")


@asynccontextmanager
async def running() -> AsyncIterator[Api]:
    said = Said()
    api = RuntimeApi(said, Credentials())
    await api.start()
    api.add_worker("one", "arn:role-one", token=TOKEN)
    api.add_worker("two", "arn:role-two", token=OTHER)
    made = Api(api, said)
    asyncio.get_running_loop().set_exception_handler(lambda _, what: made.complaints.append(what))
    try:
        yield made
    finally:
        await api.close()


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running() as made:
        yield made
        assert made.complaints == []


def refused(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 403") or answer == b""


# --- the token ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/credentials/one", ""),
        ("/credentials/one", "Authorization: \r\n"),
        ("/credentials/one", f"Authorization: {OTHER}\r\n"),
        ("/credentials/one", f"Authorization: Bearer {TOKEN}\r\n"),
        ("/credentials/one", f"Authorization: {TOKEN[:-1]}\r\n"),
        ("/credentials/one", f"Authorization: {TOKEN}x\r\n"),
        ("/credentials/two", f"Authorization: {TOKEN}\r\n"),
        ("/credentials/", f"Authorization: {TOKEN}\r\n"),
        ("/credentials", f"Authorization: {TOKEN}\r\n"),
        (f"/credentials/one?token={TOKEN}", ""),
        (f"/{NEXT}", ""),
        (f"/{NEXT}", f"Authorization: {TOKEN}\r\n"),
        (f"/{TOKEN[:-1]}/{NEXT}", ""),
        (f"/{TOKEN.upper()}/{NEXT}", ""),
        (f"/one/{NEXT}", ""),
        ("/", ""),
        ("*", ""),
    ],
)
async def test_without_the_workers_own_token_nothing_is_served(
    api: Api, path: str, headers: str
) -> None:
    answer = await api.ask(path, headers=headers)
    assert refused(answer)
    assert SECRET.encode() not in answer
    assert api.said.events == []


@pytest.mark.parametrize(
    "path",
    [
        "/credentials/../{token}/" + NEXT,
        "/x/../{token}/" + NEXT,
        "/%2e%2e/{token}/" + NEXT,
        "//{token}/" + NEXT,
        "/./{token}/" + NEXT,
        "/%2F{token}/" + NEXT,
        "/{token}%2F" + NEXT,
        "http://127.0.0.1/{token}/" + NEXT,
        "http://evil.example/{token}/" + NEXT,
        "//credentials/one",
        "/credentials//one",
        "/credentials/%2e%2e/one",
        "/credentials/two/../one",
        "/Credentials/one",
    ],
)
async def test_tricks_with_paths_are_refused(api: Api, path: str) -> None:
    answer = await api.ask(path.format(token=TOKEN), headers=f"Authorization: {TOKEN}\r\n")
    assert refused(answer)
    assert SECRET.encode() not in answer
    assert api.said.events == []


@pytest.mark.parametrize("path", [f"/{TOKEN}/{NEXT}", "/credentials/one"])
@pytest.mark.parametrize(
    "headers",
    [
        "Host: evil.example",
        "Host: 127.0.0.1",
        "Host: 127.0.0.1:1",
        "Host: 127.0.0.1.evil.example:{port}",
        "Host: {host}@evil.example",
        "Host: 0.0.0.0:{port}",
        "Host: [::1]:{port}",
        "Host: {host}\r\nOrigin: http://{host}",
        "Host: {host}\r\nOrigin: null",
        "Host: {host}\r\norigin: ",
        "X-Forwarded-Host: {host}\r\nHost: evil.example",
    ],
)
async def test_a_foreign_host_and_any_origin_are_refused(api: Api, path: str, headers: str) -> None:
    lines = headers.format(host=api.host, port=api.api.port)
    request = f"GET {path} HTTP/1.1\r\n{lines}\r\nAuthorization: {TOKEN}\r\n\r\n"
    assert refused(await api.send(request.encode()))
    assert api.said.events == []


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE"])
async def test_other_methods_are_refused(api: Api, method: str) -> None:
    answer = await api.ask(f"/{TOKEN}/{NEXT}", method=method)
    assert answer.startswith(b"HTTP/1.1 405")
    assert api.said.events == []


async def test_two_hosts_are_malformed(api: Api) -> None:
    request = f"GET /{TOKEN}/{NEXT} HTTP/1.1\r\nHost: {api.host}\r\nHost: evil.example\r\n\r\n"
    assert (await api.send(request.encode())).startswith(b"HTTP/1.1 400")


# --- sizes and times ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [http.MAX_HEAD, 300_000])
async def test_headers_over_the_limit_are_refused(api: Api, size: int) -> None:
    answer = await api.ask(f"/{TOKEN}/{NEXT}", headers="X: " + "x" * size + "\r\n")
    assert answer[:12] in (b"HTTP/1.1 431", b"")
    assert api.said.events == []
    assert await api.serves()


async def test_nothing_of_a_strangers_body_is_kept(api: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.api.port)
    head = f"POST /nobody/{NEXT} HTTP/1.1\r\nHost: {api.host}\r\nContent-Length: {MAX_BODY}\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(DEADLINE):
        answer = await reader.read()  # it does not wait for the body
    assert answer.startswith(b"HTTP/1.1 403")
    writer.close()


async def test_a_body_over_the_limit_is_refused(api: Api) -> None:
    path = f"/{TOKEN}/2018-06-01/devbridge/modules"
    answer = await api.ask(path, method="POST", body=b"[" * (MAX_BODY + 1))
    assert answer.startswith(b"HTTP/1.1 4")
    assert api.said.events == []
    assert await api.serves()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /" + TOKEN.encode(),
        b"GET / HTTP/1.1\r\nX: y\r\n",
        f"POST /{TOKEN}/{NEXT} HTTP/1.1\r\nHost: {{host}}\r\nContent-Length: 9\r\n\r\n{{".encode(),
    ],
    ids=["nothing", "half a line", "half a head", "half a body"],
)
async def test_a_request_that_does_not_come_in_time_is_hung_up_on(
    api: Api, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(http, "REQUEST_TIMEOUT", 0.05)
    assert await api.send(sent.replace(b"{host}", api.host.encode()), eof=False) == b""
    assert not api.api._server.strangers


async def test_a_request_that_trickles_is_hung_up_on(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "REQUEST_TIMEOUT", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.api.port)

    async def trickle() -> None:
        while not reader.at_eof() and reader.exception() is None:
            writer.write(b"G")
            await asyncio.sleep(0.01)

    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(reader.read(), trickle(), return_exceptions=True)
    writer.close()


async def test_a_worker_that_waits_or_works_is_never_hung_up_on(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "REQUEST_TIMEOUT", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.api.port)
    writer.write(f"GET /{TOKEN}/{NEXT} HTTP/1.1\r\nHost: {api.host}\r\n\r\n".encode())
    await api.said.wait("ready", "one")
    await api.send(b"", eof=False)  # a stranger's patience is over
    api.api.invoke("one", Invocation("job-1", b"1", 2e9))
    async with asyncio.timeout(DEADLINE):
        await reader.readuntil(b"\r\n\r\n1")
    await api.send(b"", eof=False)
    path = f"/{TOKEN}/2018-06-01/runtime/invocation/job-1/response"
    writer.write(f"POST {path} HTTP/1.1\r\nHost: {api.host}\r\nContent-Length: 1\r\n\r\n2".encode())
    assert await api.said.wait("responded", "one") == ("job-1", b"2")
    writer.close()


async def test_however_many_strangers_connect_a_worker_is_served(api: Api) -> None:
    connections = [
        await asyncio.open_connection("127.0.0.1", api.api.port)
        for _ in range(http.MAX_STRANGERS + 100)
    ]
    assert await api.serves()
    assert len(api.api._server.strangers) <= http.MAX_STRANGERS
    async with asyncio.timeout(DEADLINE):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await connections[0][0].readexactly(1)
    for _, writer in connections:
        writer.close()


# --- fuzzing ------------------------------------------------------------------------------------

paths = st.one_of(
    st.sampled_from(
        [
            f"/{TOKEN}/{NEXT}",
            f"/{TOKEN}/2018-06-01/runtime/init/error",
            f"/{TOKEN}/2018-06-01/runtime/invocation/job/response",
            f"/{TOKEN}/2018-06-01/runtime/invocation/job/error",
            f"/{TOKEN}/2018-06-01/devbridge/modules",
            f"/{TOKEN}",
            "/credentials/one",
            "/credentials/%ff%2f",
        ]
    ),
    st.text("/.%2eFaz?#:@*[]\\", max_size=30).map(lambda text: f"/{text}"),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["errorType", "errorMessage", "stackTrace", "trace", "userFiles", "thirdParty"]
            ),
            inner,
        )
    ),
    max_leaves=10,
)
bodies = st.one_of(
    st.binary(max_size=300),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.integers(0, 2000).map(lambda depth: b'{"errorType":' + b"[" * depth + b"]" * depth + b"}"),
    st.just(b'{"errorType":"\\ud800","userFiles":["\\u0000"],"thirdParty":["\\udfff"]}'),
)
header_lines = st.one_of(
    st.sampled_from(
        [
            b"Host: {host}",
            f"Authorization: {TOKEN}".encode(),
            b"Expect: 100-continue",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: gzip, chunked",
            b"Connection: close",
            b"Connection: upgrade",
            b"Upgrade: websocket",
            b"Content-Length: 5",
            b"Content-Length: -1",
            b"Content-Length: 99999999999999999999",
        ]
    ),
    st.binary(max_size=30).map(lambda noise: b"X: " + noise),
)


@st.composite
def almost_valid(draw: st.DrawFn) -> bytes:
    body = draw(bodies)
    lines = [b"Host: {host}", *draw(st.lists(header_lines, max_size=3))]
    if draw(st.booleans()):
        lines.append(b"Content-Length: %d" % len(body))
    method = draw(st.sampled_from(["GET", "POST", "PUT", "HEAD", "CONNECT", "PRI"]))
    version = draw(st.sampled_from(["1.1", "1.1", "1.1", "1.0", "2.0", "0.9"]))
    head = f"{method} {draw(paths)} HTTP/{version}\r\n".encode()
    request = bytearray(head + b"\r\n".join(lines) + b"\r\n\r\n" + body)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(request) - 1))
        request[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(request)


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[tuple[asyncio.Runner, Api]]:
    with asyncio.Runner() as runner:
        context = running()
        made = runner.run(context.__aenter__())
        yield runner, made
        runner.run(context.__aexit__(None, None, None))
        assert made.complaints == []


@settings(max_examples=400)
@given(st.lists(almost_valid() | st.binary(max_size=200), min_size=1, max_size=4))
def test_no_bytes_break_the_runtime_api(
    fuzzed: tuple[asyncio.Runner, Api], requests: list[bytes]
) -> None:
    runner, api = fuzzed

    async def once() -> None:
        data = b"".join(requests).replace(b"{host}", api.host.encode())
        answer = await api.send(data)
        statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]
        assert all(status < 500 for status in statuses), (data, answer)
        assert await api.serves()
        api.said.events.clear()

    runner.run(once())
    assert api.complaints == []


# --- what is written down -----------------------------------------------------------------------

JOB = """\
import json, os
from pathlib import Path

def handler(payload):
    import boto3

    found = boto3.Session().get_credentials().get_frozen_credentials()
    secrets = [found.secret_key, found.token, os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]]
    Path(payload["tell"]).write_text(json.dumps(secrets))
    print("the key is", found.access_key)
    if payload.get("fail"):
        raise ValueError("as asked")
    return found.access_key
"""


def test_no_token_and_no_credential_of_a_run_is_written_anywhere(tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "jobs").mkdir(parents=True)
    (app / "app.py").write_text(
        "from devbridge import App, Job\n\n"
        'app = App("secretive")\nJob(app, "look", handler="jobs/look.handler")\n'
    )
    (app / "jobs" / "look.py").write_text(JOB)
    secrets: list[str] = []
    with DevProcess(app, "--local", "--stage", "s", "--verbose") as dev:
        dev.wait_for(r"^Ready")
        for number, word in ((0, "Done"), (1, "Error")):
            tell = tmp_path / f"secrets-{number}"
            payload = json.dumps({"tell": str(tell), "fail": number})
            done = run(app, "invoke", "look", "--payload", payload, "--stage", "s", "--json")
            assert done.returncode == 0, done.stderr
            dev.wait_for(run_line(json.loads(done.stdout)["id"], word))
            secrets += json.loads(tell.read_text())
        assert dev.interrupt() == 0
        text = dev.text

    assert len(set(secrets)) >= 4
    assert all(len(secret) > 15 for secret in secrets)
    stage = app / ".devbridge" / "s"
    written = b"\0".join(path.read_bytes() for path in stage.rglob("*") if path.is_file())
    assert b"as asked" in written  # the ledger and the logs are among it
    assert [s for s in secrets if s.encode() in written or s in text] == []
