from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.corrections import functions


def test_a_script_that_has_changed_is_not_corrected_silently() -> None:
    with pytest.raises(RuntimeError, match="ministack's script for functions has changed"):
        functions.script("print()")


def test_what_a_function_prints_is_read_to_its_end_whatever_its_bytes_are(
    ministack: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Worker:
        def __init__(self, printed: bytes) -> None:
            stream = io.TextIOWrapper(io.BytesIO(printed), encoding="utf-8")
            self._proc, self.lines = SimpleNamespace(stderr=stream), list[str]()

        def _read_stderr(self) -> None:
            self.lines += self._proc.stderr

    runtime = ministack("core.lambda_runtime", Worker=Worker, _signal=None, _collect=None)
    runtime._PYTHON_WORKER_SCRIPT = ""
    lambdas = ministack("services.lambda_svc", _execute_function_warm=None)
    lambdas._emit_lambda_logs = lambdas.lambda_execute_result_to_api_proxy_response = None
    monkeypatch.setattr(functions, "script", str)
    functions.tell_as_lambda()
    worker = Worker(b"before\n\xff bin\xc3\xa4r\nafter\n")
    worker._read_stderr()
    assert worker.lines == ["before\n", "\ufffd binär\n", "after\n"]


def test_a_result_without_an_error_is_left_alone() -> None:
    result = {"body": 1, "log": "printed"}
    assert functions.told(result, "r1") is result


def test_an_error_that_has_no_correction_is_left_alone() -> None:
    result = {"error": True, "body": {"errorMessage": "no room"}, "log": ""}
    assert functions.told(result, "r1") is result


def test_how_an_environment_has_ended_need_not_be_known() -> None:
    died = {"error": True, "body": {"errorMessage": "Worker process died"}, "log": "a"}
    told = functions.told(died, "r1")
    assert told["body"] == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: r1 Error: Runtime exited without providing a reason",
    }
    assert functions.messages(told["log"], "r1") == [
        "START RequestId: r1 Version: $LATEST",
        "a",
        "RequestId: r1 Error: Runtime exited without providing a reason\nRuntime.ExitError",
        "END RequestId: r1",
    ]


def test_an_error_is_one_event_whose_lines_begin_with_no_break_spaces() -> None:
    document = {"errorType": "E", "errorMessage": "m", "stackTrace": ["  File\n    code\n"]}
    assert functions.error_text(document) == (
        "[ERROR] E: m\nTraceback (most recent call last):\n\u00a0\u00a0File"
        "\n\u00a0\u00a0\u00a0\u00a0code"
    )


@pytest.mark.parametrize(
    ("ends", "code"),
    [("import os, time; os.close(1); time.sleep(0.1); os._exit(3)", 3), ("input()", None)],
)
def test_how_a_process_ends_that_has_closed_its_answers_is_waited_for(
    ends: str, code: int | None
) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", ends], stdin=pipe, stdout=pipe) as process:
        if code is not None:
            assert process.stdout is not None
            assert process.stdout.read() == b""
        functions.let_it_end(process)
        assert process.returncode == code
    functions.let_it_end(process)
    functions.let_it_end(None)


def test_a_line_of_a_log_ends_with_a_newline_and_not_with_what_else_unicode_has() -> None:
    assert functions.lines("a\u2028b\x0cc\r\n\nd") == ["a\u2028b\x0cc", "", "d"]
    assert functions.lines("") == []
