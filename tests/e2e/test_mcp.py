"""`devbridge mcp`, by the protocol's own client over a real process, beside `devbridge dev`."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from tests.e2e.dev_process import PYTHON, DevProcess, clean_environment, command
from tests.waiting import eventually

APP = """\
import os
from devbridge import Api, App, Job, Secret

print("app.py is loaded")
os.system("echo app.py has a child")
app = App("agents")
token = Secret(app, "token")
shop = Job(app, "shop", handler="jobs/shop.handler", bind=[token])
Job(app, "hold", handler="jobs/hold.handler")
Api(app, "api", routes={"POST /start": "api/start.handler"}, bind=[shop])
"""
SHOP = """\
import sys
from dataclasses import dataclass
from devbridge.job import job_handler
from devbridge.resources import Secret

@dataclass
class Order:
    items: int

@job_handler("shop")
def handler(payload: Order) -> float:
    for number in range(payload.items):
        print(f"item {number} of {payload.items}")
    print("\\x1b[31mtotal\\x1b[0m of", len(Secret.token.value), "letters", file=sys.stderr)
    return total(payload.items)

def total(items):
    return 100 / ITEMS
"""
FIXED = SHOP.replace("ITEMS", "items")
UNPARSED = SHOP.replace("return 100 / ITEMS", "return 100 /")
HOLD = """\
import time
from pathlib import Path

def handler(payload):
    print("holding", flush=True)
    while not Path(payload["until"]).exists():
        time.sleep(0.01)
"""
START = "def handler(event, context):\n    print('started')\n    return {'statusCode': 202}\n"
VALUE = "hunter2-hunter2"
STAGE = ("--stage", "agents", "--local")
PROD = ("--stage", "prod", "--local")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mcp") / "app"
    files = {"app.py": APP, "jobs/shop.py": SHOP, "jobs/hold.py": HOLD, "api/start.py": START}
    for file, text in files.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    return root


@pytest.fixture(scope="module")
def dev(app: Path) -> Iterator[DevProcess]:
    with DevProcess(app, *STAGE, "--grace", "1", "--concurrency", "2") as process:
        process.wait_for(r"^Ready")
        assert command(app, "secrets", "set", "token", *STAGE, stdin=VALUE).returncode == 0
        yield process


class Agent:
    """What a coding agent does: calls tools, and reads what they answer."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.answers: list[str] = []

    async def text(self, tool: str, arguments: dict[str, object], *, fails: bool = False) -> str:
        result = await self.client.call_tool(tool, arguments)
        text = "\n".join(each.text for each in result.content if each.type == "text")
        assert result.is_error is fails, text
        self.answers.append(text)
        return text

    async def __call__(self, tool: str, /, **arguments: object) -> Any:
        return json.loads(await self.text(tool, arguments))

    async def until(self, name: str, state: str) -> Any:
        """What `dev_status` says of a job, once its handler is in that state."""
        async with asyncio.timeout(60):
            while True:
                status = await self("dev_status")
                (found,) = [each for each in status["jobs"] if each["name"] == name]
                if found.get("handler") == state:
                    return found


@asynccontextmanager
async def agent(app: Path, *options: str, mode: str = "auto") -> AsyncIterator[Agent]:
    arguments = ["-m", "devbridge", "mcp", "--app", str(app), *options]
    server = StdioServerParameters(command=PYTHON, args=arguments, env=clean_environment())
    async with Client(server, mode=mode) as client:
        yield Agent(client)


def save(file: Path, text: str) -> None:
    file.write_text(text)


@pytest.fixture
def shop(app: Path) -> Iterator[Path]:
    """The job's file, as it was in the beginning once the test is over."""
    yield app / "jobs" / "shop.py"
    (app / "jobs" / "shop.py").write_text(SHOP)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_an_agent_finds_the_error_of_a_run_mends_it_and_runs_it_again(
    dev: DevProcess, app: Path, shop: Path, mode: str
) -> None:
    async with agent(app, *STAGE, mode=mode) as ask:
        job = next(each for each in (await ask("list_jobs"))["jobs"] if each["name"] == "shop")
        assert job["file"] == "jobs/shop.py"
        assert '"items"' in json.dumps(job["payloadSchema"])
        refused = await ask.text("invoke", {"job": "shop", "payload": '{"items": "x"}'}, fails=True)
        assert "the payload is not what job 'shop' takes" in refused
        assert refused.endswith("or send it all the same: check: false")

        run = await ask("invoke", job="shop", payload='{"items": 4}', wait=True)
        assert [*run][:4] == ["id", "job", "state", "error"]
        assert (run["state"], run["error"]["type"]) == ("FAILED", "NameError")
        line = SHOP.splitlines().index("    return 100 / ITEMS") + 1
        assert run["error"]["where"] == f"jobs/shop.py:{line}"
        found = await ask.text("read_log", {"run": run["id"], "find": "ITEM 3"})
        assert found.splitlines()[1:] == ["4: item 3 of 4"]

        save(shop, FIXED)
        again = await ask("rerun", run=run["id"], wait=True)
        assert (again["state"], again["result"]) == ("SUCCEEDED", 25.0)
        assert again["id"] != run["id"]
        edited = await ask("rerun", run=run["id"][:8], payload='{"items": 5}', wait=True)
        assert edited["result"] == 20.0
        log = await ask.text("read_log", {"run": edited["id"]})
        assert f"\n6: total of {len(VALUE)} letters" in log

        shown = await ask("show_run", run=edited["id"])
        assert shown["payload"] == {"items": 5}
        assert [each["state"] for each in shown["history"]][-2:] == ["RUNNING", "SUCCEEDED"]
        failed = await ask("list_runs", job="shop", state="FAILED")
        assert {each["state"] for each in failed["runs"]} == {"FAILED"}
        row = next(each for each in failed["runs"] if each["id"] == run["id"])
        assert row["error"] == f"NameError: name 'ITEMS' is not defined (jobs/shop.py:{line})"
        (last,) = (await ask("list_runs", limit=1))["runs"]
        assert last["id"] == edited["id"]


async def test_a_handler_that_cannot_be_loaded_is_known_with_its_file_and_line(
    dev: DevProcess, app: Path, shop: Path
) -> None:
    async with agent(app, *STAGE) as ask:
        save(shop, UNPARSED)
        where = f"jobs/shop.py:{UNPARSED.splitlines().index('    return 100 /') + 1}"
        broken = await ask.until("shop", "broken")
        assert (broken["error"]["type"], broken["error"]["where"]) == ("SyntaxError", where)
        run = await ask("invoke", job="shop", payload='{"items": 4}', wait=True)
        assert (run["state"], run["error"]["where"]) == ("FAILED", where)
        save(shop, FIXED)
        assert "reloadedAt" in await ask.until("shop", "reloaded")
        run = await ask("invoke", job="shop", payload='{"items": 4}', wait=True)
        assert run["result"] == 25.0


async def test_a_run_that_goes_on_is_waited_for_again_and_cancelled(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    payload = json.dumps({"until": str(tmp_path / "until")})
    async with agent(app, *STAGE) as ask:
        run = await ask("invoke", job="hold", payload=payload, idempotency_key=str(tmp_path))
        again = await ask("invoke", job="hold", payload=payload, idempotency_key=str(tmp_path))
        assert (again["id"], again["duplicate"]) == (run["id"], True)
        async with asyncio.timeout(60):
            while "holding" not in await ask.text("read_log", {"run": run["id"]}):
                pass
        waited = await ask("wait", run=run["id"], timeout_seconds=0.1)
        assert (waited["state"], waited["ended"]) == ("RUNNING", False)
        ended = asyncio.create_task(ask("wait", run=run["id"]))
        cancelled = await ask("cancel", run=run["id"])
        assert cancelled["was"] == "RUNNING"
        assert (await ended)["state"] == "CANCELLED"


async def test_no_value_of_a_secret_is_in_any_answer(
    dev: DevProcess, app: Path, shop: Path
) -> None:
    async with agent(app, *STAGE) as ask:
        run = await ask("invoke", job="shop", payload='{"items": 1}', wait=True)
        for tool in ("list_jobs", "list_runs", "dev_status"):
            await ask(tool)
        await ask("show_run", run=run["id"])
        await ask.text("read_log", {"run": run["id"]})
        await ask.text("read_function_log", {"function": "api-start"})
        assert VALUE not in "".join(ask.answers)


async def test_what_is_wrong_is_an_error_of_the_tool_that_says_what_to_do(
    dev: DevProcess, app: Path
) -> None:
    async with agent(app, *STAGE) as ask:
        wrong: list[tuple[str, dict[str, object], str]] = [
            ("invoke", {"job": "shpo", "payload": "{}"}, "did you mean 'shop'?"),
            ("invoke", {"job": "shop", "payload": "{items: 4}"}, "to do: give JSON text"),
            ("invoke", {"job": "shop", "load": "{}"}, "it takes: job, payload, "),
            ("wait", {"run": "ffffffff"}, "no run has an id that begins with 'ffffffff'"),
            ("list_runs", {"state": "DONE"}, "Invalid enum value 'DONE'"),
            ("read_log", {"run": "a", "lines": 0}, "`$.lines`"),
            ("read_function_log", {"function": "api-strat"}, "did you mean 'api-start'?"),
            ("invok", {}, "did you mean 'invoke'?"),
        ]
        for tool, arguments, said in wrong:
            text = await ask.text(tool, arguments, fails=True)
            assert said in text
            assert "Traceback" not in text


async def test_the_same_tools_work_for_a_deployed_stage(dev: DevProcess, app: Path) -> None:
    assert command(app, "secrets", "set", "token", *PROD, stdin=VALUE).returncode == 0
    done = command(app, "deploy", "--yes", *PROD)
    assert done.returncode == 0, done.stderr
    async with agent(app, *PROD) as ask:
        assert (await ask("dev_status"))["runsAre"] == "deployed"
        run = await ask("invoke", job="shop", payload={"items": 2})
        async with asyncio.timeout(90):
            while not (ended := await ask("wait", run=run["id"])).get("error"):
                assert ended["state"] not in ("SUCCEEDED", "CRASHED"), ended
        assert ended["error"]["where"].startswith("jobs/shop.py:")
        assert "item 1 of 2" in await ask.text("read_log", {"run": run["id"]})
        again = await ask("rerun", run=run["id"])
        assert (await ask("cancel", run=again["id"]))["id"] == again["id"]
        job = next(each for each in (await ask("list_jobs"))["jobs"] if each["name"] == "shop")
        assert job["lastRun"]["id"] in (run["id"], again["id"])


def test_stdout_has_the_protocol_alone_and_the_end_of_stdin_ends_all(
    dev: DevProcess, app: Path, tmp_path: Path
) -> None:
    """Though app.py prints, and starts what does; and in the middle of a call."""
    until = tmp_path / "until"
    server = subprocess.Popen(
        [PYTHON, "-m", "devbridge", "mcp", *STAGE, "--verbose"],
        cwd=app,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    assert server.stdin is not None
    assert server.stdout is not None
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    held = {"job": "hold", "payload": json.dumps({"until": str(until)})}
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "list_jobs", "arguments": {}}},
        {"id": 3, "method": "tools/call", "params": {"name": "invoke", "arguments": held}},
    ]
    answers = []
    try:
        for message in messages:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            server.stdin.flush()
            if "id" in message:
                answers.append(json.loads(server.stdout.readline()))
        assert [answer["id"] for answer in answers] == [1, 2, 3]
        assert "agents" in answers[1]["result"]["content"][0]["text"]
        run = json.loads(answers[2]["result"]["content"][0]["text"])["id"]
        waits = {"name": "wait", "arguments": {"run": run, "timeout_seconds": 600}}
        asked = {"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": waits}
        left, told = server.communicate(json.dumps(asked) + "\n", timeout=30)
    finally:
        until.touch()
        server.kill()
        server.wait()
    assert server.returncode == 0, told
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in left.splitlines())
    assert "app.py is loaded" in told
    assert "app.py has a child" in told
    eventually(lambda: command(app, "wait", run, *STAGE).returncode == 0)
