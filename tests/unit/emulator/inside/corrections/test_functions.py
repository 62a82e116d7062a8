from __future__ import annotations

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
