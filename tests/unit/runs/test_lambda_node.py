from __future__ import annotations

import json
from typing import Any, Final

import pytest

from devbridge.runs.lambda_log import shown
from runner.outcome import Failure

ID: Final = "8f507cfc-1b2c-4697-b07a-ac58fc914c95"
AT: Final = "2026-01-31T12:00:00.123Z"
STACK: Final = [
    "TypeError: boom",
    "and on",
    "    at inner (/var/task/api/start.ts:9:11)",
    "    at new Thing (file:///var/task/api/a%20b.mjs:4:5)",
    "    at /var/task/node_modules/x/index.js:1:2",
    "    at async Object.handler (/var/task/api/start.ts:3:9)",
    "    at async file:///var/task/api/start.ts:1:1",
    "    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)",
    "    at async Runtime.handleOnce (file:///var/runtime/index.mjs:1306:29)",
]
FRAMES: Final = (
    "at async api/start.ts:1:1",
    "at async Object.handler (api/start.ts:3:9)",
    "at new Thing (api/a b.mjs:4:5)",
    "at inner (api/start.ts:9:11)",
)
TRACE: Final = (
    "TypeError: boom",
    "and on",
    "    at inner (api/start.ts:9:11)",
    "    at new Thing (api/a%20b.mjs:4:5)",
    "    at node_modules/x/index.js:1:2",
    "    at async Object.handler (api/start.ts:3:9)",
    "    at async api/start.ts:1:1",
    *STACK[-2:],
)
BOOM: Final = {"errorType": "TypeError", "errorMessage": "boom\nand on", "stack": STACK}
FAILED: Final = Failure("TypeError", "boom\nand on", FRAMES, TRACE)


def is_apps(path: str) -> bool:
    return path in ("api/start.ts", "api/a b.mjs")


def event(level: str, text: str, request: str = ID) -> str:
    return f"{AT}\t{request}\t{level}\t{text}\n"


@pytest.mark.parametrize(
    ("level", "shows"),
    [
        ("INFO", "one\ntwo\t3"),
        *((each, f"[{each}] one\ntwo\t3") for each in ("TRACE", "DEBUG", "WARN", "ERROR", "FATAL")),
    ],
)
@pytest.mark.parametrize("request_id", [ID, "undefined", "-"])
def test_what_console_says_is_shown_without_lambda_s_own(
    level: str, shows: str, request_id: str
) -> None:
    assert shown(event(level, "one\ntwo\t3", request_id), is_apps) == shows


@pytest.mark.parametrize(
    "what",
    ["Invoke Error", "Init Error", "Uncaught Exception", "Unhandled Promise Rejection"],
)
def test_an_error_has_the_app_s_frames_the_nearest_last(what: str) -> None:
    assert shown(event("ERROR", f"{what} \t{json.dumps(BOOM)}"), is_apps) == FAILED


def test_of_a_rejection_that_nobody_handles_the_frames_are_its_reason_s() -> None:
    own = [
        "Runtime.UnhandledPromiseRejection: TypeError: boom",
        "    at process.<anonymous> (x:1:2)",
    ]
    document = {
        "errorType": "Runtime.UnhandledPromiseRejection",
        "errorMessage": "TypeError: boom",
        "reason": BOOM,
        "promise": {},
        "stack": own,
    }
    text = event("ERROR", f"Unhandled Promise Rejection \t{json.dumps(document)}")
    assert shown(text, is_apps) == Failure(
        "Runtime.UnhandledPromiseRejection", "TypeError: boom", FRAMES, TRACE
    )
    text = event("ERROR", f"Invoke Error \t{json.dumps({**document, 'reason': 'no'})}")
    found = shown(text, is_apps)
    assert isinstance(found, Failure)
    assert (found.frames, found.trace) == ((), tuple(own))


@pytest.mark.parametrize(
    "stack", [{}, {"stack": []}, {"stack": 1}, {"stack": None}], ids=["none", "empty", "1", "null"]
)
def test_an_error_may_have_no_stack(stack: dict[str, Any]) -> None:
    text = f"Invoke Error \t{json.dumps({'errorType': 'E', 'errorMessage': 'a', **stack})}"
    assert shown(event("ERROR", text), is_apps) == Failure("E", "a", (), ("E: a",))


@pytest.mark.parametrize("message", [None, ""])
def test_an_error_may_have_no_message(message: str | None) -> None:
    text = f"Invoke Error \t{json.dumps({'errorType': 'E', 'errorMessage': message})}"
    assert shown(event("ERROR", text), is_apps) == Failure("E", "", (), ("E",))


@pytest.mark.parametrize(
    "text",
    [
        "Invoke Error \t{",
        "Invoke Error \t{}",
        'Invoke Error \t{"errorMessage": "x"}',
        f"Invoke Error \t{'{' * 10**5}}}",
        "Invoke Error {}",
        "Another Error \t{}",
    ],
)
def test_what_only_looks_like_an_error_is_a_text(text: str) -> None:
    assert shown(event("ERROR", text), is_apps) == f"[ERROR] {text}"


def test_paths_in_a_stack_that_is_printed_are_the_app_s() -> None:
    said = "Error: x\n    at f (file:///var/task/a/b.ts:1:2)\n    at /var/task/a.js:3:4 /var/task/"
    shows = "[ERROR] Error: x\n    at f (a/b.ts:1:2)\n    at a.js:3:4 /var/task/"
    assert shown(event("ERROR", said), is_apps) == shows


@pytest.mark.parametrize(
    "text",
    [f"{AT}\tx\tINFO\ta", f"{AT}\t{ID}\tinfo\ta", f"{AT} {ID}\tINFO\ta", f"x{AT}\t{ID}\tINFO\ta"],
)
def test_what_only_looks_like_an_event_is_shown_as_it_is(text: str) -> None:
    assert shown(text, is_apps) == text


@pytest.mark.parametrize(
    "line",
    [
        *(
            "at f (/var/task/api/start.ts:1:2",
            "at f (/var/task/api/start.ts)",
            "/var/task/api/start.ts",
        ),
        *("    at f (/opt/api/start.ts:1:2)", "    at f (/var/task/other.ts:1:2)", "    at "),
        *("    at f (/var/task/api/start.ts:x:2)", "    of f (/var/task/api/start.ts:1:2)"),
    ],
)
def test_other_lines_of_a_stack_are_no_frames_of_the_app_s(line: str) -> None:
    text = f"Invoke Error \t{json.dumps({**BOOM, 'stack': [line]})}"
    found = shown(event("ERROR", text), is_apps)
    assert isinstance(found, Failure)
    assert found.frames == (("at f (api/start.ts:1:2)",) if line.endswith("ts:1:2") else ())


LONG: Final = 2**18
LINES: Final = {
    "lines": "\n" * LONG,
    "spaces": " " * LONG,
    "places": "    at" + " (/var/task/" * (LONG // 12),
    "names": "    at " + "a (" * (LONG // 3),
    "positions": "    at /var/task/" + ":1" * LONG,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        *LINES.values(),
        *(f"Invoke Error \t{json.dumps({**BOOM, 'stack': [line]})}" for line in LINES.values()),
        f"Invoke Error \t{'{' * LONG}",
        "Invoke Error \t{" + "}" * LONG + "x",
    ],
    ids=[*LINES, *(f"stack of {name}" for name in LINES), "opening", "closing"],
)
def test_whatever_is_printed_is_read_in_one_pass(text: str) -> None:
    assert shown(event("ERROR", text), is_apps) is not None


def test_in_lambda_s_json_an_error_is_a_message() -> None:
    said = {"errorType": "TypeError", "errorMessage": "boom\nand on", "stackTrace": STACK}
    document = {"timestamp": AT, "level": "ERROR", "requestId": ID, "message": said}
    assert shown(json.dumps(document), is_apps) == FAILED
    plain = {**document, "level": "INFO", "message": "one"}
    assert shown(json.dumps(plain), is_apps) == "[INFO] one"
