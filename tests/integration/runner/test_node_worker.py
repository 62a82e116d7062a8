"""Real Node workers, fresh and out of blanks, against the daemon's Runtime API."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from devbridge.languages.node.launcher import NodeLauncher
from devbridge.runs.model import Exit
from runner import outcome
from tests.integration.runner.nodes import Copier
from tests.integration.workers import Bench, Worker, bench
from tests.node import NODE

LATE = "await new Promise((ok) => setTimeout(ok, 1e5))"
linux = pytest.mark.skipif(sys.platform != "linux", reason="linux only")


class Nodes:
    """Launches Node workers; each fresh, or each out of a blank."""

    def __init__(self, one: Bench, launcher: NodeLauncher, blank: bool) -> None:
        self.bench = one
        self.said = one.said
        self.launcher = launcher
        self.blank = blank

    async def launch(
        self, code: str | None = None, handler: str = "jobs/resize.handler", **job: str
    ) -> Worker:
        if code is not None:
            self.bench.write("jobs/resize.mjs", code)
        if self.blank:
            await self._launch(handler, job)
            await self.launcher.settled()
            waiting = self.launcher.blanks
            worker = await self._launch(handler, job)
            assert waiting == {"factorial": worker.process.pid}
            return worker
        return await self._launch(handler, job)

    async def _launch(self, handler: str, job: dict[str, str]) -> Worker:
        return await self.bench.launch(None, handler, None, **job)

    async def result(self, code: str, payload: bytes = b"null", **job: str) -> Any:
        worker = await self.launch(code, **job)
        await worker.run(payload)
        return json.loads(await worker.result())


@pytest.fixture(params=["fresh", pytest.param("blank", marks=linux)])
async def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Nodes]:
    blank = request.param == "blank"
    bundler = Copier(tmp_path / "bundles")
    launcher = NodeLauncher(bundler, lambda _: Path(NODE), blanks=blank)
    root = tmp_path / "app"
    root.mkdir()
    async with bench(root, lambda: launcher) as one:
        yield Nodes(one, launcher, blank)


async def test_a_handler_gets_its_payload_and_answers(nodes: Nodes) -> None:
    worker = await nodes.launch("""
        console.log("loaded")
        export const handler = async (payload) => {
            console.log("got", payload)
            return {twice: payload + payload}
        }
    """)
    await worker.run(b'"\xe2\x82\xac"')
    assert json.loads(await worker.result()) == {"twice": "€€"}
    assert await worker.exit() == Exit(code=0)
    assert await worker.output() == "loaded\ngot €\n"


@pytest.mark.parametrize("payload", [b"0", b"false", b'""', b"null", b"[]", b'"\xe2\x80\xa8"'])
async def test_every_json_value_goes_through(nodes: Nodes, payload: bytes) -> None:
    worker = await nodes.launch("export const handler = (payload) => payload")
    await worker.run(payload)
    assert await worker.result() == payload


async def test_commonjs_is_loaded_too(nodes: Nodes) -> None:
    nodes.bench.write("jobs/old.cjs", "exports.handler = (payload, context) => context.jobName")
    worker = await nodes.launch(handler="jobs/old.handler")
    await worker.run()
    assert json.loads(await worker.result()) == "factorial"


async def test_a_second_parameter_gets_lambdas_context(nodes: Nodes) -> None:
    worker = await nodes.launch("""
        export function handler(payload, context) {
            const left = context.getRemainingTimeInMillis()
            return [context.awsRequestId, context.functionName, context.jobName, context.attempt,
                    context.maxAttempts, context.memoryLimitInMB, context.invokedFunctionArn,
                    context.clientContext.custom.job, context.logGroupName, context.functionVersion,
                    0 < left && left <= 60_000]
        }
    """)
    await worker.run(attempt="2", max_attempts="3")
    arn = "arn:aws:codebuild:eu-west-1:1:project/p"
    assert json.loads(await worker.result()) == [
        *(f"job-of-{worker.id}", "factorial", "factorial", 2, 3, "3072", arn, "factorial"),
        *("/devbridge/factorial", "$LATEST", True),
    ]


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("return undefined", None),
        ("return {a: undefined, b: [undefined]}", {"b": [None]}),
        ("return new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("return '\\ud800'", "\ud800"),
        ("return {then: (done) => done(3)}", 3),
        ("return await new Promise((done) => setTimeout(done, 1, 'later'))", "later"),
    ],
)  # fmt: skip
async def test_what_json_stringify_writes_is_the_result(
    nodes: Nodes, code: str, result: Any
) -> None:
    assert await nodes.result(f"export const handler = async () => {{ {code} }}") == result


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("return {a: [1, 2n]}",
         "result.a[1] is a bigint, which JSON does not have: return it as text"),
        ("return {'a b': () => 1}", 'result["a b"] is a function, which JSON does not have'),
        ("return Symbol('x')", "result is a symbol, which JSON does not have"),
        ("return [NaN]", "result[0] is NaN, which JSON does not have"),
        ("return {x: {y: -Infinity}}", "result.x.y is -Infinity, which JSON does not have"),
        ("const a = {}; a.b = {a}; return a", "result.b.a contains itself"),
        ("const a = [1]; return {x: a, y: a, z: Promise.resolve(1)}",
         "result.z is a Promise: await it"),
        ("let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a",
         "the result is nested too deeply for JSON"),
    ],
)  # fmt: skip
async def test_a_result_that_is_not_json_is_named_with_its_path(
    nodes: Nodes, code: str, message: str
) -> None:
    worker = await nodes.launch(f"export const handler = () => {{ {code} }}")
    await worker.run()
    failure = await worker.failure()
    assert (failure.type, failure.message, failure.frames) == ("ResultNotJson", message, ())


async def test_megabytes_go_both_ways_and_too_many_are_refused(nodes: Nodes) -> None:
    payload = json.dumps("€" * 2_000_000, ensure_ascii=False).encode()
    worker = await nodes.launch("export const handler = (text) => text")
    await worker.run(payload)
    assert await worker.result() == payload
    worker = await nodes.launch("export const handler = () => 'x'.repeat(7_000_000)")
    await worker.run()
    assert (await worker.failure()).type == "ResultTooLarge"


async def test_integers_that_lose_digits_are_told(nodes: Nodes) -> None:
    worker = await nodes.launch("export const handler = () => 1")
    await worker.run(b'{"text": "9007199254740993", "ids": [1, 9007199254740993]}')
    await worker.result()
    await worker.exit()
    assert "--- devbridge: payload.ids[1] is an integer beyond 2**53" in await worker.output()


SOURCE = """\
// compiled from TypeScript
interface Payload { n: number }

export const handler = async (payload: Payload) => {
  await null;
  return inner(payload.n);
};
function inner(n: number) {
  throw new RangeError("too " + n, { cause: new Error("root") });
}
"""
COMPILED = """\
export const handler = async (payload) => {
  await null;
  return inner(payload.n);
};
function inner(n) {
  throw new RangeError("too " + n, { cause: new Error("root") });
}
"""


def _with_map(root: Path, compiled: str, *, skipped: int, content: str | None) -> str:
    """Code whose source map says that each line is so many lines further down in the source."""
    mappings = "AA" + {3: "G"}[skipped] + "A" + ";AACA" * (compiled.count("\n") - 1)
    sources = [f"file://{root}/jobs/resize.ts"]
    told: dict[str, Any] = {"version": 3, "sources": sources, "names": [], "mappings": mappings}
    if content is not None:
        told["sourcesContent"] = [content]
    data = base64.b64encode(json.dumps(told).encode()).decode()
    return f"{compiled}//# sourceMappingURL=data:application/json;base64,{data}\n"


@pytest.mark.parametrize("in_map", [True, False])
async def test_frames_are_those_of_the_source(nodes: Nodes, in_map: bool) -> None:
    root = nodes.bench.root
    if not in_map:
        nodes.bench.write("jobs/resize.ts", SOURCE)
    code = _with_map(root, COMPILED, skipped=3, content=SOURCE if in_map else None)
    worker = await nodes.launch(code)
    await worker.run(b'{"n": 3}')
    failure = await worker.failure()
    assert (failure.type, failure.message) == ("RangeError", "too 3")
    outer, inner = failure.frames
    assert outer.startswith("at handler (jobs/resize.ts:6:")
    assert outer.endswith(")\n    return inner(payload.n);")
    assert inner.startswith("at inner (jobs/resize.ts:9:")
    assert inner.endswith(')\n    throw new RangeError("too " + n, { cause: new Error("root") });')
    assert failure.trace[0] == "RangeError: too 3"
    assert not any("runner/node" in line for line in failure.trace)
    cause = failure.causes[0]
    assert (cause.how, cause.type, cause.message) == ("caused by", "Error", "root")
    assert cause.frames[-1].startswith("at inner (jobs/resize.ts:9:")
    assert await worker.exit() == Exit(code=0)


@pytest.mark.parametrize(
    ("code", "type_", "message"),
    [
        ("throw 'text'", "string", "text"),
        ("throw null", "null", "null"),
        ("throw {a: 1}", "Object", "{ a: 1 }"),
        ("class Own extends Error {}; throw new Own('mine')", "Own", "mine"),
        ("const e = new Error('x'); "
         "Object.defineProperty(e, 'message', {get() { throw 1 }}); throw e",
         "Error", "<its message threw number>"),
        ("const e = new Error('x'); "
         "Object.defineProperty(e, 'stack', {get() { throw 1 }}); throw e",
         "Error", "x"),
        ("Promise.reject(new TypeError('nobody')); LATE",
         "TypeError", "nobody"),
        ("Promise.reject('why'); LATE",
         "UnhandledRejection", "a promise was rejected with why"),
        ("setTimeout(() => { throw new URIError('late') }, 1); LATE",
         "URIError", "late"),
        ("(await import('node:fs')).readFileSync('/nowhere')", "Error", "ENOENT"),
        ("const {Worker} = await import('node:worker_threads'); new Worker("
         "'throw new EvalError(\"in a thread\")', {eval: true}); LATE",
         "EvalError", "in a thread"),
        ("process.exit(3)", "ProcessExit", "process.exit(3)"),
        ("await new Promise(() => {})", "NeverSettled", "the handler's promise never settled"),
        ("return (function again() { again() })()", "RangeError", "Maximum call stack"),
    ],
)  # fmt: skip
async def test_other_ends_are_reported_as_what_they_are(
    nodes: Nodes, code: str, type_: str, message: str
) -> None:
    code = code.replace("LATE", LATE)
    worker = await nodes.launch(f"export const handler = async () => {{ {code} }}")
    await worker.run()
    failure = await worker.failure()
    assert failure.type == type_
    assert message in failure.message
    assert len(failure.frames) <= 41
    if type_ in ("Own", "ProcessExit", "TypeError"):
        assert failure.frames[-1].startswith("at handler (jobs/resize.mjs:1:")
    uncaught = ("TypeError", "UnhandledRejection", "URIError", "EvalError")
    codes = {"ProcessExit": 3, **dict.fromkeys(uncaught, 1)}
    assert await worker.exit() == Exit(code=codes.get(type_, 0))
    assert len(nodes.said.of("failed", worker.id)) == 1


async def test_members_of_an_aggregate_error_are_told(nodes: Nodes) -> None:
    worker = await nodes.launch("""
        export const handler = async () => {
            await Promise.any([Promise.reject(new Error("one")), Promise.reject("two")])
        }
    """)
    await worker.run()
    failure = await worker.failure()
    assert failure.type == "AggregateError"
    told = [(each.how, each.type, each.message, each.depth) for each in failure.causes]
    assert told == [("1 of 2:", "Error", "one", 1), ("2 of 2:", "string", "two", 1)]


async def test_who_takes_uncaught_errors_goes_on(nodes: Nodes) -> None:
    result = await nodes.result("""
        export const handler = () => new Promise((done) => {
            process.on("uncaughtException", (error) => done(error.message))
            setTimeout(() => { throw new Error("taken") }, 1)
        })
    """)
    assert result == "taken"


@pytest.mark.parametrize(
    ("code", "type_", "message", "frames"),
    [
        ("import './nothing.mjs'", "Error", "Cannot find module", 0),
        ("throw new RangeError('at import')", "RangeError", "at import", 1),
        ("export const other = () => 1", "HandlerNotFound",
         'jobs/resize.mjs exports no function "handler"; it has: other', 0),
        ("export default () => 1", "HandlerNotFound",
         'jobs/resize.mjs exports no function "handler", only a default: export it as "handler", '
         'or name it as the handler: "jobs/resize.default"', 0),
        ("export const handler = {}", "HandlerNotFound",
         '"handler" in jobs/resize.mjs is no function: it is of type object', 0),
        ("process.exit(2)", "ProcessExit", "process.exit(2)", 1),
        ("await new Promise(() => {})", "NeverSettled",
         "a top-level await of its file never ends", 0),
        ("Promise.reject(new RangeError('loose')); LATE",
         "RangeError", "loose", 1),
    ],
)  # fmt: skip
async def test_a_handler_that_cannot_be_loaded_is_an_init_error(
    nodes: Nodes, code: str, type_: str, message: str, frames: int
) -> None:
    worker = await nodes.launch(code.replace("LATE", LATE))
    failure = await worker.init_failure()
    assert (failure.type, len(failure.frames)) == (type_, frames)
    assert message in failure.message
    assert await worker.exit() == Exit(code=2 if type_ == "ProcessExit" else 1)
    assert nodes.said.of("modules", worker.id)


async def test_a_syntax_error_has_file_line_and_caret(nodes: Nodes) -> None:
    worker = await nodes.launch("export const handler = () => 1\nconst x = ;\n")
    failure = await worker.init_failure()
    assert failure.type == "SyntaxError"
    frame = "jobs/resize.mjs:2\n    const x = ;\n              ^"
    assert failure.frames == (frame,)


async def test_a_default_export_can_be_named(nodes: Nodes) -> None:
    nodes.bench.write("jobs/resize.mjs", "export default () => 'default'")
    worker = await nodes.launch(handler="jobs/resize.default")
    await worker.run()
    assert await worker.result() == b'"default"'


async def test_a_callback_is_said_not_to_be_there(nodes: Nodes) -> None:
    worker = await nodes.launch("export const handler = (p, c, callback) => callback(null, 1)")
    await worker.run()
    assert "handlers have no callback" in (await worker.failure()).message


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("process.kill(process.pid, 'SIGKILL')", Exit(signal=signal.SIGKILL)),
        ("process.kill(process.pid, 'SIGTERM'); for (;;);", Exit(signal=signal.SIGTERM)),
        ("process.abort()", Exit(signal=signal.SIGABRT)),
    ],
)
async def test_a_crash_is_an_exit_without_an_answer(
    nodes: Nodes, code: str, expected: Exit
) -> None:
    worker = await nodes.launch(f"export const handler = () => {{ {code} }}")
    await worker.run()
    assert await worker.exit() == expected
    assert not nodes.said.of("responded", worker.id)
    assert not nodes.said.of("failed", worker.id)
    assert not psutil.pid_exists(worker.process.pid)


async def test_a_heap_that_is_full_is_told_by_node(nodes: Nodes) -> None:
    worker = await nodes.launch(
        "export const handler = () => { for (const all = [];;) all.push(Array(999).fill(1)) }",
        DEVBRIDGE_MEMORY_LIMIT=str(40 << 20),
    )
    await worker.run()
    exit_ = await worker.exit()
    last = outcome.LastWords()
    last.add((await worker.output()).encode())
    assert exit_.signal is not None
    assert last.heap_was_full(-exit_.signal)
    assert not last.heap_was_full(-signal.SIGKILL)


async def test_all_that_is_printed_is_there_before_the_answer_and_before_an_exit(
    nodes: Nodes,
) -> None:
    for end in ("return 1", "process.exit(0)"):
        worker = await nodes.launch(f"""
            export const handler = () => {{
                for (let i = 0; i < 20_000; i++) console.log("line", i, "x".repeat(50))
                console.error("last")
                {end}
            }}
        """)
        output = asyncio.create_task(worker.output())
        await worker.run()
        assert await worker.exit() == Exit(code=0)
        lines = (await output).splitlines()
        assert (len(lines), lines[-1]) == (20_001, "last")


@pytest.mark.parametrize("code", ["fs.closeSync(1)", "process.stdout.destroy()"])
async def test_a_handler_that_closed_its_output_still_answers(nodes: Nodes, code: str) -> None:
    worker = await nodes.launch(f"""
        import fs from "node:fs"
        export const handler = () => {{
            process.stdout.write("no newline")
            {code}
            console.log("nobody sees it")
            return 1
        }}
    """)
    await worker.run()
    assert await worker.result() == b"1"
    assert await worker.exit() == Exit(code=0)


async def test_a_worker_is_alone_in_its_session_with_its_own_environment(nodes: Nodes) -> None:
    worker = await nodes.launch(
        """
        import fs from "node:fs"
        export const handler = () => [
            process.pid, process.cwd(), process.env.MINE, fs.readFileSync(0, "utf8"),
            Object.keys(process.env).filter((k) => k.includes("KEY") && k.startsWith("AWS")),
            process.argv.length, process.argv[1].split("/").slice(-3).join("/"),
            Object.keys(process.env).filter((k) => /^DEVBRIDGE_(BUNDLE|MODULES|WITH)/.test(k)),
            process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI.startsWith("http://127.0.0.1"),
        ]
        """,
        MINE="yes",
    )
    await worker.run()
    pid, *found = json.loads(await worker.result())
    assert pid == worker.process.pid
    root = str(nodes.bench.root)
    assert found == [root, "yes", "", [], 2, "runner/node/worker.mjs", [], True]


async def test_sigterm_aborts_the_signal_that_the_handler_has_read(nodes: Nodes) -> None:
    worker = await nodes.launch("""
        export const handler = (payload, {signal}) => new Promise((done) => {
            const told = () => `${signal.reason.name}: ${signal.reason.message}`
            signal.addEventListener("abort", () => done(told()))
            console.log("listening")
            const hold = setTimeout(() => {}, 1e6)
            signal.addEventListener("abort", () => clearTimeout(hold))
        })
    """)  # fmt: skip
    await worker.run()
    await worker.read_until(b"listening\n")
    worker.process.signal_group(signal.SIGTERM)
    assert json.loads(await worker.result()) == "AbortError: the run was told to stop"
    assert await worker.exit() == Exit(code=0)


async def test_a_generator_begins_at_its_checkpoint_and_leaves_others(nodes: Nodes) -> None:
    worker = await nodes.launch("""
        export const handler = async function* (payload, context) {
            for (let n = context.checkpoint.n + 1; n < payload; n++) yield {n}
            console.log("all")
            while (!context.interrupted) await new Promise((ok) => setTimeout(ok, 1))
            yield "last"
        }
    """)  # fmt: skip
    await worker.run(b"6", checkpoint=b'{"n": 3}')
    await worker.read_until(b"all\n")
    worker.process.signal_group(signal.SIGTERM)
    assert (await worker.failure()).type == "Interrupted"
    assert await worker.exit() == Exit(code=0)
    told = [json.loads(body) for _, body in nodes.said.of("reached", worker.id)]
    assert told == [{"n": 4}, {"n": 5}, "last"]


async def test_a_signal_reaches_what_the_handler_started(nodes: Nodes) -> None:
    worker = await nodes.launch("""
        import { spawn } from "node:child_process"
        export const handler = () => new Promise(() => {
            const child = spawn("sleep", ["1000"])
            child.on("spawn", () => console.log("child", child.pid))
        })
    """)
    await worker.run()
    child = psutil.Process(int((await worker.read_until(b"\n")).split()[1]))
    worker.process.signal_group(signal.SIGTERM)
    assert await worker.exit() == Exit(signal=signal.SIGTERM)
    await asyncio.to_thread(psutil.wait_procs, [child], 30)
    assert not child.is_running()


async def test_what_goes_on_after_the_answer_is_told_by_name(nodes: Nodes) -> None:
    worker = await nodes.launch("""
        import { spawn } from "node:child_process"
        import net from "node:net"
        export const handler = () => {
            const child = spawn("sleep", ["1000"], {stdio: "ignore"})
            const server = net.createServer().listen(0, "127.0.0.1")
            setInterval(() => {}, 1000)
            const told = () => [child.pid, server.address().port]
            return new Promise((ok) => server.on("listening", () => ok(told())))
        }
    """)  # fmt: skip
    await worker.run()
    pid, port = json.loads(await worker.result())
    left = await nodes.said.wait("lingers", worker.id)
    assert left == (f"its process 'sleep' (PID {pid})", f"its server on port {port}", "its timer")
    worker.process.signal_group(signal.SIGKILL)
    assert await worker.exit() == Exit(signal=signal.SIGKILL)


async def test_a_process_goes_on_after_the_answer_until_nothing_is_left(nodes: Nodes) -> None:
    worker = await nodes.launch("""
        process.on("exit", () => console.log("exit"))
        export const handler = () => { setTimeout(() => console.log("later"), 50); return 1 }
    """)
    await worker.run()
    assert await worker.result() == b"1"
    assert await worker.exit() == Exit(code=0)
    assert await worker.output() == "later\nexit\n"


async def test_an_answer_is_sent_though_the_process_is_ended_at_once(nodes: Nodes) -> None:
    worker = await nodes.launch("""
        export const handler = async () => {
            queueMicrotask(() => setImmediate(() => process.exit(7)))
            setTimeout(() => process.exit(7), 0)
            process.nextTick(() => process.exit(7))
            return "x".repeat(5_000_000)
        }
    """)
    await worker.run()
    exit_ = await worker.exit()
    told = nodes.said.of("responded", worker.id) + nodes.said.of("failed", worker.id)
    assert len(told) == 1
    assert exit_ == Exit(code=7)


async def test_threads_and_children_of_node_work(nodes: Nodes) -> None:
    result = await nodes.result("""
        import { Worker } from "node:worker_threads"
        import { execFileSync } from "node:child_process"
        export const handler = async (payload) => {
            const code = "const {parentPort, workerData} = require('worker_threads');"
                + "console.log('in a thread'); parentPort.postMessage(workerData * 2)"
            const worker = new Worker(code, {eval: true, workerData: payload})
            const doubled = await new Promise((ok) => worker.on("message", ok))
            const child = execFileSync(process.execPath, ["-p", "process.env.MINE"])
            return [doubled, String(child).trim()]
        }
    """, b"21", MINE="yes")  # fmt: skip
    assert result == [42, "yes"]


async def test_what_the_shell_has_and_the_job_looks_for_in_vain_is_told_once(nodes: Nodes) -> None:
    nodes.bench.environment.update(DB_URL="x", LISTED="x")
    worker = await nodes.launch("""
        const early = process.env.DB_URL
        export const handler = async () => {
            process.env.SET = 1
            const {DB_URL, SET} = process.env
            return [early ?? null, DB_URL ?? null, SET, {...process.env}.LISTED ?? null]
        }
    """)  # fmt: skip
    await worker.run()
    assert json.loads(await worker.result()) == [None, None, "1", None]
    await worker.exit()
    assert nodes.said.of("missed", worker.id) == ["DB_URL"]


async def test_a_runtime_api_that_has_gone_ends_the_worker(nodes: Nodes) -> None:
    worker = await nodes.launch("export const handler = () => 1")
    await nodes.said.wait("ready", worker.id)
    nodes.bench.api.remove_worker(worker.id)
    assert await worker.exit() == Exit(code=1)
    assert "the runtime api" in await worker.output()
