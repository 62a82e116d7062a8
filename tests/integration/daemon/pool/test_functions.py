"""Live functions in real processes, in both languages, with hot reload as it is: Python's workers
fresh and forked, Node's fresh and out of blanks."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from devbridge.daemon.pool import replies
from devbridge.daemon.pool.functions import UNHEARD
from devbridge.daemon.told import Answered, Broken, Gone, Printed, Reloaded, Requested
from devbridge.environment import inherited
from devbridge.languages.python.zygote import ZygoteLauncher
from devbridge.protocol.messages import Invoke, Raised, Responded
from devbridge.workers.base import FreshLauncher, Launcher
from tests.integration.functions import ARN, NODE, PYTHON, Bench, bench, function, node_launcher
from tests.integration.workers import developer

linux = pytest.mark.skipif(sys.platform != "linux", reason="linux only")
_LAUNCHERS = [
    "fresh",
    pytest.param("zygote", marks=linux),
    "node",
    pytest.param("blank", marks=linux),
]
ECHO = """
    import os
    state = []
    def handler(event, context):
        state.append(event)
        return {"event": event, "calls": len(state), "pid": os.getpid()}
"""
ECHO_TS = """
    const state: unknown[] = []
    export const handler = async (event: unknown) => {
        state.push(event)
        return { event, calls: state.length, pid: process.pid }
    }
"""


SLOW = """
    import time
    def handler(event, context): time.sleep(60)
"""
NEW = (
    "def handler(event, context): return 'new'",
    'export const handler = async () => "new" as string',
)
SLOW_TS = "export const handler = async () => new Promise((ok) => setTimeout(ok, 60_000))"


class Credentials:
    async def get(self, role_arn: str) -> dict[str, str]:
        return {
            "AccessKeyId": "AKIAROLE",
            "SecretAccessKey": "secret",
            "Token": role_arn,
            "Expiration": "2099-01-01T00:00:00Z",
        }


def launcher(kind: str, root: Path) -> Launcher:
    if kind in ("node", "blank"):
        return node_launcher(root, blanks=kind == "blank")
    return FreshLauncher() if kind == "fresh" else ZygoteLauncher(PYTHON, inherited(developer()))


@pytest.fixture(params=_LAUNCHERS)
async def live(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    python = request.param in ("fresh", "zygote")
    options: dict[str, Any] = {} if python else NODE
    specs = (
        function(timeout=3.0, **options),
        function("slow", "api/slow.handler", timeout=1.0, **options),
    )
    files = {"api/start.py": ECHO, "api/slow.py": SLOW}
    if not python:
        files = {"api/start.ts": ECHO_TS, "api/slow.ts": SLOW_TS}
    async with bench(
        tmp_path,
        *specs,
        launcher=lambda: launcher(request.param, tmp_path),
        files=files,
        credentials=Credentials(),
        suffix=".py" if python else ".ts",
    ) as one:
        yield one


async def test_a_worker_keeps_its_state_from_request_to_request(live: Bench) -> None:
    first = await live.result({"n": 1})
    second = await live.result("é\u2028")
    assert (first["calls"], second["calls"]) == (1, 2)
    assert second["event"] == "é\u2028"
    assert first["pid"] == second["pid"]


async def test_a_handler_sees_what_it_would_see_in_lambda(live: Bench) -> None:
    live.code(
        """
        import os, time, boto3
        def handler(event, context):
            session = boto3.Session().get_credentials().get_frozen_credentials()
            return {
                "name": context.function_name,
                "version": context.function_version,
                "arn": context.invoked_function_arn,
                "memory": context.memory_limit_in_mb,
                "id": context.aws_request_id,
                "group": context.log_group_name,
                "stream": context.log_stream_name[10:20],
                "custom": context.client_context.custom,
                "left": 0 < context.get_remaining_time_in_millis() <= 3000,
                "trace": os.environ["_X_AMZN_TRACE_ID"],
                "key": [session.access_key, session.token],
                "zone": time.tzname[0],
                "ours": [name for name in os.environ if name.startswith("DEVBRIDGE_")],
            }
        """,
        """
        export const handler = async (event: unknown, context: any) => {
            const { env } = process
            const left = context.getRemainingTimeInMillis()
            const headers = { authorization: env.AWS_CONTAINER_AUTHORIZATION_TOKEN! }
            const answer = await fetch(env.AWS_CONTAINER_CREDENTIALS_FULL_URI!, { headers })
            const session = (await answer.json()) as any
            return {
                name: context.functionName,
                version: context.functionVersion,
                arn: context.invokedFunctionArn,
                memory: context.memoryLimitInMB,
                id: context.awsRequestId,
                group: context.logGroupName,
                stream: context.logStreamName.slice(10, 20),
                custom: context.clientContext.custom,
                left: 0 < left && left <= 3000,
                trace: env._X_AMZN_TRACE_ID,
                key: [session.AccessKeyId, session.Token],
                zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
                ours: Object.keys(env).filter((name) => name.startsWith("DEVBRIDGE_")),
            }
        }
        """,
    )
    request_id = str(uuid.uuid4())
    found = await live.result(
        aws_request_id=request_id,
        client_context='{"custom": {"a": "b"}}',
        trace_id="Root=1-2-3;Sampled=0",
    )
    assert found == {
        "name": "demo_dev_api-fn",
        "version": "$LATEST",
        "arn": ARN,
        "memory": "512",
        "id": request_id,
        "group": "/aws/lambda/demo_dev_api-fn",
        "stream": "/[$LATEST]",
        "custom": {"a": "b"},
        "left": True,
        "trace": "Root=1-2-3;Sampled=0",
        "key": ["AKIAROLE", "arn:aws:iam::123456789012:role/api"],
        "zone": "UTC",
        "ours": [],
    }


async def test_an_exception_is_the_callers_and_the_developers(live: Bench) -> None:
    file = live.code(
        'def handler(event, context):\n    raise KeyError("no")\n',
        'export const handler = async () => {\n  throw new RangeError("no" as string);\n};\n',
    )
    document = await live.error()
    told = await live.told(Answered)
    assert told.failure is not None
    if live.suffix == ".py":
        assert document == {
            "errorType": "KeyError",
            "errorMessage": "'no'",
            "requestId": document["requestId"],
            "stackTrace": [f'  File "{file}", line 2, in handler\n    raise KeyError("no")\n'],
        }
        expected = 'File "api/start.py", line 2, in handler\n    raise KeyError("no")'
    else:
        trace = document.pop("trace")
        assert document == {"errorType": "RangeError", "errorMessage": "no"}
        assert trace[0] == "RangeError: no"
        assert f"{file}:2:9)" in trace[1]
        assert "runner" not in "".join(trace)
        expected = 'at handler (api/start.ts:2:9)\n    throw new RangeError("no" as string);'
    assert told.failure.frames == (expected,)


async def test_what_is_printed_comes_between_the_requests_lines(live: Bench) -> None:
    live.code(
        'def handler(event, context): print("hello", event)',
        'export const handler = async (event: number) => { console.log("hello", event) }',
    )
    await live.result(1)
    await live.told(Answered)
    events = [each for each in live.kept.told if isinstance(each, Requested | Printed | Answered)]
    assert [type(each) for each in events[-3:]] == [Requested, Printed, Answered]
    printed = events[-2]
    assert isinstance(printed, Printed)
    assert printed.data == b"hello 1\n"
    assert printed.who.function


async def test_a_save_is_the_next_requests_code_and_is_told(live: Bench) -> None:
    await live.result()
    live.code(*NEW)
    assert await live.result() == "new"
    assert (await live.told(Reloaded)).job == "api"


async def test_a_request_under_way_finishes_on_the_old_code(live: Bench) -> None:
    live.code(
        """
        import pathlib, time
        def handler(event, context):
            if event == "hold":
                pathlib.Path("holds").touch()
                while not pathlib.Path("go").exists():
                    time.sleep(0.005)
            return "old"
        """,
        """
        import fs from "node:fs"
        export const handler = async (event: string) => {
            if (event === "hold") {
                fs.writeFileSync("holds", "")
                while (!fs.existsSync("go")) await new Promise((ok) => setTimeout(ok, 5))
            }
            return "old"
        }
        """,
    )
    await live.result()
    held = live.ask("hold")
    await live.until(lambda: (live.root / "holds").exists() or None)
    live.code(*NEW)
    assert await live.result() == "new"
    (live.root / "go").touch()
    end = await live.end(held)
    assert isinstance(end, Responded)
    assert end.body == b'"old"'


async def test_each_request_looks_for_saves_however_slow_a_busy_machine_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, files={"api/start.py": ECHO}) as live:
        await live.result()
        looked = []

        def look(key: str) -> None:
            looked.append(key)
            time.sleep(0.1)

        monkeypatch.setattr(live.reloading, "look_at", look)
        for _ in range(3):
            await live.result()
        assert looked == ["api()"] * 3


async def test_a_broken_save_says_where_at_once_and_the_next_save_mends_it(live: Bench) -> None:
    await live.result()
    live.code("def handler(event, context) return 1", "export const handler = () => return 1")
    document = await live.error()
    assert document["errorType"] == "Runtime.UserCodeSyntaxError"
    place = "(start.py, line 1)" if live.suffix == ".py" else "(api/start.ts:1:30)"
    assert document["errorMessage"].endswith(place)
    assert await live.error() == document
    request = {"requestContext": {"http": {"method": "GET", "path": "/a"}}, "rawPath": "/a"}
    page = await live.result(request)
    assert page["statusCode"] == 500
    assert page["body"].startswith("api cannot be loaded: SyntaxError: ")
    assert f"api/start{live.suffix}" in page["body"]
    broken = await live.told(Broken)
    assert (broken.job, broken.failure.type, broken.function) == ("api", "SyntaxError", True)
    # A request that comes a second later is a try of its own, which finds the same.
    assert len([each for each in live.kept.told if isinstance(each, Broken) and each.new]) == 1
    live.code(*NEW)
    assert await live.told(Reloaded)
    assert await live.result() == "new"


async def test_a_missing_module_that_is_added_mends_it(live: Bench) -> None:
    live.code(
        "import api.more\ndef handler(event, context): return api.more.X",
        'import { X } from "./more"\nexport const handler = async () => X',
    )
    document = await live.error()
    assert document["errorType"] == "Runtime.ImportModuleError"
    if live.suffix == ".py":
        what, place = "No module named 'api.more'", "(api/start.py, line 1)"
    else:
        what, place = "cannot resolve './more', which 'api/start.ts' imports", "(api/start.ts:1:19)"
    assert what in document["errorMessage"]
    assert document["errorMessage"].endswith(place)
    live.code("X = 5", "export const X = 5", "api/more")
    assert await live.told(Reloaded)
    assert await live.result() == 5


async def test_what_a_request_imports_is_watched_too(live: Bench) -> None:
    live.code("X = 1", "export const X = 1", "api/late")
    live.code(
        "def handler(event, context):\n    import api.late\n    return api.late.X",
        'export const handler = async () => (await import("./late")).X',
    )
    assert await live.result() == 1
    assert await live.result() == 1  # what the first one has imported was told before this began
    live.code("X = 2", "export const X = 2", "api/late")
    assert await live.result() == 2


async def test_a_function_out_of_time_is_killed_as_lambda_does(live: Bench) -> None:
    request_id = str(uuid.uuid4())
    asked = live.ask(name="slow", aws_request_id=request_id)
    end = await live.end(asked)
    assert isinstance(end, Raised)
    assert json.loads(end.error) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds",
    }
    assert [type(each) for each in live.answers[asked]] == [Raised]
    await live.told(Gone)


@pytest.mark.parametrize(
    ("code", "typescript", "what"),
    [
        ("import sys; sys.exit(1)", "process.exit(1)", "with error: exit status 1"),
        ("import os; os._exit(0)", "process.exit(0)", "without providing a reason"),
        (
            "import os; os.kill(os.getpid(), 9)",
            'process.kill(process.pid, "SIGKILL")',
            "with error: signal: killed",
        ),
    ],
)
async def test_a_process_that_ends_is_lambdas_error_and_replaced(
    live: Bench, code: str, typescript: str, what: str
) -> None:
    live.code(
        f"def handler(event, context):\n    if event: {code}\n    return 1",
        f"export const handler = async (event: string) => {{ if (event) {typescript}; return 1 }}",
    )
    request_id = str(uuid.uuid4())
    assert await live.error("end", aws_request_id=request_id) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: Runtime exited {what}",
    }
    assert await live.result() == 1


async def test_an_answer_over_the_limit_is_lambdas_error(live: Bench) -> None:
    live.code(
        "def handler(event, context): return 'x' * event",
        'export const handler = async (event: number) => "x".repeat(event)',
    )
    assert await live.result(6_291_554) == "x" * 6_291_554
    assert await live.error(6_291_555) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size"
        " (6291556 bytes).",
    }
    assert await live.result(1) == "x"


async def test_two_requests_at_once_have_two_workers(live: Bench) -> None:
    live.code(
        """
        import os, pathlib, time
        def handler(event, context):
            pathlib.Path(f"at-{event}").touch()
            while len(list(pathlib.Path().glob("at-*"))) < 2:
                time.sleep(0.005)
            return os.getpid()
        """,
        """
        import fs from "node:fs"
        export const handler = async (event: number) => {
            fs.writeFileSync(`at-${event}`, "")
            while (!fs.existsSync(`at-${3 - event}`)) await new Promise((ok) => setTimeout(ok, 5))
            return process.pid
        }
        """,
    )
    one, two = await asyncio.gather(live.result(1), live.result(2))
    assert one != two


async def test_an_abandoned_request_ends_its_worker(live: Bench) -> None:
    live.code(
        """
        import pathlib, os, time
        def handler(event, context):
            if event == "hold":
                pathlib.Path("pid").write_text(str(os.getpid()))
                time.sleep(60)
            return 1
        """,
        """
        import fs from "node:fs"
        export const handler = async (event: string) => {
            if (event === "hold") {
                fs.writeFileSync("pid", String(process.pid))
                for (;;);
            }
            return 1
        }
        """,
    )
    await live.result()
    held = live.ask("hold")
    await live.told(Requested, 2)
    pid = await live.until(lambda: _number(live.root / "pid"))
    live.functions.abandoned(held)
    await asyncio.to_thread(_gone, pid)
    assert await live.result() == 1
    assert not live.answers.get(held)
    told = [each for each in live.kept.told if isinstance(each, Answered)]
    assert [each.how for each in told if each.how.startswith("abandoned")] != []


def _number(file: Path) -> int | None:
    text = file.read_text() if file.exists() else ""
    return int(text) if text else None


def _gone(pid: int) -> None:
    try:
        psutil.Process(pid).wait(30)
    except psutil.NoSuchProcess:
        return


async def test_at_the_end_no_process_is_left(live: Bench) -> None:
    pid = (await live.result())["pid"]
    held = live.ask(name="slow")
    await live.told(Requested, 2)
    await live.functions.close()
    end = await live.end(held)
    assert isinstance(end, Raised)
    assert json.loads(end.error)["errorType"] == "Stopped"
    await asyncio.to_thread(_gone, pid)


async def test_a_request_that_comes_again_runs_once_and_is_answered_again(
    live: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Invoke(
        request_id=str(uuid.uuid4()),
        stub_id=str(uuid.uuid4()),
        function="api",
        aws_request_id=str(uuid.uuid4()),
        function_arn="arn",
        remaining=25_000,
    )
    live.functions.invoke(asked, b'{"count": true}')
    live.functions.invoke(asked, b'{"count": true}')
    await live.end(asked.request_id)
    assert len(live.answers[asked.request_id]) == 1
    # Its stub has not heard that.
    live.functions.invoke(asked, b'{"count": true}')
    first, again = live.answers[asked.request_id]
    assert isinstance(first, Responded)
    assert json.loads(first.body or b"")["calls"] == 1
    assert again == first
    # It must not think that the function was never called when the answer is not kept any more.
    monkeypatch.setattr(replies, "KEPT", 0.0)
    live.functions.invoke(asked, b'{"count": true}')
    last = live.answers[asked.request_id][-1]
    assert isinstance(last, Raised)
    assert json.loads(last.error)["errorType"] == UNHEARD


async def test_a_request_that_nobody_waits_for_is_not_begun_which_is_said(tmp_path: Path) -> None:
    files = {"api/start.py": "open('ran', 'w')\ndef handler(event, context): return 1"}
    async with bench(tmp_path, files=files, standbys=False) as live:
        late = live.ask(remaining=0)
        assert await live.result() == 1
        assert late not in live.answers
        told = await live.told(Answered)
        assert told.how == "abandoned before it began: nobody waits for its answer"


async def test_an_answer_that_cannot_be_sent_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, files={"api/start.py": ECHO}) as live:
        await live.result()

        def broken(*_: object) -> None:
            raise RuntimeError

        with monkeypatch.context() as patched:
            patched.setattr(live.functions, "_answer", broken)
            live.ask()
            await live.told(Answered, 2)
        assert (await live.result())["calls"] == 3


# --- AWS's own runtime interface client as the worker -------------------------------------------


class RicLauncher(FreshLauncher):
    """Starts `awslambdaric` in place of our runner."""

    async def launch(self, spec, output_fd):  # type: ignore[no-untyped-def]
        script = spec.root / "ric"
        script.write_text(f'#!/bin/sh\nexec {PYTHON} -m awslambdaric "$_HANDLER"\n')
        script.chmod(0o700)
        environment = {**spec.environment, "PYTHONPATH": os.fspath(spec.root)}
        return await super().launch(
            type(spec)(
                worker_id=spec.worker_id,
                root=spec.root,
                handler=spec.handler,
                python=script,
                environment=environment,
                job=spec.job,
            ),
            output_fd,
        )


async def test_awslambdaric_works_as_a_worker(tmp_path: Path) -> None:
    pytest.importorskip("awslambdaric")
    files = {
        "api/start.py": """
        calls = 0
        def handler(event, context):
            global calls
            calls += 1
            print("hello")
            if event == "boom":
                raise ValueError("boom")
            if event == "exit":
                raise SystemExit(3)
            return [calls, context.aws_request_id, context.memory_limit_in_mb]
        """
    }
    async with bench(tmp_path, launcher=RicLauncher, files=files) as live:
        request_id = str(uuid.uuid4())
        assert await live.result(aws_request_id=request_id) == [1, request_id, "512"]
        document = await live.error("boom")
        assert (document["errorType"], document["errorMessage"]) == ("ValueError", "boom")
        assert (await live.result())[0] == 3
        assert (await live.error("exit"))["errorType"] == "Runtime.ExitError"
        assert (await live.result())[0] == 1
