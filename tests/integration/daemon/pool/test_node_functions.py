"""What is only so of live functions in Node: the two runtimes' ways, as `aws-lambda-ric` has them
(version 3 is that of Node 22, version 4 of Node 24), in real processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devbridge.daemon.told import Answered, Broken, Gone, Printed, Reloaded, Remarked
from devbridge.languages.debuggers import Debuggers
from devbridge.languages.node.launcher import NodeLauncher
from devbridge.protocol.messages import Raised, Responded
from tests.integration.functions import Bench, bench, function, node_launcher
from tests.integration.workers import workplace

OLD, NEW = "nodejs22.x", "nodejs24.x"
DOES = """
    let calls = 0
    const does: Record<string, (context: any) => unknown> = {
        calls: () => ++calls,
        undefined: () => undefined,
        text: () => { throw "text" },
        null: () => { throw null },
        integer: () => ({ a: [1n] }),
        circle: () => { const a: any = {}; a.b = a; return a },
        class: () => { throw new (class Own extends TypeError {})("mine") },
        never: () => new Promise(() => {}),
        later: () => new Promise(() => setTimeout(() => { throw new RangeError("later") })),
        rejects: () => {
            Promise.reject(new RangeError("nobody"))
            return new Promise((ok) => setTimeout(ok, 60_000))
        },
        leaves: () => { Promise.reject(new RangeError("nobody")); return "left" },
    }
    export const handler = async (event: string, context: unknown) => await does[event](context)
"""


def runtime(which: str, **environment: str) -> dict[str, Any]:
    return {
        "runtime": which,
        "environment": {"AWS_EXECUTION_ENV": f"AWS_Lambda_{which}", **environment},
    }


@contextlib.asynccontextmanager
async def app(root: Path, code: str, which: str = NEW, **options: Any) -> AsyncIterator[Bench]:
    spec = function(**runtime(which))
    launcher = options.pop("launcher", lambda: node_launcher(root))
    files = {"api/start.ts": code}
    async with bench(root, spec, launcher=launcher, files=files, suffix=".ts", **options) as one:
        yield one


@pytest.fixture(params=[OLD, NEW])
async def does(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with app(tmp_path, DOES, request.param) as one:
        yield one


def is_old(one: Bench) -> bool:
    return one.specs["api"].runtime == OLD


async def test_errors_are_told_as_their_runtime_tells_them(does: Bench) -> None:
    """https://github.com/aws/aws-lambda-nodejs-runtime-interface-client: Errors.js, and 4.0's
    formatError and serializeToJSON."""
    await does.result("calls")
    stringify = "Error" if is_old(does) else "Runtime.JSONStringifyError"
    for event, kind, message in (
        ("text", "string", "text"),
        ("null", *(("string", "handled") if is_old(does) else ("object", "null"))),
        ("integer", stringify, "Unable to stringify response body"),
        ("circle", stringify, "Unable to stringify response body"),
        ("class", "TypeError", "mine"),
    ):
        document = await does.error(event)
        assert (document["errorType"], document["errorMessage"]) == (kind, message)
        assert document.keys() == {"errorType", "errorMessage", "trace"}
    seen = [each.failure for each in does.kept.told if isinstance(each, Answered)]
    assert [each.message for each in seen[3:5] if each] == [
        "result.a[0] is a bigint, which JSON does not have: return it as text",
        "result.b contains itself",
    ]
    assert await does.result("calls") == 2, "the process has gone on"
    assert await does.result("undefined") is None


@pytest.mark.parametrize(
    ("event", "old", "new", "seen"),
    [
        (
            "never",
            ("Runtime.NodeJsExit", "The Lambda runtime client detected an unexpected Node.js exit"),
            "without providing a reason",
            "the handler's promise never settled: nothing is left that could settle it: no timer",
        ),
        ("later", ("RangeError", "later"), "with error: exit status 1", "later"),
        (
            "rejects",
            ("Runtime.UnhandledPromiseRejection", "RangeError: nobody"),
            "with error: exit status 1",
            "nobody",
        ),
    ],
)
async def test_ends_that_are_no_return_are_told_as_their_runtime_tells_them(
    does: Bench, event: str, old: tuple[str, str], new: str, seen: str
) -> None:
    request_id = str(uuid.uuid4())
    document = await does.error(event, aws_request_id=request_id)
    kind, message = old
    if not is_old(does):
        kind, message = "Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited {new}"
    assert document["errorType"] == kind
    assert document["errorMessage"].startswith(message)
    told = (await does.told(Answered)).failure
    assert told is not None
    assert told.message.startswith(seen)
    if event != "never":
        assert told.type == "RangeError"
        assert told.frames[-1].startswith("at ")
        assert "(api/start.ts:" in told.frames[-1]
        assert "the process ends" in told.notes[-1]
    assert await does.result("calls") == 1, "it goes on"


async def test_a_request_after_the_last_one_of_a_process_is_anothers(does: Bench) -> None:
    """The worker ends when it has answered; what was given to it meanwhile is not lost."""
    await does.result("calls")
    asked = [does.ask("leaves"), *(does.ask("calls") for _ in range(6))]
    first, *others = [await does.end(each) for each in asked]
    if is_old(does):
        assert isinstance(first, Responded)
        assert first.body == b'"left"'
    else:
        assert isinstance(first, Raised)
        assert json.loads(first.error)["errorType"] == "Runtime.ExitError"
    assert all(isinstance(each, Responded) for each in others), others
    await does.told(Gone)


CALLBACKS = """
    export const handler = (event: string, context: any, callback: any) => {
        if (event === "waits") { setTimeout(() => console.log("later")); callback(null, event) }
        if (event === "waits not") {
            context.callbackWaitsForEmptyEventLoop = false
            setTimeout(() => {}, 60_000)
            callback(null, event)
        }
        if (event === "fails") callback(new Error("called"))
        if (event === "succeeds") context.succeed(event)
        if (event === "is done") context.done(null, event)
        if (event === "throws") throw new Error("thrown")
        return "nobody reads it"
    }
"""


async def test_node_22_has_callbacks(tmp_path: Path) -> None:
    async with app(tmp_path, CALLBACKS, OLD, concurrency=1) as live:
        assert await live.result("waits") == "waits"
        printed = [each.data for each in live.kept.told if isinstance(each, Printed)]
        assert printed == [b"later\n"], "before the answer"
        for event in ("succeeds", "is done"):
            assert await live.result(event) == event
        assert await live.result("does nothing") is None
        for event, message in (("fails", "called"), ("throws", "thrown")):
            document = await live.error(event)
            assert (document["errorType"], document["errorMessage"]) == ("Error", message)
        assert await live.result("waits not") == "waits not"
        assert await live.result("succeeds") == "succeeds"
        assert not [each for each in live.kept.told if isinstance(each, Gone)]


@pytest.mark.parametrize(
    ("code", "kind", "message", "seen"),
    [
        (
            "export const handler = (event: any, context: any, callback: any) => callback()",
            "Runtime.CallbackHandlerDeprecated",
            "ERROR: AWS Lambda has removed support for callback-based function handlers",
            ("Runtime.CallbackHandlerDeprecated", ()),
        ),
        (
            "declare const awslambda: any\n"
            "export const handler = awslambda.streamifyResponse(async () => {})",
            "Runtime.MalformedStreamingHandler",
            "devbridge dev cannot stream answers: return the answer, or have Lambda run the",
            ("Runtime.MalformedStreamingHandler", ()),
        ),
        (
            "export const other = 1",
            "Runtime.HandlerNotFound",
            "HandlerNotFound: 'api/start.ts' exports no 'handler'; it exports: other",
            ("HandlerNotFound", ()),
        ),
        (
            "export const handler = undefined",
            "Runtime.HandlerNotFound",
            "api/start.handler is undefined or not exported",
            ("HandlerNotFound", ()),
        ),
        (
            "export const handler = 1",
            "Runtime.HandlerNotFound",
            "api/start.handler is not a function",
            ("HandlerNotFound", ()),
        ),
        (
            "const x: string = 'at import';\nthrow new RangeError(x);\n"
            "export const handler = async () => 1",
            "RangeError",
            "at import (api/start.ts:2:7)",
            ("RangeError", ("at <anonymous> (api/start.ts:2:7)\n    throw new RangeError(x);",)),
        ),
        (
            "const name = ['nothing', 'here'].join('-');\nrequire(name);\n"
            "export const handler = async () => 1",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'nothing-here'",
            ("Error", ("at <anonymous> (api/start.ts:2:1)\n    require(name);",)),
        ),
        (
            "await new Promise(() => {});\nexport const handler = async () => 1",
            "Runtime.ExitError",
            "Runtime exited without providing a reason",
            ("Runtime.ExitError", ()),
        ),
        (
            "process.exit(3);\nexport const handler = async () => 1",
            "Runtime.ExitError",
            "RequestId: id Error: Runtime exited with error: exit status 3",
            ("Exited", ()),
        ),
    ],
)
async def test_what_keeps_a_handler_from_being_loaded_is_told_as_lambda_does(
    tmp_path: Path, code: str, kind: str, message: str, seen: tuple[str, tuple[str, ...]]
) -> None:
    async with app(tmp_path, code) as live:
        document = await live.error(aws_request_id="id")
        assert document["errorType"] == kind
        assert document["errorMessage"].startswith(message)
        broken = (await live.told(Broken)).failure
        assert (broken.type, broken.frames) == seen
        live.write("api/start.ts", "export const handler = async () => 'mended'")
        assert await live.told(Reloaded)
        assert await live.result() == "mended"


async def test_a_blank_becomes_the_worker_of_a_saved_function(tmp_path: Path) -> None:
    launchers: list[NodeLauncher] = []

    def launcher() -> NodeLauncher:
        launchers.append(node_launcher(tmp_path, blanks=True))
        return launchers[0]

    code = """
        export const handler = async (event: any, context: any) =>
            [process.pid, context.logStreamName, process.env.AWS_LAMBDA_LOG_STREAM_NAME]
    """
    async with app(tmp_path, code, launcher=launcher) as live:
        _, first, _ = await live.result()
        await launchers[0].settled()
        (waiting,) = launchers[0].blanks.values()
        live.write("api/start.ts", f"// saved\n{code}")
        pid, second, variable = await live.result()
        assert pid == waiting
        assert second == variable
        assert second != first


async def test_what_is_printed_at_once_is_there_before_the_answer(tmp_path: Path) -> None:
    code = """
        export const handler = async () => {
            for (let i = 0; i < 5_000; i++) console.log("line", i)
            console.error("last")
            ;(console as any).fatal("of all")
        }
    """
    async with app(tmp_path, code) as live:
        await live.result()
        await live.told(Answered)
        data = b"".join(each.data for each in live.kept.told if isinstance(each, Printed))
        lines = data.decode().splitlines()
        assert (len(lines), lines[-2:]) == (5_002, ["last", "of all"])


async def test_requests_at_once_are_each_answered_with_their_own(tmp_path: Path) -> None:
    code = "export const handler = async (event: number) => event * 2"
    async with app(tmp_path, code) as live:
        found = await asyncio.gather(*(live.result(number) for number in range(200)))
        assert found == [2 * number for number in range(200)]


async def test_a_worker_is_open_to_debuggers_from_its_first_request_on(tmp_path: Path) -> None:
    code = """
        import inspector from "node:inspector"
        export const handler = async (event: any, context: any) =>
            [Boolean(inspector.url()), context.getRemainingTimeInMillis() <= 20_000]
    """
    debuggers = Debuggers(workplace(tmp_path), 0.05)
    async with app(tmp_path, code, debuggers=debuggers, standbys=False) as live:
        for _ in range(3):
            assert await live.result() == [True, True]
        told = [each.text for each in live.kept.told if isinstance(each, Remarked)]
        assert len([each for each in told if "ws://127.0.0.1:" in each]) == 1
        assert not [each for each in live.kept.told if isinstance(each, Printed)]
