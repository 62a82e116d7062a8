from __future__ import annotations

import json
from typing import Any, Final

import pytest

from devbridge.runs.lambda_log import OUT_OF_MEMORY, TIMED_OUT, Shown, shown, text_of
from runner.outcome import Failure

ID: Final = "8f507cfc-1b2c-4697-b07a-ac58fc914c95"
AT: Final = "2026-01-31T12:00:00.123Z"
S: Final = "\u00a0"
TRACEBACK: Final = f"""\
[ERROR] ValueError: boom: again
and on
Traceback (most recent call last):
{S}{S}File "/var/task/api/start.py", line 5, in handler
{S}{S}{S}{S}return inner()
{S}{S}{S}{S}{S}{S}{S}{S}{S}{S}{S}^^^^^^^
{S}{S}File "/var/task/requests/api.py", line 9, in get
{S}{S}{S}{S}raise ValueError("boom")
"""
BOOM: Final = Failure(
    "ValueError",
    "boom: again\nand on",
    ('File "api/start.py", line 5, in handler\n    return inner()',),
    (
        "Traceback (most recent call last):",
        '  File "api/start.py", line 5, in handler',
        "    return inner()",
        "           ^^^^^^^",
        '  File "requests/api.py", line 9, in get',
        '    raise ValueError("boom")',
        "ValueError: boom: again",
        "and on",
    ),
)


def of(message: str) -> Shown | None:
    return shown(message, lambda path: path.startswith("api/"))


@pytest.mark.parametrize(
    "line",
    [
        f"START RequestId: {ID} Version: $LATEST\n",
        f"END RequestId: {ID}\n",
        f"REPORT RequestId: {ID}\tDuration: 1.00 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\n",
        "INIT_START Runtime Version: python:3.12.v1\tRuntime Version ARN: arn:aws:lambda:r::x\n",
        "INIT_REPORT Init Duration: 9.1 ms\tPhase: init\tStatus: error\tError Type: Runtime.X\n",
        "RESTORE_START Runtime Version: python:3.12.v1",
        "XRAY TraceId: 1-5e34a614\tSegmentId: 07f5",
        "EXTENSION\tName: cw\tState: Ready\tEvents: [INVOKE]",
        "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function",
    ],
)
def test_lambdas_own_lines_are_not_shown(line: str) -> None:
    assert of(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "  indented\twith tabs",
        "START of the day",
        "REPORT RequestId: mine",
        "[ERROR] of my own",
        "{not json}",
        '{"level": "INFO", "message": "of a logger of the app\'s own", "service": "x"}',
        '{"type": "platform.x"}',
        "[1, 2]",
    ],
)
def test_what_is_printed_is_shown_as_it_is(line: str) -> None:
    assert of(f"{line}\n") == line


@pytest.mark.parametrize(
    "line",
    [
        '{"a":' * 100_000,
        '{"type": "platform.report", "record": {"status": "timeout", "metrics": "x"}}',
        '{"type": "platform.report", "record": {"status": "timeout", "metrics": {"durationMs": "a"'
        "}}}",
        '{"stackTrace": []}',
    ],
)
def test_what_only_looks_like_a_document_of_lambdas_is_shown_as_it_is(line: str) -> None:
    assert of(line) == line


@pytest.mark.timeout(10)
@pytest.mark.parametrize("begin", ["[ERROR] ", "[ERROR] E: ", f"RequestId: {ID} Error: "])
@pytest.mark.parametrize("character", ["\n", " ", "x"])
def test_a_long_text_is_read_in_one_pass(begin: str, character: str) -> None:
    text = begin + character * 250_000 + "."
    assert of(text) == text


@pytest.mark.parametrize("message", [TRACEBACK, TRACEBACK.replace("\n", "\r")])
def test_an_error_has_the_apps_frames_and_the_whole_traceback(message: str) -> None:
    found = of(message)
    assert isinstance(found, Failure)
    assert found.message.replace("\r", "\n") == BOOM.message
    assert (found.type, found.frames, found.trace) == (BOOM.type, BOOM.frames, BOOM.trace)


@pytest.mark.parametrize(
    ("message", "kind", "said", "frames"),
    [
        (
            "[ERROR] Runtime.ImportModuleError: Unable to import module 'api/start': No module"
            " named 'x'\nTraceback (most recent call last):\n",
            "Runtime.ImportModuleError",
            "Unable to import module 'api/start': No module named 'x'",
            (),
        ),
        (
            "[ERROR] Runtime.UserCodeSyntaxError: Syntax error\nTraceback (most recent call last):"
            f'\n{S}{S}File "/var/task/api/start.py" Line 1\n{S}{S}{S}{S}def handler(:',
            "Runtime.UserCodeSyntaxError",
            "Syntax error",
            ('File "api/start.py" Line 1\n    def handler(:',),
        ),
        (
            "[ERROR] no type at all\nTraceback (most recent call last):",
            "Error",
            "no type at all",
            (),
        ),
        ("[ERROR] KeyError\nTraceback (most recent call last):", "KeyError", "", ()),
        (
            f"{AT} {ID} Task timed out after 3.00 seconds\n\n",
            TIMED_OUT,
            "Task timed out after 3.00 seconds",
            (),
        ),
        (
            f"RequestId: {ID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
            "Runtime.ExitError",
            "Runtime exited with error: signal: killed",
            (),
        ),
        (
            f"REPORT RequestId: {ID}\tDuration: 9 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB"
            "\tStatus: error\tError Type: Runtime.OutOfMemory",
            OUT_OF_MEMORY,
            "its memory is used up: 128 MB",
            (),
        ),
        (
            "INIT_REPORT Init Duration: 9999 ms\tPhase: init\tStatus: timeout",
            TIMED_OUT,
            "it was not loaded in the 10 seconds that Lambda gives",
            (),
        ),
    ],
)
def test_how_an_invocation_has_failed_is_shown(
    message: str, kind: str, said: str, frames: tuple[str, ...]
) -> None:
    found = of(message)
    assert isinstance(found, Failure)
    assert (found.type, found.message, found.frames) == (kind, said, frames)


def test_what_is_logged_is_shown_without_its_time_and_id() -> None:
    logged = f'[ERROR]\t{AT}\t{ID}\toh no\nTraceback:\n  File "/var/task/api/start.py", line 1'
    assert of(logged) == '[ERROR] oh no\nTraceback:\n  File "api/start.py", line 1'
    assert of(f"[WARNING]\t{AT}\t\twhile it is loaded") == "[WARNING] while it is loaded"


# --- JSON ---------------------------------------------------------------------------------------


def document(**fields: Any) -> str:
    return json.dumps({"timestamp": "2026-01-31T12:00:00Z", "level": "ERROR", **fields}) + "\n"


def platform(kind: str, **record: Any) -> str:
    return json.dumps({"time": AT, "type": f"platform.{kind}", "record": record})


def test_an_error_in_json_is_the_same_error() -> None:
    stack = [
        '  File "/var/task/api/start.py", line 5, in handler\n'
        "    return inner()\n           ^^^^^^^\n",
        '  File "/var/task/requests/api.py", line 9, in get\n    raise ValueError("boom")\n',
    ]
    said = {"errorType": "ValueError", "errorMessage": BOOM.message, "stackTrace": stack}
    assert of(document(**said, requestId=ID)) == BOOM


def test_a_record_in_json_is_shown_as_the_text_format_has_it() -> None:
    assert of(document(message="oh no", logger="root", requestId=ID)) == "[ERROR] oh no"
    assert of(document(message={"a": "ü"}, requestId=ID)) == '[ERROR] {"a": "ü"}'
    assert of(document(message="m", requestId=ID, user="ann")) == '[ERROR] m {"user": "ann"}'
    stack = ['  File "/var/task/api/a.py", line 1, in f\n    1 / 0\n']
    told = document(
        message="m", logger="x", errorType="E", errorMessage="e", stackTrace=stack, requestId=ID
    )
    trace = 'Traceback (most recent call last):\n  File "api/a.py", line 1, in f\n    1 / 0\nE: e'
    assert of(told) == f"[ERROR] m\n{trace}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (platform("start", requestId=ID), None),
        (platform("runtimeDone", status="timeout"), None),
        (platform("report", status="success", metrics={"durationMs": 9.0}), None),
        (platform("report", status="error", errorType="ValueError"), None),
        (
            platform("report", status="timeout", metrics={"durationMs": 3000.0}),
            Failure(TIMED_OUT, "Task timed out after 3.00 seconds"),
        ),
        (
            platform("report", errorType=OUT_OF_MEMORY, metrics={"memorySizeMB": 128}),
            Failure(OUT_OF_MEMORY, "its memory is used up: 128 MB"),
        ),
        (
            platform("report", status="error", errorType="Runtime.ExitError"),
            Failure("Runtime.ExitError", "the runtime has exited"),
        ),
        (
            platform("initReport", status="timeout"),
            Failure(TIMED_OUT, "it was not loaded in the 10 seconds that Lambda gives"),
        ),
    ],
)
def test_reports_in_json_tell_what_no_other_line_tells(line: str, expected: Shown | None) -> None:
    assert of(line) == expected


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("a\nb", "a\nb\n"),
        (Failure("E", "m"), "E: m\n"),
        (Failure("E", "m", trace=("Traceback", "E: m")), "Traceback\nE: m\n"),
    ],
)
def test_a_log_has_whole_lines_and_whole_tracebacks(said: Shown, text: str) -> None:
    assert text_of(said) == text


def test_a_file_that_this_machine_has_is_not_the_apps() -> None:
    text = TRACEBACK.replace("/var/task/requests/api.py", json.__file__)
    said = shown(text, lambda path: True)
    assert isinstance(said, Failure)
    assert said.frames == BOOM.frames
    assert json.__file__ in "".join(said.trace)
