"""What a function of the embedded cloud leaves in its log, and tells its caller, is what one on AWS
does; and that is what devbridge reads."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import threading
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from devbridge.runs.lambda_log import Shown, shown
from runner.outcome import Failure
from tests.integration.emulator.inside.world import ROLE, World
from tests.waiting import eventually

HANDLER: Final = """\
import logging, os, sys, time
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("one\\ntwo")
    print("three", file=sys.stderr)
    logging.info("logged")
    return globals()[event]()
def fine():
    return 1
def quiet():
    return 1
def late():
    import threading
    held = threading.Event()
    def write():
        held.wait()
        os.system("sleep 0.3; printf 'of a child, with no end'")
    thread = threading.Thread(target=write)
    thread.start()
    held.set()
    thread.join()
def raises():
    raise ValueError("boom\\nand on")
def exits():
    sys.exit(3)
def is_killed():
    os.kill(os.getpid(), 9)
def sleeps():
    time.sleep(60)
def returns_a_set():
    return {1}
"""
PRINTED: Final = ["one", "two", "three", "[INFO] logged"]
FRAMES: Final = (
    'File "api/start.py", line 7, in handler\n    return globals()[event]()',
    'File "api/start.py", line 23, in raises\n    raise ValueError("boom\\nand on")',
)


class Functions:
    """Functions of one file, which is `api/start.py`."""

    def __init__(self, world: World) -> None:
        self._client, self._logs = world.client("lambda"), world.client("logs")
        self._made: set[str] = set()

    def invoke(self, name: str, code: str, event: str, **options: Any) -> dict[str, Any]:
        if name not in self._made:
            self._made.add(name)
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w") as file:
                file.writestr("api/start.py", code)
            self._client.create_function(
                FunctionName=name,
                Runtime="python3.12",
                Handler="api/start.handler",
                Role=ROLE,
                Timeout=1,
                Code={"ZipFile": archive.getvalue()},
                **options,
            )
        answer = self._client.invoke(FunctionName=name, Payload=json.dumps(event))
        return {"error": "FunctionError" in answer, "says": json.load(answer["Payload"])}

    def events(self, group: str, **asked: Any) -> list[dict[str, Any]]:
        """Of a log group, however many pages they are."""
        found = self._logs.get_paginator("filter_log_events")
        pages = found.paginate(logGroupName=group, **asked)
        return [event for page in pages for event in page["events"]]

    def said(self, request: str, group: str) -> list[Shown]:
        """What is shown of an invocation."""
        events = [event["message"] for event in self.events(group)]
        begin = max(i for i, text in enumerate(events) if text.startswith("START RequestId: "))
        assert events[-1].startswith("REPORT RequestId: ")
        assert request in ("", events[begin].split()[2])
        found = (shown(text, lambda path: path == "api/start.py") for text in events[begin:])
        return [each for each in found if each is not None]


@pytest.fixture(scope="module")
def functions(world: World) -> Functions:
    return Functions(world)


def test_what_is_printed_and_logged_is_in_the_log(functions: Functions) -> None:
    assert functions.invoke("talks", HANDLER, "fine") == {"error": False, "says": 1}
    assert functions.said("", "/aws/lambda/talks") == PRINTED


def test_what_is_printed_last_is_in_the_log_of_its_own_invocation(functions: Functions) -> None:
    for _ in range(2):
        functions.invoke("talks-late", HANDLER, "late")
        assert functions.said("", "/aws/lambda/talks-late") == [*PRINTED, "of a child, with no end"]
        functions.invoke("talks-late", HANDLER, "fine")
        assert functions.said("", "/aws/lambda/talks-late") == PRINTED


def test_a_process_outlives_an_error(functions: Functions) -> None:
    code = (
        "calls = []\n"
        "def handler(event, context):\n"
        "    calls.append(1)\n"
        "    return 1 / (len(calls) - 2)\n"
    )
    assert functions.invoke("counts", code, "")["says"] == -1
    assert functions.invoke("counts", code, "")["says"]["errorType"] == "ZeroDivisionError"
    assert functions.invoke("counts", code, "")["says"] == 1


def test_what_a_function_has_printed_that_does_not_start_is_in_its_log(
    functions: Functions,
) -> None:
    code = "print('begins')\nimport nothing_of_that_name"
    assert functions.invoke("begins", code, "")["error"]
    first, failure = functions.said("", "/aws/lambda/begins")
    assert first == "begins"
    assert isinstance(failure, Failure)
    code = "import os\nprint('begins', flush=True)\nos._exit(4)"
    assert functions.invoke("quits", code, "")["says"]["errorMessage"].endswith("exit status 4")
    first, failure = functions.said("", "/aws/lambda/quits")
    assert first == "begins"
    assert isinstance(failure, Failure)


def test_the_end_of_a_log_is_told_who_asks_for_it(functions: Functions, world: World) -> None:
    functions.invoke("tells", HANDLER, "fine")
    client = world.client("lambda")
    for event, of in (("fine", "[INFO]"), ("raises", "[ERROR] ValueError: boom")):
        answer = client.invoke(FunctionName="tells", Payload=json.dumps(event), LogType="Tail")
        told = base64.b64decode(answer["LogResult"]).decode().splitlines()
        request = answer["ResponseMetadata"]["RequestId"]
        assert told[0] == f"START RequestId: {request} Version: $LATEST"
        assert told[1:4] == ["one", "two", "three"]
        assert any(line.startswith(of) for line in told)
        assert told[-2] == f"END RequestId: {request}"
        assert told[-1].startswith(f"REPORT RequestId: {request}")


@pytest.mark.parametrize(
    ("event", "kind", "message", "frames"),
    [
        ("raises", "ValueError", "boom\nand on", FRAMES),
        ("exits", "Runtime.ExitError", "Runtime exited with error: exit status 3", ()),
        ("is_killed", "Runtime.ExitError", "Runtime exited with error: signal: killed", ()),
        ("sleeps", "Sandbox.Timedout", "Task timed out after 1.00 seconds", ()),
        (
            "returns_a_set",
            "Runtime.MarshalError",
            "Unable to marshal response: Object of type set is not JSON serializable",
            (),
        ),
    ],
)
def test_how_an_invocation_fails_is_in_the_log_and_told_its_caller(
    functions: Functions, event: str, kind: str, message: str, frames: tuple[str, ...]
) -> None:
    answer = functions.invoke("talks", HANDLER, event)
    assert answer["error"]
    assert answer["says"]["errorType"] == kind
    assert answer["says"]["errorMessage"].endswith(message)
    *printed, failure = functions.said(answer["says"].get("requestId", ""), "/aws/lambda/talks")
    assert printed == PRINTED
    assert isinstance(failure, Failure)
    assert (failure.type, failure.message, failure.frames) == (kind, message, frames)


@pytest.mark.parametrize(
    ("name", "code", "kind", "message"),
    [
        (
            "imports",
            "import nothing_of_that_name",
            "Runtime.ImportModuleError",
            "Unable to import module 'api/start': No module named 'nothing_of_that_name'",
        ),
        (
            "malformed",
            "def handler(:\n",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'api/start': invalid syntax (start.py, line 1)",
        ),
        (
            "nameless",
            "",
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'api/start'",
        ),
        ("divides", "1 / 0", "ZeroDivisionError", "division by zero"),
        (
            "leaves",
            "import sys; sys.exit(4)",
            "Runtime.ExitError",
            "Runtime exited with error: exit status 4",
        ),
    ],
)
def test_that_a_function_cannot_be_loaded_is_in_the_log_and_told_its_caller(
    functions: Functions, name: str, code: str, kind: str, message: str
) -> None:
    answer = functions.invoke(name, code, "x")
    assert answer["says"]["errorType"] == kind
    assert answer["says"]["errorMessage"].endswith(message)
    (failure,) = functions.said("", f"/aws/lambda/{name}")
    assert isinstance(failure, Failure)
    assert (failure.type, failure.message) == (kind, message)


def test_in_a_group_that_functions_share_a_stream_is_named_after_its_function(
    functions: Functions,
) -> None:
    logging = {"LogGroup": "/shared"}
    functions.invoke("sharing", HANDLER, "fine", LoggingConfig=logging)
    streams = {event["logStreamName"] for event in functions.events("/shared")}
    assert [name.split("/")[3].partition("[")[0] for name in streams] == ["sharing"]
    own = {event["logStreamName"] for event in functions.events("/aws/lambda/talks")}
    assert all(name.split("/")[3].startswith("[$LATEST]") for name in own)


def test_a_log_comes_in_pages_and_each_event_has_an_id_that_stays(functions: Functions) -> None:
    functions.invoke("talks", HANDLER, "fine")
    once = functions.events("/aws/lambda/talks", PaginationConfig={"PageSize": 2})
    again = functions.events("/aws/lambda/talks")
    ids = [event["eventId"] for event in again]
    assert [event["eventId"] for event in once] == ids
    assert len(set(ids)) == len(ids) > 4
    last = again[-1]["timestamp"]
    newest = functions.events("/aws/lambda/talks", startTime=last)
    assert newest
    assert {event["timestamp"] for event in newest} == {last}
    assert functions.events("/aws/lambda/talks", endTime=last - 10**6) == []


def test_a_function_that_is_removed_while_it_runs_leaves_no_log(
    functions: Functions, world: World, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    code = f"""
import time
def handler(event, context):
    open({str(begun)!r}, "w").close()
    time.sleep(60)
"""

    def invoke() -> None:
        with contextlib.suppress(ClientError):
            functions.invoke("goes", code, "x")

    thread = threading.Thread(target=invoke)
    thread.start()
    eventually(begun.exists)
    world.client("lambda").delete_function(FunctionName="goes")
    thread.join()
    groups = world.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/goes")
    assert groups["logGroups"] == []
