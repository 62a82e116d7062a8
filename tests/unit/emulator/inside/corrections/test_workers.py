from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.corrections import functions, workers
from devbridge.emulator.inside.corrections.environments import Late
from devbridge.emulator.inside.corrections.node_functions import events
from devbridge.emulator.inside.corrections.workers import MARK, read_to_end


def test_what_ministack_runs_in_workers_of_its_own_kind_is_left_alone(
    ministack: Callable[..., Any],
) -> None:
    class Worker:
        pass

    runtime = ministack(
        "core.lambda_runtime",
        Worker=Worker,
        _worker_class_for=lambda config: config.get("Class", Worker),
    )
    workers.read_to_the_mark()
    assert runtime._worker_class_for({"Class": dict}) is dict
    assert issubclass(runtime._worker_class_for({}), Worker)
    assert runtime._worker_class_for({}) is not Worker


def lines(*given: str | None) -> queue.Queue[str | None]:
    made: queue.Queue[str | None] = queue.Queue()
    for line in given:
        made.put(line)
    return made


@pytest.mark.parametrize("end", [MARK, None], ids=["invocation", "process"])
def test_a_log_is_read_to_the_end_of_an_invocation_or_of_its_process(end: str | None) -> None:
    log = lines("a", "", end, "b", None)
    assert [read_to_end(log), read_to_end(log)] == ["a\n\n", "b\n"]


def test_a_line_that_has_no_end_is_one_of_the_invocation_that_printed_it() -> None:
    log = lines("a", f"b{MARK}", "", MARK)
    assert [read_to_end(log), read_to_end(log)] == ["a\nb\n", "\n"]


def test_a_log_that_a_child_holds_open_is_read_until_nothing_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "SILENCE", 0.0)
    assert read_to_end(lines("a")) == "a\n"


@pytest.mark.parametrize("body", [None, 1, "x", [], {}, {"errorMessage": "x"}])
def test_a_function_s_own_result_is_no_error(body: object) -> None:
    assert workers.error_of(body) is None
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

    def invoke(self, *given: Any) -> Any:
        self._spawn()
        return {"status": "ok", "result": given}

    def _spawn(self) -> None:
        command = [sys.executable, "-c", self._code]
        self._proc = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._proc.log = self._proc.stderr
        self._read_stderr()
        if self._error:
            raise self._error

    def _read_stderr(self) -> None:
        raise NotImplementedError


RUNTIME = SimpleNamespace(_signal=lambda process: process.kill())


def worker(code: str, error: RuntimeError | None = None) -> Any:
    return workers._worker(Base, RUNTIME)(code, error)


def test_a_start_that_took_too_long_tells_so() -> None:
    made = worker("", Late("Task timed out after 2.00 seconds"))
    with pytest.raises(RuntimeError) as caught:
        made._spawn()
    told = functions.told({"error": True, "body": {"errorMessage": str(caught.value)}}, "r1")
    said = "Task timed out after 2.00 seconds"
    assert told["body"] == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: r1 Error: {said}",
    }
    (text,) = functions.messages(told["log"], "r1", events)[1:-1]
    assert text.endswith(f"Z r1 {said}")
    made._proc.stderr.close()


def test_what_goes_wrong_in_one_environment_ends_that_one_alone() -> None:
    """ministack takes an exception for the end of all of the function's environments."""
    made = worker("import time; time.sleep(60)")
    made._read_stderr = lambda: None
    made._spawn()
    process, made._spawn = made._proc, lambda: 1 / 0
    assert made.invoke() == {"status": "error", "error": "division by zero"}
    assert process.wait() == -signal.SIGKILL
    assert made._proc is None
    made._spawn = lambda: None
    assert made.invoke("event") == {"status": "ok", "result": ("event",)}
    process.stderr.close()


def test_what_a_start_prints_is_in_the_first_invocation_s_log() -> None:
    made = worker(f"import sys; print('a\\rb\\n{MARK}\\nc', file=sys.stderr)")
    made._spawn()
    assert [*made._stderr_queue.queue] == ["c", None]
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
    told = workers.error_of({"errorMessage": str(caught.value)})
    assert told == {**tells, "log": "\ufffd\n"}
    made._proc.stderr.close()
