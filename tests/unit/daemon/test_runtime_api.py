"""The Runtime API over real sockets, driven byte by byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devbridge.daemon.runtime_api import RuntimeApi, WorkerAddress
from devbridge.errors import CredentialsError
from devbridge.workers.modules import Modules
from runner.invocation import MAX_BODY, RESULT_TOO_LARGE, Invocation
from runner.outcome import MAX_CHECKPOINT, Failure
from tests.integration.workers import Said

RUNTIME = "2018-06-01/runtime"
pytestmark = pytest.mark.timeout(5)


class Credentials:
    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked: list[str] = []

    async def get(self, role_arn: str) -> dict[str, str]:
        self.asked.append(role_arn)
        if self.error is not None:
            raise self.error
        return {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t", "Expiration": "z"}


class Peer:
    """One connection to the API, with `worker`'s address."""

    def __init__(self, api: RuntimeApi, address: WorkerAddress) -> None:
        self.api = api
        self.token = address.credentials_token

    async def connect(self) -> Peer:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.api.port)
        return self

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        fields = {
            "Host": f"127.0.0.1:{self.api.port}",
            "Content-Length": str(len(body)),
            **headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)

    async def receive(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(30):
            status = int((await self.reader.readline()).split()[1])
            headers = {}
            while line := (await self.reader.readline()).strip():
                name, _, value = line.decode().partition(": ")
                headers[name.lower()] = value
            return status, headers, await self.reader.readexactly(int(headers["content-length"]))

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> int:
        self.send(method, f"/{self.token}/{path}", body, **headers)
        return (await self.receive())[0]

    async def closed(self) -> bool:
        async with asyncio.timeout(30):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def credentials() -> Credentials:
    return Credentials()


@pytest.fixture
async def api(said: Said, credentials: Credentials) -> AsyncIterator[RuntimeApi]:
    api = RuntimeApi(said, credentials)
    await api.start()
    yield api
    await api.close()


@pytest.fixture
def address(api: RuntimeApi) -> WorkerAddress:
    return api.add_worker("w1", "arn:role")


@pytest.fixture
async def peer(api: RuntimeApi, address: WorkerAddress) -> AsyncIterator[Peer]:
    peer = await Peer(api, address).connect()
    yield peer
    peer.writer.close()


def invocation(job_id: str = "job-1") -> Invocation:
    return Invocation(job_id, b'{"a":"\xe2\x82\xac"}', 1700000000.5, "arn:f", {"attempt": "2"})


async def take(peer: Peer, job_id: str = "job-1") -> None:
    peer.api.invoke("w1", invocation(job_id))
    assert await peer.ask("GET", f"{RUNTIME}/invocation/next") == 200


async def test_next_waits_for_an_invocation(api: RuntimeApi, peer: Peer, said: Said) -> None:
    peer.send("GET", f"/{peer.token}/{RUNTIME}/invocation/next")
    await said.wait("ready", "w1")
    api.invoke("w1", invocation())
    status, headers, body = await peer.receive()
    assert (status, body) == (200, b'{"a":"\xe2\x82\xac"}')
    assert headers["lambda-runtime-aws-request-id"] == "job-1"
    assert headers["lambda-runtime-deadline-ms"] == "1700000000500"
    assert headers["lambda-runtime-invoked-function-arn"] == "arn:f"
    context = json.loads(headers["lambda-runtime-client-context"])
    assert context["custom"] == {"attempt": "2"}


class Inspected:
    """Debuggers that let a worker go on when the test says so."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.reports: list[tuple[str, str, bytes]] = []
        self.waits, self.go_on = asyncio.Event(), asyncio.Event()

    def forget(self, worker_id: str) -> None:
        self.steps.append(f"forget {worker_id}")

    async def reported(self, worker_id: str, runtime: str, report: bytes) -> dict[str, Any]:
        self.reports.append((worker_id, runtime, report))
        if report == b"bad":
            raise ValueError("bad")
        self.waits.set()
        await self.go_on.wait()
        return {"port": 1}


async def test_a_worker_that_tells_of_its_inspector_is_answered_when_it_may_go_on() -> None:
    inspected: Any = Inspected()
    api = RuntimeApi(Said(), None, inspected)
    await api.start()
    peer = await Peer(api, api.add_worker("w1", runtime="nodejs24.x")).connect()
    assert await peer.ask("POST", "2018-06-01/devbridge/debugger", b"bad") == 400
    peer.send("POST", f"/{peer.token}/2018-06-01/devbridge/debugger", b"url")
    await inspected.waits.wait()
    inspected.go_on.set()
    status, _, body = await peer.receive()
    assert (status, body) == (202, b'{"port": 1}')
    api.remove_worker("w1")
    peer.writer.close()
    await api.close()
    assert inspected.reports == [("w1", "nodejs24.x", b"bad"), ("w1", "nodejs24.x", b"url")]
    assert inspected.steps == ["forget w1"]


async def test_a_worker_that_goes_while_a_debugger_is_got_ready_is_forgotten_after_that() -> None:
    inspected: Any = Inspected()
    api = RuntimeApi(Said(), None, inspected)
    await api.start()
    peer = await Peer(api, api.add_worker("w1")).connect()
    peer.send("POST", f"/{peer.token}/2018-06-01/devbridge/debugger", b"url")
    await inspected.waits.wait()
    api.remove_worker("w1")
    inspected.steps.clear()
    inspected.go_on.set()
    await peer.receive()
    peer.writer.close()
    await api.close()
    assert inspected.steps == ["forget w1"]


async def test_where_nobody_debugs_a_worker_goes_on_at_once(peer: Peer) -> None:
    assert await peer.ask("POST", "2018-06-01/devbridge/debugger", b"{}") == 404


async def test_an_invocation_waits_for_next(peer: Peer) -> None:
    await take(peer)


async def test_a_worker_is_ready_once(peer: Peer, said: Said) -> None:
    for job_id in ("job-1", "job-2"):
        await take(peer, job_id)
        await peer.ask("POST", f"{RUNTIME}/invocation/{job_id}/response", b"1")
    assert said.of("ready", "w1") == [None]
    assert said.of("responded", "w1") == [("job-1", b"1"), ("job-2", b"1")]


async def test_only_the_workers_own_invocation_can_be_answered_and_once(
    peer: Peer, said: Said
) -> None:
    path = f"{RUNTIME}/invocation/{{}}/response"
    assert await peer.ask("POST", path.format("job-1"), b"1") == 400
    await take(peer)
    assert await peer.ask("POST", path.format("job-2"), b"1") == 400
    assert await peer.ask("POST", path.format("job-1"), b"1") == 202
    assert await peer.ask("POST", path.format("job-1"), b"2") == 400
    assert said.of("responded", "w1") == [("job-1", b"1")]


async def test_a_worker_with_an_invocation_gets_no_other(api: RuntimeApi, peer: Peer) -> None:
    await take(peer)
    assert await peer.ask("GET", f"{RUNTIME}/invocation/next") == 403
    with pytest.raises(ValueError, match="has an invocation already"):
        api.invoke("w1", invocation("job-2"))
    with pytest.raises(LookupError):
        api.invoke("nobody", invocation())


async def test_a_worker_that_waits_is_the_one_that_gets_the_invocation(
    api: RuntimeApi, address: WorkerAddress, peer: Peer, said: Said
) -> None:
    peer.send("GET", f"/{peer.token}/{RUNTIME}/invocation/next")
    await said.wait("ready", "w1")
    other = await Peer(api, address).connect()
    assert await other.ask("GET", f"{RUNTIME}/invocation/next") == 403
    api.invoke("w1", invocation())
    assert (await peer.receive())[0] == 200
    other.writer.close()


async def test_an_invocation_that_went_to_a_closed_connection_is_handed_over_again(
    api: RuntimeApi, address: WorkerAddress, peer: Peer, said: Said
) -> None:
    peer.send("GET", f"/{peer.token}/{RUNTIME}/invocation/next")
    await said.wait("ready", "w1")
    peer.writer.close()  # the API has not noticed
    api.invoke("w1", invocation())
    await peer.writer.wait_closed()
    again = await Peer(api, address).connect()
    again.send("GET", f"/{again.token}/{RUNTIME}/invocation/next")
    status, headers, _ = await again.receive()
    assert (status, headers["lambda-runtime-aws-request-id"]) == (200, "job-1")
    assert await again.ask("POST", f"{RUNTIME}/invocation/job-1/response", b"1") == 202
    assert said.of("responded", "w1") == [("job-1", b"1")]
    again.writer.close()


async def test_a_worker_that_hung_up_may_wait_again(
    api: RuntimeApi, address: WorkerAddress, peer: Peer, said: Said
) -> None:
    peer.send("GET", f"/{peer.token}/{RUNTIME}/invocation/next")
    await said.wait("ready", "w1")
    peer.writer.transport.abort()
    async with asyncio.timeout(30):
        while api._server.connections:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
    again = await Peer(api, address).connect()
    await take(again)
    again.writer.close()


async def test_errors_of_every_runtime_are_understood(peer: Peer, said: Said) -> None:
    bodies: list[tuple[bytes, Failure]] = [
        (
            b'{"errorType":"E","errorMessage":"m","stackTrace":["  f\\n    c\\n"],"trace":["t"]}',
            Failure("E", "m", ("f\n    c",), ("t",)),
        ),
        (b'{"errorType":"E","errorMessage":"m","trace":["t"]}', Failure("E", "m", (), ("t",))),
        (
            b'{"errorType":"E","errorMessage":"m","trace":["    f(x)\\n","      ^\\n"]}',
            Failure("E", "m", (), ("    f(x)", "      ^")),
        ),
        (b'{"errorType":null,"stackTrace":7}', Failure("Unknown", "")),
        (b"not json", Failure("Unknown", "not json")),
        (b"caf\xe9, not utf-8", Failure("Unknown", "caf\ufffd, not utf-8")),
        (b"[" * 100_000, Failure("Unknown", "[" * 2000)),
    ]
    for body, _ in bodies:
        assert await peer.ask("POST", f"{RUNTIME}/init/error", body) == 202
    assert said.of("init_failed", "w1") == [failure for _, failure in bodies]
    await take(peer)
    assert await peer.ask("POST", f"{RUNTIME}/invocation/job-1/error", bodies[0][0]) == 202
    assert said.of("failed", "w1") == [("job-1", bodies[0][1])]


async def test_modules_are_passed_on_and_nonsense_is_refused(peer: Peer, said: Said) -> None:
    path = "2018-06-01/devbridge/modules"
    body = b'{"userFiles":["/app/a.py"],"thirdParty":["boto3"]}'
    assert await peer.ask("POST", path, body) == 202
    for nonsense in (b"", b"[]", b"{}", b'{"userFiles":1,"thirdParty":[]}', b"\xff", b"[" * 9999):
        assert await peer.ask("POST", path, nonsense) == 400
    assert said.of("modules", "w1") == [Modules(frozenset({Path("/app/a.py")}), ("boto3",))]


async def test_a_variable_that_the_app_misses_is_passed_on_and_no_other_text(
    peer: Peer, said: Said
) -> None:
    for body in (b'"TOKEN"', b'"two words"', b"", b"\xff"):
        assert await peer.ask("POST", "2018-06-01/devbridge/lookup", body) == 202
    assert said.of("missed", "w1") == ["TOKEN"]


async def test_what_a_worker_waits_for_is_passed_on_and_no_other_text(
    peer: Peer, said: Said
) -> None:
    path = "2018-06-01/devbridge/lingering"
    for body in (b'["its thread"]', b"{}", b"", b"\xff", b"[]", b"[" * 9999):
        assert await peer.ask("POST", path, body) == 202
    assert await peer.ask("POST", "2018-06-01/devbridge/other", b"") == 404
    assert said.of("lingers", "w1") == [("its thread",)]


@pytest.mark.parametrize("name", ['"/app/a\\u0000.py"', "7", "null", '["/app/a.py"]'])
@pytest.mark.parametrize("field", ["userFiles", "thirdParty", "own", "installed", "listed"])
async def test_names_that_are_none_are_not_taken_from_a_worker(
    peer: Peer, said: Said, field: str, name: str
) -> None:
    fields = {"userFiles": "[]", "thirdParty": "[]", field: f'["/app/b.py",{name}]'}
    body = ",".join(f'"{key}":{value}' for key, value in fields.items())
    path = "2018-06-01/devbridge/modules"
    assert await peer.ask("POST", path, f"{{{body}}}".encode()) == 400
    assert said.events == []


@pytest.mark.parametrize("lookups", ['{"/a\\u0000":[]}', '{"/a":["b\\u0000"]}', '{"/a":1}', "7"])
async def test_nor_are_names_of_folders_and_of_what_was_looked_for_there(
    peer: Peer, said: Said, lookups: str
) -> None:
    body = f'{{"userFiles":[],"thirdParty":[],"lookups":{lookups}}}'
    assert await peer.ask("POST", "2018-06-01/devbridge/modules", body.encode()) == 400
    assert said.events == []


async def test_all_that_a_worker_tells_of_its_modules_is_passed_on(peer: Peer, said: Said) -> None:
    body = (
        b'{"userFiles":[],"thirdParty":[],"own":["/o"],"installed":["/i"],"listed":["/l"],'
        b'"lookups":{"/a":["b"]},"zygote":7,"problem":"p","stale":"s","recorded":true}'
    )
    assert await peer.ask("POST", "2018-06-01/devbridge/modules", body) == 202
    odd = b'{"userFiles":[],"thirdParty":[],"zygote":"7","problem":7,"stale":"","recorded":1}'
    assert await peer.ask("POST", "2018-06-01/devbridge/modules", odd) == 202
    assert said.of("modules", "w1") == [
        Modules(
            frozenset(),
            (),
            zygote=7,
            problem="p",
            stale="s",
            own=frozenset({Path("/o")}),
            installed=frozenset({Path("/i")}),
            listed=frozenset({Path("/l")}),
            lookups={Path("/a"): frozenset({"b"})},
            recorded=True,
        ),
        Modules(frozenset(), ()),
    ]


async def test_a_result_may_have_six_megabytes_and_no_more(peer: Peer, said: Said) -> None:
    path = f"{RUNTIME}/invocation/{{}}/response"
    await take(peer)
    assert await peer.ask("POST", path.format("job-1"), b"x" * MAX_BODY) == 202
    await take(peer, "job-2")
    assert await peer.ask("POST", path.format("job-2"), b"x" * (MAX_BODY + 1)) == 413
    [(job_id, failure)] = said.of("failed", "w1")
    assert (job_id, failure.type) == ("job-2", "ResultTooLarge")
    await take(peer, "job-3")


async def test_a_peer_that_waits_for_100_continue_gets_it(peer: Peer, said: Said) -> None:
    await take(peer)
    path = f"/{peer.token}/{RUNTIME}/invocation/job-1/response"
    peer.send("POST", path, b"", **{"Content-Length": "1", "Expect": "100-continue"})
    assert (await peer.reader.readline()).startswith(b"HTTP/1.1 100")
    await peer.reader.readline()
    peer.writer.write(b"1")
    assert (await peer.receive())[0] == 202


async def test_chunked_bodies_and_pipelined_requests_are_read(peer: Peer, said: Said) -> None:
    await take(peer)
    path = f"/{peer.token}/{RUNTIME}/invocation/job-1/response"
    peer.send("POST", path, b"", **{"Content-Length": "", "Transfer-Encoding": "chunked"})
    peer.writer.write(b"2\r\n12\r\n1\r\n3\r\n0\r\n\r\n")
    peer.send("GET", f"/{peer.token}/{RUNTIME}/invocation/next")
    peer.send("GET", "/nobody/")
    assert (await peer.receive())[0] == 202
    peer.api.invoke("w1", invocation("job-2"))
    assert (await peer.receive())[0] == 200
    assert (await peer.receive())[0] == 403
    assert said.of("responded", "w1") == [("job-1", b"123")]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/wrong-token/2018-06-01/runtime/invocation/next", {}, 403),
        ("/{token}/2018-06-01/runtime/invocation/next", {"Host": "evil.example"}, 403),
        ("/{token}/2018-06-01/runtime/invocation/next", {"Host": "127.0.0.1"}, 403),
        ("/{token}/2018-06-01/runtime/invocation/next", {"Origin": "http://localhost"}, 403),
        ("/{token}/2018-06-01/runtime/nothing", {}, 404),
        ("/{token}", {}, 404),
        ("/", {}, 403),
    ],
)
async def test_what_is_not_a_workers_request_is_refused(
    peer: Peer, said: Said, path: str, headers: dict[str, str], status: int
) -> None:
    peer.send("GET", path.format(token=peer.token), b"", **headers)
    assert (await peer.receive())[0] == status
    assert said.events == []


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET /" + b"a" * 20_000,
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000,
    ],
)
async def test_malformed_requests_are_hung_up_on_and_the_api_goes_on(
    api: RuntimeApi, address: WorkerAddress, peer: Peer, data: bytes
) -> None:
    peer.writer.write(data)
    async with asyncio.timeout(30):
        assert (await peer.reader.read()).startswith(b"HTTP/1.1 4")
    other = await Peer(api, address).connect()
    await take(other)
    other.writer.close()


async def test_a_peer_that_sends_without_end_while_it_waits_is_hung_up_on(
    peer: Peer, said: Said
) -> None:
    peer.send("GET", f"/{peer.token}/{RUNTIME}/invocation/next")
    await said.wait("ready", "w1")
    peer.writer.write(b"x" * 200_000)
    assert await peer.closed()


async def test_of_a_removed_worker_it_is_told_whether_it_has_left_an_invocation(
    api: RuntimeApi, peer: Peer, said: Said
) -> None:
    api.invoke("w1", invocation())
    peer.send("GET", f"/{peer.token}/{RUNTIME}/invocation/next")
    await said.wait("ready", "w1")
    assert api.remove_worker("w1") is False
    api.add_worker("w2")
    api.invoke("w2", invocation())
    assert api.remove_worker("w2") is True
    assert api.remove_worker("w2") is False


async def test_a_removed_worker_is_hung_up_on_and_refused(
    api: RuntimeApi, address: WorkerAddress, peer: Peer, said: Said
) -> None:
    peer.send("GET", f"/{peer.token}/{RUNTIME}/invocation/next")
    await said.wait("ready", "w1")
    api.remove_worker("w1")
    api.remove_worker("w1")
    assert await peer.closed()
    other = await Peer(api, address).connect()
    assert await other.ask("GET", f"{RUNTIME}/invocation/next") == 403
    other.writer.close()


async def test_a_listener_that_raises_is_answered_for(peer: Peer, said: Said) -> None:
    said.worker_modules = None  # type: ignore[assignment, method-assign]
    body = b'{"userFiles":[],"thirdParty":[]}'
    assert await peer.ask("POST", "2018-06-01/devbridge/modules", body) == 500
    await take(peer)


async def test_credentials_are_for_who_has_the_workers_token(
    api: RuntimeApi, address: WorkerAddress, peer: Peer, credentials: Credentials
) -> None:
    path = address.credentials_uri.split(str(api.port))[1]
    other = api.add_worker("w2", "arn:other")
    for headers in (
        {},
        {"Authorization": "wrong"},
        {"Authorization": "\u00e9"},
        {"Authorization": other.credentials_token},
        {"Authorization": peer.token, "Host": "evil.example"},
        {"Authorization": peer.token, "Origin": "http://127.0.0.1"},
    ):
        stranger = await Peer(api, address).connect()
        stranger.send("GET", path, b"", **headers)
        assert (await stranger.receive())[0] == 403
        assert await stranger.closed()
        stranger.writer.close()
    assert credentials.asked == []
    peer.send("GET", path, Authorization=peer.token)
    status, _, body = await peer.receive()
    assert (status, json.loads(body)["AccessKeyId"]) == (200, "ASIA")
    assert credentials.asked == ["arn:role"]


async def test_credentials_that_cannot_be_had_are_said_on_both_sides(
    address: WorkerAddress, peer: Peer, said: Said, credentials: Credentials
) -> None:
    credentials.error = CredentialsError("expired", remedy="log in again")
    peer.send("GET", "/credentials/w1", Authorization=peer.token)
    status, _, body = await peer.receive()
    assert status == 500
    assert "log in again" in json.loads(body)["message"]
    assert "log in again" in await said.wait("credentials_failed", "w1")


async def test_a_worker_without_credentials_is_said_once_until_it_has_some(
    peer: Peer, said: Said, credentials: Credentials
) -> None:
    async def ask(error: Exception | None) -> int:
        credentials.error = error
        peer.send("GET", "/credentials/w1", Authorization=peer.token)
        return (await peer.receive())[0]

    refused = CredentialsError("expired")
    assert [await ask(refused), await ask(refused), await ask(None)] == [500, 500, 200]
    assert len(said.of("credentials_failed", "w1")) == 1
    assert await ask(refused) == 500
    while len(said.of("credentials_failed", "w1")) < 2:  # noqa: ASYNC110 - the next turn
        await asyncio.sleep(0)


async def test_a_worker_without_a_role_has_no_credentials(api: RuntimeApi) -> None:
    peer = await Peer(api, api.add_worker("a/b c")).connect()
    peer.send("GET", "/credentials/a%2Fb%20c", Authorization=peer.token)
    assert (await peer.receive())[0] == 404
    peer.writer.close()


async def test_tokens_are_unguessable_and_their_own(api: RuntimeApi) -> None:
    tokens = {api.add_worker(f"x{number}").credentials_token for number in range(50)}
    assert len(tokens) == 50
    assert min(map(len, tokens)) >= 40
    with pytest.raises(ValueError, match="known already"):
        api.add_worker("x1")


async def test_closing_hangs_up(api: RuntimeApi, peer: Peer, said: Said) -> None:
    peer.send("GET", f"/{peer.token}/{RUNTIME}/invocation/next")
    await said.wait("ready", "w1")
    await api.close()
    await api.close()
    assert await peer.closed()


# --- checkpoints --------------------------------------------------------------------------------

CHECKPOINT = "2018-06-01/devbridge/checkpoint"
INTERRUPTED = "2018-06-01/devbridge/interrupted"


async def test_checkpoints_are_those_of_the_invocation_that_runs(
    api: RuntimeApi, said: Said
) -> None:
    peer = await Peer(api, api.add_worker("w1")).connect()
    assert await peer.ask("POST", CHECKPOINT, b"1") == 403
    api.invoke("w1", Invocation("job-1", b"1", 2e9, checkpoint=b'{"n":1}'))
    peer.send("GET", f"/{peer.token}/{RUNTIME}/invocation/next")
    _, headers, _ = await peer.receive()
    context = json.loads(headers["lambda-runtime-client-context"])
    assert context["custom"] == {"checkpoint": "1"}
    peer.send("GET", f"/{peer.token}/{CHECKPOINT}")
    status, _, body = await peer.receive()
    assert (status, body) == (200, b'{"n":1}')
    assert await peer.ask("POST", CHECKPOINT, b"2") == 202
    assert await peer.ask("POST", CHECKPOINT, bytes(MAX_CHECKPOINT + 1)) == 413
    assert await peer.ask("POST", INTERRUPTED) == 202
    assert await peer.ask("POST", INTERRUPTED) == 403
    assert await peer.ask("POST", CHECKPOINT, b"3") == 403
    assert said.of("reached", "w1") == [("job-1", b"2")]
    ((job_id, failure),) = said.of("failed", "w1")
    assert (job_id, failure.type) == ("job-1", "Interrupted")


@pytest.mark.parametrize("checkpoint", [None, b"null"])
async def test_an_invocation_may_have_none(api: RuntimeApi, checkpoint: bytes | None) -> None:
    peer = await Peer(api, api.add_worker("w1")).connect()
    api.invoke("w1", Invocation("job-1", b"1", 2e9, checkpoint=checkpoint))
    assert await peer.ask("GET", f"{RUNTIME}/invocation/next") == 200
    assert await peer.ask("GET", CHECKPOINT) == 204


async def test_whoever_serves_functions_has_its_own_limit_and_its_own_errors(said: Said) -> None:
    api = RuntimeApi(said, max_body=10, read_failure=lambda body: Failure("Read", body.decode()))
    await api.start()
    peer = await Peer(api, api.add_worker("w1")).connect()
    try:
        await take(peer, "a")
        path = f"{RUNTIME}/invocation/{{}}/{{}}"
        assert await peer.ask("POST", path.format("a", "response"), b"x" * 11) == 413
        await take(peer, "b")
        assert await peer.ask("POST", path.format("b", "error"), b"oops") == 202
        assert await peer.ask("POST", f"{RUNTIME}/init/error", b"no") == 202
    finally:
        peer.writer.close()
        await api.close()
    failures = [failure for _, failure in said.of("failed", "w1")]
    assert failures == [RESULT_TOO_LARGE, Failure("Read", "oops")]
    assert said.of("init_failed", "w1") == [Failure("Read", "no")]


async def test_an_answer_and_a_question_may_come_in_one_piece(peer: Peer, said: Said) -> None:
    await take(peer)
    answer = f"POST /{peer.token}/{RUNTIME}/invocation/job-1/response HTTP/1.1\r\n"
    question = f"GET /{peer.token}/{RUNTIME}/invocation/next HTTP/1.1\r\n"
    host = f"Host: 127.0.0.1:{peer.api.port}\r\n"
    both = f"{answer}{host}Content-Length: 2\r\n\r\nok{question}{host}\r\n"
    peer.writer.write(both.encode())
    assert (await peer.receive())[0] == 202
    peer.api.invoke("w1", invocation("job-2"))
    assert (await peer.receive())[1]["lambda-runtime-aws-request-id"] == "job-2"
    assert said.of("responded", "w1") == [("job-1", b"ok")]
