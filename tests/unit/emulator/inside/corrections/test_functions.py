from __future__ import annotations

import subprocess
import sys

import pytest

from devbridge.emulator.inside.corrections import functions


def test_a_script_that_has_changed_is_not_corrected_silently() -> None:
    with pytest.raises(RuntimeError, match="ministack's script for functions has changed"):
        functions.script("print()")


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
