"""`python3 runner run` of a job of Node's, as CodeBuild runs it: real processes, and no AWS."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest

import runner
from tests.node import NODE
from tests.waiting import eventually, gone

DEADLINE = 60.0


class Ended:
    def __init__(self, code: int, output: str) -> None:
        self.code = code
        self.output = output
        self.told: dict[str, Any] = json.loads(output.splitlines()[-1])["devbridge"]


class Build:
    """A job's source: the runner, and the bundle of the handler."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(
            Path(runner.__file__).parent,
            root / "runner",
            ignore=shutil.ignore_patterns("__pycache__"),
        )

    def write(self, path: str, code: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(code))

    def start(self, code: str, payload: str = "null", **more: str) -> subprocess.Popen[str]:
        self.write("jobs/resize.mjs", code)
        major = subprocess.check_output([NODE, "-p", "process.versions.node"], text=True)
        environment = {
            "PATH": f"{Path(NODE).parent}{os.pathsep}{os.environ['PATH']}",
            "CODEBUILD_BUILD_ID": "demo_prod_resize:1",
            "CODEBUILD_SRC_DIR": str(self.root),
            "DEVBRIDGE_APP": "demo",
            "DEVBRIDGE_STAGE": "prod",
            "DEVBRIDGE_JOB_NAME": "resize",
            "DEVBRIDGE_HANDLER": "jobs/resize.handler",
            "DEVBRIDGE_RUNTIME": f"nodejs{major.partition('.')[0]}.x",
            "DEVBRIDGE_TIMEOUT": "60",
            "DEVBRIDGE_MEMORY_MB": "3072",
            "DEVBRIDGE_INLINE": "1",
            "DEVBRIDGE_PAYLOAD": payload,
            **more,
        }
        return subprocess.Popen(
            [sys.executable, "runner", "run"],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, process: subprocess.Popen[str], before: str = "") -> Ended:
        try:
            output, _ = process.communicate(timeout=DEADLINE)
        finally:
            process.kill()
        return Ended(process.returncode, before + output)

    def run(self, code: str, payload: str = "null", **more: str) -> Ended:
        return self.end(self.start(code, payload, **more))


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(tmp_path / "src")


def test_a_bundle_is_run_and_its_result_told(build: Build) -> None:
    ended = build.run(
        """\
        export const handler = async (payload, context) => {
            console.log("printed")
            return [payload.n * 2, context.jobName, context.memoryLimitInMB, context.logGroupName]
        }
        """,
        '{"n": 21}',
    )
    assert ended.code == 0
    group = "/aws/codebuild/demo_prod_resize"
    result = [42, "resize", "3072", group]
    assert ended.told == {"state": "SUCCEEDED", "attempt": 1, "result": result}
    assert "\nprinted\n" in ended.output
    assert "--- devbridge" not in ended.output


def test_an_error_has_the_frames_of_the_bundle(build: Build) -> None:
    ended = build.run("export function handler() {\n  throw new RangeError('no')\n}\n")
    assert ended.code == 1
    assert (ended.told["state"], ended.told["error"]["type"]) == ("FAILED", "RangeError")
    frame = "at handler (jobs/resize.mjs:2:9)\n    throw new RangeError('no')"
    assert ended.told["error"]["frames"] == [frame]
    assert "RangeError: no\n    at handler" in ended.output


@pytest.mark.parametrize(
    ("code", "state", "type_", "message"),
    [
        ("export const other = () => 1", "FAILED", "HandlerNotFound", "it has: other"),
        ("export const handler = () => process.exit(3)", "FAILED", "ProcessExit", "exit(3)"),
        ("export const handler = () => new Promise(() => {})", "FAILED", "NeverSettled", "never"),
        ("export const handler = () => process.abort()", "CRASHED", "Killed", "SIGABRT"),
        (
            "export const handler = () => { for (const all = [];;) all.push(Array(999).fill(1)) }",
            "CRASHED",
            "OutOfMemory",
            "the JavaScript heap was full",
        ),
    ],
)
def test_other_ends_have_the_words_of_the_laptop(
    build: Build, code: str, state: str, type_: str, message: str
) -> None:
    ended = build.run(code, DEVBRIDGE_MEMORY_LIMIT=str(40 << 20))
    assert (ended.told["state"], ended.told["error"]["type"]) == (state, type_)
    assert message in ended.told["error"]["message"]


def test_packages_of_their_own_source_are_found_and_python_is_left_alone(
    build: Build, tmp_path: Path
) -> None:
    package = tmp_path / "packages/node_modules/thing"
    package.mkdir(parents=True)
    (package / "index.js").write_text("exports.thing = __filename")
    ended = build.run(
        """\
        import { thing } from "thing"
        export const handler = () => [thing, process.env.PYTHONPATH ?? null]
        """,
        CODEBUILD_SRC_DIR_packages=str(tmp_path / "packages"),
    )
    assert ended.told["result"] == [str(package / "index.js"), None]


def test_another_node_is_told_once(build: Build) -> None:
    code = "export const handler = () => { throw new Error('no') }"
    more = {"DEVBRIDGE_ATTEMPTS": "2", "DEVBRIDGE_RETRY_DELAY": "0.01"}
    ended = build.run(code, DEVBRIDGE_RUNTIME="nodejs99.x", **more)
    assert ended.told["attempt"] == 2
    said = [line for line in ended.output.splitlines() if line.startswith("--- devbridge: ")]
    assert len(said) == 1
    assert said[0].endswith("runs the job, which was made for nodejs99.x")


def test_a_missing_node_is_told(build: Build, tmp_path: Path) -> None:
    ended = build.run("", PATH=str(tmp_path), DEVBRIDGE_RUNTIME="nodejs24.x")
    error = {"type": "NodeMissing", "message": "there is no node on PATH to run nodejs24.x"}
    assert (ended.told["state"], ended.told["error"]) == ("FAILED", error)


def test_a_build_that_is_stopped_aborts_the_signal_and_ends_children(build: Build) -> None:
    process = build.start("""\
        import { spawn } from "node:child_process"
        export const handler = (payload, { signal }) => new Promise((done) => {
            const child = spawn("sleep", ["1000"])
            signal.addEventListener("abort", () => { console.log("aborted"); done(1) })
            child.on("spawn", () => console.log("pid", child.pid))
        })
    """)
    assert process.stdout is not None
    before = ""
    while not before.endswith("\n") or "pid " not in before:
        before += process.stdout.readline()
    child = psutil.Process(int(before.rpartition("pid ")[2]))
    process.send_signal(signal.SIGTERM)
    ended = build.end(process, before)
    assert ended.told["state"] == "CANCELLED"
    assert "aborted\n" in ended.output
    eventually(lambda: gone(child))
