"""AWS's own runtime interface client against our Runtime API: the counterpart we did not write.

It speaks the API in C++ (libcurl) for invocations and in Python (http.client) for init errors. The
latter takes ``AWS_LAMBDA_RUNTIME_API`` for a bare host and port and fails on our path before it
sends anything: then the worker just ends, which is what the daemon sees.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devbridge.daemon.runtime_api import RuntimeApi
from runner.invocation import Invocation
from tests.integration.workers import PYTHON, Said

client_module = pytest.importorskip("awslambdaric.lambda_runtime_client")

HANDLER = """
import os
def handler(event, context):
    if event == "fail":
        return 1 / 0
    custom = context.client_context.custom
    return [event, context.aws_request_id, context.invoked_function_arn, custom,
            0 < context.get_remaining_time_in_millis() <= 60000]
"""


class Client:
    def __init__(self, api: RuntimeApi, said: Said, process: asyncio.subprocess.Process) -> None:
        self.api = api
        self.said = said
        self.process = process

    def invoke(self, job_id: str, payload: bytes) -> None:
        self.api.invoke("w", Invocation(job_id, payload, time.time() + 60, "arn:x", {"job": "f"}))


@pytest.fixture
async def client(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    (tmp_path / "factorial.py").write_text(getattr(request, "param", HANDLER))
    said = Said()
    api = RuntimeApi(said)
    await api.start()
    address = api.add_worker("w")
    process = await asyncio.create_subprocess_exec(
        PYTHON,
        "-m",
        "awslambdaric",
        "factorial.handler",
        cwd=tmp_path,
        env={
            **os.environ,
            "AWS_LAMBDA_RUNTIME_API": address.runtime_api,
            "PYTHONPATH": str(tmp_path),
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    yield Client(api, said, process)
    if process.returncode is None:
        process.kill()
    await process.wait()
    await api.close()


async def test_it_gets_an_invocation_and_answers(client: Client) -> None:
    await client.said.wait("ready", "w")
    client.invoke("job-1", '{"€": null}'.encode())
    job_id, body = await client.said.wait("responded", "w")
    assert job_id == "job-1"
    assert json.loads(body) == [{"€": None}, "job-1", "arn:x", {"job": "f"}, True]


async def test_it_comes_back_for_more(client: Client) -> None:
    for number in range(3):
        await client.said.wait("ready", "w")
        client.invoke(f"job-{number}", b"1")
        await client.said.wait("responded", "w")
        assert client.said.events.pop()[2][0] == f"job-{number}"


async def test_megabytes_go_both_ways(client: Client) -> None:
    await client.said.wait("ready", "w")
    client.invoke("job-1", json.dumps("x" * 5_000_000).encode())
    _, body = await client.said.wait("responded", "w")
    assert json.loads(body)[0] == "x" * 5_000_000


async def test_its_errors_have_type_message_and_frames(client: Client) -> None:
    await client.said.wait("ready", "w")
    client.invoke("job-1", b'"fail"')
    job_id, failure = await client.said.wait("failed", "w")
    assert (job_id, failure.type) == ("job-1", "ZeroDivisionError")
    assert failure.message == "division by zero"
    assert "line 5, in handler\n    return 1 / 0" in failure.frames[-1]


@pytest.mark.parametrize("client", ["import nothing_like_it"], indirect=True)
async def test_a_handler_that_it_cannot_import_ends_it(client: Client) -> None:
    assert await asyncio.wait_for(client.process.wait(), 30) == 1
    assert not client.said.events


async def test_its_init_error_is_understood() -> None:
    said = Said()
    api = RuntimeApi(said)
    await api.start()
    host, _, token = api.add_worker("w").runtime_api.partition("/")
    ric = client_module.LambdaRuntimeClient(host)
    call = ric.call_rapid
    ric.call_rapid = lambda method, path, *rest: call(method, f"/{token}{path}", *rest)
    error = {"errorType": "Runtime.ImportModuleError", "errorMessage": "no", "stackTrace": []}
    await asyncio.to_thread(ric.post_init_error, error)
    failure = await said.wait("init_failed", "w")
    assert (failure.type, failure.message) == ("Runtime.ImportModuleError", "no")
    await api.close()
