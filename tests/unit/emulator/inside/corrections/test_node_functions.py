from __future__ import annotations

import json
import queue
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devbridge.emulator.inside import nodes
from devbridge.emulator.inside.corrections import functions, node_functions
from devbridge.emulator.inside.corrections.environments import Late
from devbridge.emulator.inside.corrections.node_functions import events, read_to_end
from devbridge.emulator.inside.nodes import Node

MARK = node_functions._mark


def found(monkeypatch: pytest.MonkeyPatch, path: Path, version: str) -> None:
    monkeypatch.setattr(nodes, "find", lambda _: Node(path, version))


@pytest.fixture
def prints(tmp_path: Path) -> Path:
    """Instead of node: tells what it is started with."""
    path = tmp_path / "it's node"
    path.write_text(
        '#!/bin/sh\nprintf "%s\\n" "${HOME-no home}" "$@" >&4\necho printed\ncat <&3 >&4\n'
    )
    path.chmod(0o755)
    return path


def started(tmp_path: Path, script: str, **environment: str) -> tuple[list[str], str]:
    """What a script has answered, and logged."""
    file = tmp_path / "_worker.js"
    file.write_text(script)
    done = subprocess.run(
        ["/bin/sh", str(file)],
        input="asked",
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/home/jane", **environment},
        check=True,
    )
    return done.stdout.splitlines(), done.stderr


def test_a_function_s_answers_are_apart_from_what_it_prints(
    tmp_path: Path, prints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, prints, "24.1.0")
    answers, log = started(tmp_path, node_functions.script("nodejs24.x"))
    home, script, mark, _, runtime, note, asked = answers
    assert (home, runtime, note, asked) == ("no home", "nodejs24.x", "", "asked")
    assert Path(script).name == "in_function.mjs"
    assert Path(script).is_file()
    assert mark == MARK
    assert log == "printed\n"
    assert (tmp_path / "package.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("runtime", "version", "options", "flags"),
    [
        ("nodejs22.x", "22.1.0", "", ["require", "detect"]),
        ("nodejs22.x", "24.1.0", "--x", ["require", "detect"]),
        ("nodejs22.x", "22.1.0", "--experimental-require-module", ["detect"]),
        ("nodejs22.x", "22.1.0", "-r x --experimental-detect-module", ["require"]),
        ("nodejs22.x", "20.1.0", "", []),
        ("nodejs24.x", "24.1.0", "", []),
        ("nodejs24.x", "22.1.0", "", []),
    ],
)
def test_node_22_starts_with_the_flags_that_lambda_gives_it(
    runtime: str,
    version: str,
    options: str,
    flags: list[str],
    tmp_path: Path,
    prints: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found(monkeypatch, prints, version)
    answers, _ = started(tmp_path, node_functions.script(runtime), NODE_OPTIONS=options)
    given = [each for each in answers if each.startswith("--no-")]
    assert given == [f"--no-experimental-{each}-module" for each in flags]


def test_another_node_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, Path("/usr/bin/node"), "20.1.0")
    assert "'[devbridge] nodejs24.x is Node 24, and here Node 20.1.0 runs" in node_functions.script(
        "nodejs24.x"
    )


def test_that_there_is_no_node_is_in_the_log_and_told_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nodes, "find", lambda _: None)
    with pytest.raises(RuntimeError) as caught:
        node_functions.script("nodejs24.x")
    result = {
        "error": True,
        "body": {"errorMessage": str(caught.value), "errorType": "RuntimeError"},
    }
    told = functions.told({**result, "log": ""}, "r1")
    message = told["body"]["errorMessage"]
    assert message.startswith("nodejs24.x: there is no Node on this machine that is 20 or newer; ")
    assert told["body"]["errorType"] == "Runtime.InvalidRuntime"
    events_ = functions.messages(told["log"], "r1", events)
    assert events_[1:-1] == [f"[devbridge] {message}"]


@pytest.fixture
def runtime(ministack: Callable[..., Any]) -> Any:
    class Worker:
        pass

    return ministack(
        "core.lambda_runtime",
        Worker=Worker,
        _detect_runtime_binary=lambda name: (f"binary of {name}", ""),
        _worker_class_for=lambda config: config.get("Runtime"),
    )


def test_only_node_s_functions_are_run_by_us(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, Path("/n"), "24.1.0")
    node_functions.run_with_node()
    assert runtime._detect_runtime_binary("python3.12") == ("binary of python3.12", "")
    assert runtime._worker_class_for({"Runtime": "python3.12"}) == "python3.12"
    assert runtime._worker_class_for({}) is None
    assert runtime._detect_runtime_binary("nodejs24.x")[0] == "/bin/sh"
    assert issubclass(runtime._worker_class_for({"Runtime": "nodejs24.x"}), runtime.Worker)


def lines(*given: str | None) -> queue.Queue[str | None]:
    made: queue.Queue[str | None] = queue.Queue()
    for line in given:
        made.put(line)
    return made


@pytest.mark.parametrize("end", [MARK, None], ids=["invocation", "process"])
def test_a_log_is_read_to_the_end_of_an_invocation_or_of_its_process(end: str | None) -> None:
    log = lines("a", "", end, "b", None)
    assert [read_to_end(log), read_to_end(log)] == ["a\n\n", "b\n"]


def test_a_log_that_a_child_holds_open_is_read_until_nothing_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_functions, "SILENCE", 0.0)
    assert read_to_end(lines("a")) == "a\n"


def test_what_console_says_at_once_is_one_event() -> None:
    break_ = node_functions._line_break
    assert events(f"a{break_}b\n\n\u2028\rc\n") == ["a\nb", "", "\u2028\rc"]
    assert events("") == []


@pytest.mark.parametrize("body", [None, 1, "x", [], {}, {"errorMessage": "x"}])
def test_a_function_s_own_result_is_no_error(body: object) -> None:
    assert node_functions.error_of(body) is None
    result = {"body": body, "log": "a\n"}
    assert functions.told(result, "r1") is result


DOCUMENT = {"errorType": "E", "errorMessage": "m", "trace": ["E: m"]}


def test_an_error_that_the_process_outlives_is_an_error() -> None:
    told = functions.told({"body": {MARK: DOCUMENT}, "log": "a\n"}, "r1")
    assert told == {"body": DOCUMENT, "error": True, "log": "a\n"}


def test_an_error_that_ends_the_process_is_in_the_log_once() -> None:
    said = MARK + json.dumps(DOCUMENT)
    body = {"errorMessage": said, "errorType": "Runtime.HandlerError"}
    told = functions.told({"error": True, "body": body, "log": f"a\n\n{said}"}, "r1")
    assert told == {"body": DOCUMENT, "error": True, "log": "a\n"}


def test_an_end_during_the_start_is_told_with_what_was_printed() -> None:
    said = MARK + json.dumps({"exit": 4, "log": "a\n"})
    told = functions.told({"error": True, "body": {"errorMessage": said}, "log": ""}, "r1")
    text = "RequestId: r1 Error: Runtime exited with error: exit status 4"
    assert told["body"] == {"errorMessage": text, "errorType": "Runtime.ExitError"}
    found = functions.messages(told["log"], "r1", events)
    assert found[1:-1] == ["a", f"{text}\nRuntime.ExitError"]


class Base:
    """ministack's worker, as far as ours needs it."""

    def __init__(self, code: str, error: RuntimeError | None) -> None:
        self._code, self._error = code, error
        self._stderr_queue: queue.Queue[str | None] = queue.Queue()
        self._proc: Any = None

    def _spawn(self) -> None:
        command = [sys.executable, "-c", self._code]
        self._proc = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._read_stderr()
        if self._error:
            raise self._error

    def _read_stderr(self) -> None:
        raise NotImplementedError


def worker(code: str, error: RuntimeError | None = None) -> Any:
    return node_functions._worker(Base)(code, error)


def test_a_start_that_took_too_long_tells_so() -> None:
    made = worker("", Late("Task timed out after 2.00 seconds"))
    with pytest.raises(RuntimeError) as caught:
        made._spawn()
    told = functions.told({"error": True, "body": {"errorMessage": str(caught.value)}}, "r1")
    assert told["body"]["errorType"] == "Sandbox.Timedout"
    assert told["body"]["errorMessage"].endswith("Z r1 Task timed out after 2.00 seconds")
    assert functions.messages(told["log"], "r1", events)[1:-1] == [told["body"]["errorMessage"]]
    made._proc.stderr.close()


def test_what_a_start_prints_is_in_the_first_invocation_s_log() -> None:
    made = worker(f"import sys; print('a\\rb\\n{MARK}\\nc', file=sys.stderr)")
    made._spawn()
    assert made._drain_stderr_bounded() == "a\rb\nc\n"
    made._stderr_queue.put("d")
    made._stderr_queue.put(None)
    assert made._drain_stderr() == "d\n"
    made._proc.wait()
    made._proc.stderr.close()


@pytest.mark.parametrize(
    ("answer", "tells"),
    [
        ("Worker process exited immediately. stderr: ", {"exit": 3}),
        (f"Worker init failed: {MARK}{json.dumps(DOCUMENT)}", DOCUMENT),
    ],
    ids=["exit", "error"],
)
def test_a_start_that_fails_tells_why_and_what_was_printed(
    answer: str, tells: dict[str, Any]
) -> None:
    made = worker("import os; os.write(2, b'\\xff\\n'); os._exit(3)", RuntimeError(answer))
    with pytest.raises(RuntimeError) as caught:
        made._spawn()
    told = node_functions.error_of({"errorMessage": str(caught.value)})
    assert told == {**tells, "log": "\ufffd\n"}
    made._proc.stderr.close()
