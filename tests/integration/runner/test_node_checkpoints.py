"""What handlers in JavaScript yield is stored, and where the next attempt begins."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import textwrap
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.node import NODE

WORKER = Path(__file__).parents[3] / "runner" / "node" / "worker.mjs"
DEADLINE = 30.0
GO_ON = """
    import { existsSync } from "node:fs"
    const told = async (name) => {
        while (!existsSync(name)) await new Promise((ok) => setTimeout(ok, 5))
    }
    const busy = (name) => { while (!existsSync(name)); }
"""
"""`await told("file")` waits until a test has written that; `busy` does it without the loop."""


class Server(ThreadingHTTPServer):
    """A Runtime API that keeps what it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.custom: dict[str, str] = {"job": "train", "attempt": "1"}
        self.checkpoint: str | None = None
        self.refuses = 0
        self.said: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def next(self) -> tuple[str, Any]:
        """What the worker says next: the path's last part, and the body."""
        return self.said.get(timeout=DEADLINE)

    def all(self) -> list[tuple[str, Any]]:
        """What it has said besides, once it has ended."""
        return [self.said.get() for _ in range(self.said.qsize())]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        if self.path.endswith("/next"):
            context = json.dumps({"custom": self.server.custom})
            told = {"Lambda-Runtime-Aws-Request-Id": "r", "Lambda-Runtime-Client-Context": context}
            self._answer(200, b"3", told)
            return
        self.server.said.put(("asked", None))
        found = self.server.checkpoint
        self._answer(204 if found is None else 200, found or "")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        what = self.path.rpartition("/")[2]
        status = 202
        if what == "checkpoint" and self.server.refuses:
            status = self.server.refuses
        self.server.said.put((what, json.loads(body) if body else None))
        self._answer(status, b"{}")

    def _answer(
        self, status: int, body: bytes | str, headers: dict[str, str] | None = None
    ) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Train:
    """Runs handlers, each in a worker of its own."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.server = server
        self.workers: list[subprocess.Popen[str]] = []

    def start(self, code: str, **variables: str) -> subprocess.Popen[str]:
        (self.folder / "train.mjs").write_text(textwrap.dedent(GO_ON) + textwrap.dedent(code))
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}/token",
            "LAMBDA_TASK_ROOT": os.fspath(self.folder),
            "_HANDLER": "train.handler",
            **variables,
        }
        worker = subprocess.Popen(
            [NODE, WORKER],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.workers.append(worker)
        return worker

    def run(self, code: str, **variables: str) -> list[tuple[str, Any]]:
        """All that a worker says that ends by itself."""
        output, _ = self.start(code, **variables).communicate(timeout=DEADLINE)
        print(output)
        return self.server.all()

    def tell(self, name: str) -> None:
        (self.folder / name).touch()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        yield one
        one.shutdown()


@pytest.fixture
def train(tmp_path: Path, server: Server) -> Iterator[Train]:
    one = Train(tmp_path, server)
    yield one
    for worker in one.workers:
        worker.kill()
        worker.communicate()


@pytest.mark.parametrize("kind", ["function*", "async function*"])
def test_the_first_is_stored_at_once_and_the_return_value_is_the_result(
    train: Train, kind: str
) -> None:
    said = train.run(f"""
        export const handler = {kind} (payload, context) {{
            for (let n = 0; n < payload; n++) yield {{n}}
            const {{DEVBRIDGE_CHECKPOINT_SECONDS}} = process.env
            return [payload, context.checkpoint === undefined, DEVBRIDGE_CHECKPOINT_SECONDS]
        }}
    """, DEVBRIDGE_CHECKPOINT_SECONDS="1000")  # fmt: skip
    assert said == [("checkpoint", {"n": 0}), ("response", [3, True, None])]


def test_all_are_stored_that_are_as_far_from_each_other_as_is_said(train: Train) -> None:
    code = "export const handler = function* () { yield 1; yield 2; yield 3 }"
    said = train.run(code, DEVBRIDGE_CHECKPOINT_SECONDS="0")
    assert said == [("checkpoint", 1), ("checkpoint", 2), ("checkpoint", 3), ("response", None)]


def test_null_and_undefined_say_that_the_next_attempt_begins_at_the_beginning(
    train: Train, server: Server
) -> None:
    code = "export const handler = async function* () { yield 1; yield; return 1 }"
    said = train.run(code, DEVBRIDGE_CHECKPOINT_SECONDS="0")
    assert said == [("checkpoint", 1), ("checkpoint", None), ("response", 1)]
    server.custom["checkpoint"], server.checkpoint = "1", "null"
    said = train.run("export const handler = (payload, context) => [context.checkpoint ?? 'none']")
    assert said == [("asked", None), ("response", ["none"])]


def test_what_is_pending_is_stored_when_its_time_has_come(train: Train, server: Server) -> None:
    code = """
        export const handler = async function* () {
            yield 1
            yield 2
            await told("stored")
            yield 3
            throw new Error("x")
        }
    """
    train.start(code, DEVBRIDGE_CHECKPOINT_SECONDS="0.05")
    assert [server.next(), server.next()] == [("checkpoint", 1), ("checkpoint", 2)]
    train.tell("stored")
    assert server.next() == ("checkpoint", 3)
    assert server.next()[0] == "error"


def test_what_a_wrapper_returns_may_be_a_generator_too(train: Train) -> None:
    code = """
        const own = async function* (payload) { yield 1; return payload }
        const wrapped = (handler) => async (...all) => handler(...all)
        export const handler = wrapped(own)
    """
    assert train.run(code) == [("checkpoint", 1), ("response", 3)]


def test_an_iterator_that_is_no_generator_is_a_result_as_before(train: Train) -> None:
    assert train.run("export const handler = () => [1].values()") == [("response", {})]


def test_what_is_yielded_is_stored_as_it_was_then(train: Train) -> None:
    said = train.run("""
        export const handler = function* () {
            const state = {n: 0}
            for (state.n = 1; state.n < 4; state.n++) yield state
            throw new RangeError("over")
        }
    """)
    assert [what for what, _ in said] == ["checkpoint", "checkpoint", "error"]
    assert [body for _, body in said[:2]] == [{"n": 1}, {"n": 3}]
    assert said[2][1]["errorType"] == "RangeError"
    assert said[2][1]["stackTrace"][-1].startswith("at handler (train.mjs:")


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("throw new TypeError('x')", "TypeError"),
        ("process.exit(3)", "ProcessExit"),
        ("await new Promise(() => {})", "NeverSettled"),
        ("setTimeout(() => { throw new EvalError('x') }); await told('never')", "EvalError"),
        ("return 1n", "ResultNotJson"),
    ],
)
def test_an_error_of_any_kind_stores_what_is_not_stored_yet(
    train: Train, end: str, error: str
) -> None:
    said = train.run(f"export const handler = async function* () {{ yield 1; yield 2; {end} }}")
    assert said[:-1] == [("checkpoint", 1), ("checkpoint", 2)]
    assert (said[-1][0], said[-1][1]["errorType"]) == ("error", error)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("{a: [1, 2n]}", "CheckpointNotJson",
         "checkpoint.a[1] is a bigint, which JSON does not have: yield it as text"),
        ("new Map()", "CheckpointNotJson",
         "checkpoint is a Map, which JSON does not have: Object.fromEntries makes it an object"),
        ("'x'.repeat(256 * 1024 - 1)", "CheckpointTooLarge",
         "the checkpoint has 262,145 bytes, and at most 262,144 are kept: put what is large into a "
         "file or into S3, and yield where it is"),
    ],
)  # fmt: skip
def test_what_cannot_be_stored_is_thrown_where_it_is_yielded(
    train: Train, value: str, error: str, message: str
) -> None:
    worker = train.start(f"""
        export const handler = function* () {{
            yield 1
            yield 2
            try {{ yield {value} }} catch (error) {{ console.log(error.name) }}
            try {{ yield 3 }} finally {{ console.log("closed") }}
            console.log("not reached")
        }}
    """)
    assert worker.communicate(timeout=DEADLINE)[0] == f"{error}\nclosed\n"
    said = train.server.all()
    assert said[:-1] == [("checkpoint", 1), ("checkpoint", 2)]
    assert said[-1][0] == "error"
    assert (said[-1][1]["errorType"], said[-1][1]["errorMessage"]) == (error, message)
    largest = "'x'.repeat(256 * 1024 - 2)"
    said = train.run(f"export const handler = function* () {{ yield {largest} }}")
    assert [what for what, _ in said] == ["checkpoint", "response"]


def test_a_handler_begins_at_the_last_checkpoint(train: Train, server: Server) -> None:
    server.custom["checkpoint"], server.checkpoint = "1", '{"n": 2}'
    said = train.run("export const handler = (payload = {}, context) => context.checkpoint.n")
    assert said == [("asked", None), ("response", 2)]
    server.checkpoint = None
    said = train.run("export const handler = (payload, context) => context.checkpoint ?? 'none'")
    assert said == [("asked", None), ("response", "none")]


def test_a_checkpoint_that_could_not_be_stored_is_said_once(train: Train, server: Server) -> None:
    server.refuses = 500
    code = "export const handler = function* () { yield 1; yield 2; return 3 }"
    worker = train.start(code, DEVBRIDGE_CHECKPOINT_SECONDS="0")
    output, _ = worker.communicate(timeout=DEADLINE)
    assert output == (
        "--- devbridge: a checkpoint could not be stored: the runtime api answered 500\n"
    )
    assert server.all()[-1] == ("response", 3)


# --- SIGTERM --------------------------------------------------------------------------------------


def test_sigterm_stores_what_is_not_stored_yet_and_ends_the_process(
    train: Train, server: Server
) -> None:
    worker = train.start("""
        export const handler = async function* () {
            yield 1
            yield 2
            console.log("yielded")
            await told("never")
        }
    """)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "yielded\n"
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(DEADLINE) == -signal.SIGTERM
    assert server.all() == [("checkpoint", 1), ("checkpoint", 2)]


def test_sigterm_ends_a_busy_process_at_once_when_all_is_stored(
    train: Train, server: Server
) -> None:
    worker = train.start("""
        export const handler = function* () { yield 1; console.log("busy"); busy("never") }
    """)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "busy\n"
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(DEADLINE) == -signal.SIGTERM
    assert server.all() == [("checkpoint", 1)]


def test_a_handler_that_never_awaits_hears_of_sigterm_when_it_yields(
    train: Train, server: Server
) -> None:
    worker = train.start("""
        export const handler = function* () {
            yield 1
            yield 2
            console.log("busy")
            busy("term")
            for (const since = Date.now(); Date.now() < since + 50;);
            yield 3
            busy("never")
        }
    """)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "busy\n"
    worker.send_signal(signal.SIGTERM)
    train.tell("term")
    assert worker.wait(DEADLINE) == -signal.SIGTERM
    assert server.all() == [("checkpoint", 1), ("checkpoint", 3)]


@pytest.mark.parametrize("how", ["context.interrupted", "context.signal.aborted"])
def test_who_has_asked_is_told_and_closed_at_the_next_yield(
    train: Train, server: Server, how: str
) -> None:
    worker = train.start(f"""
        export const handler = async function* (payload, context) {{
            try {{
                yield [{how}]
                yield 1
                console.log("yielded")
                await told("term")
                yield [{how}]
                console.log("not reached")
            }} finally {{
                await told("term")
                console.log("closed")
            }}
        }}
    """)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "yielded\n"
    worker.send_signal(signal.SIGTERM)
    assert [server.next(), server.next()] == [("checkpoint", [False]), ("checkpoint", 1)]
    train.tell("term")
    assert worker.communicate(timeout=DEADLINE)[0] == "closed\n"
    assert worker.returncode == 0
    assert server.all() == [("checkpoint", [True]), ("interrupted", None)]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("!context.interrupted", ("interrupted", None)),
        ("!context.signal.aborted", ("response", "stopped")),
    ],
)
def test_who_has_seen_it_and_returns_has_no_result(
    train: Train, server: Server, condition: str, said: tuple[str, Any]
) -> None:
    worker = train.start(f"""
        export const handler = async (payload, context) => {{
            console.log(context.interrupted)
            while ({condition}) await new Promise((ok) => setTimeout(ok, 1))
            return "stopped"
        }}
    """)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "false\n"
    worker.send_signal(signal.SIGTERM)
    assert server.next() == said
    assert worker.wait(DEADLINE) == 0


def test_who_listens_to_sigterm_himself_goes_on(train: Train, server: Server) -> None:
    worker = train.start("""
        process.on("SIGTERM", () => console.log("mine"))
        export const handler = async function* () {
            yield 1
            yield 2
            console.log("yielded")
            await told("term")
            return 3
        }
    """)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "yielded\n"
    worker.send_signal(signal.SIGTERM)
    assert worker.stdout.readline() == "mine\n"
    train.tell("term")
    assert worker.wait(DEADLINE) == 0
    assert server.all() == [("checkpoint", 1), ("checkpoint", 2), ("response", 3)]


def test_the_next_checkpoint_after_the_time_to_stop_is_the_last(
    train: Train, server: Server
) -> None:
    server.custom["stop_at"] = str(time.time() + 1000)
    code = """
        export const handler = function* (payload, context) {
            yield context.interrupted
            yield 2
            return 3
        }
    """
    assert train.run(code) == [("checkpoint", False), ("response", 3)]
    server.custom["stop_at"] = str(time.time() - 1)
    assert train.run(code) == [("checkpoint", True), ("interrupted", None)]
