from __future__ import annotations

import functools
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from devbridge.emulator.inside import in_function
from devbridge.emulator.inside.in_function import (
    devbridge_error,
    devbridge_failed,
    devbridge_init_error,
    devbridge_result,
)


def raised(call: Callable[[], object]) -> Exception:
    """What a call raises, as ministack's script catches it."""
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError


def test_an_error_has_the_frames_below_ministacks_with_the_paths_that_aws_has() -> None:
    def handler() -> None:
        raise KeyError("x")

    folder = __file__.rpartition("/")[0]
    told = devbridge_error(raised(handler), folder)
    assert (told["errorType"], told["errorMessage"]) == ("KeyError", "'x'")
    (frame,) = told["stackTrace"]
    assert frame.startswith('  File "/var/task/test_in_function.py", line ')
    assert frame.endswith('in handler\n    raise KeyError("x")\n')


def test_a_result_that_is_no_json_is_called_so() -> None:
    told = devbridge_error(raised(functools.partial(devbridge_result, {1})), "/code")
    assert (told["errorType"], told["errorMessage"], told["stackTrace"]) == (
        "Runtime.MarshalError",
        "Unable to marshal response: Object of type set is not JSON serializable",
        [],
    )


def test_numbers_and_bytes_of_a_result_are_json_as_on_aws() -> None:
    result = {"price": [Decimal("1.10"), Decimal("1E+3"), Decimal("NaN")], "text": "ä".encode()}
    answer = devbridge_result(result)
    assert answer == ('{"status": "ok", "result": {"price": [1.10, 1E+3, NaN], "text": "\\u00e4"}}')


def test_an_error_is_a_result_so_that_the_process_goes_on() -> None:
    answer = json.loads(devbridge_failed(ValueError("no"), "/code", "mark"))
    assert answer["status"] == "ok"
    assert answer["result"]["mark"]["errorType"] == "ValueError"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream, handlers = io.StringIO(), [*logging.getLogger().handlers]
    monkeypatch.setattr(sys, "stderr", stream)
    in_function.devbridge_log()
    yield stream
    for handler in {*logging.getLogger().handlers} - {*handlers}:
        logging.getLogger().removeHandler(handler)


def test_what_is_logged_has_its_level_time_and_invocation(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(in_function.devbridge_request, "id", "r1")
    logging.getLogger("x").warning("oh %s", "no")
    at = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,3}Z"
    assert re.fullmatch(rf"\[WARNING\]\t{at}\tr1\toh no\n", log.getvalue())


def test_an_attribute_that_is_missing_within_the_handler_is_no_missing_handler() -> None:
    def load() -> None:
        _ = object().nothing  # type: ignore[attr-defined]

    told = devbridge_init_error(raised(load), "api.start", "handler", "/code")
    assert told["errorType"] == "AttributeError"


def test_what_is_written_to_standard_output_is_in_the_log_and_no_answer() -> None:
    code = (
        f"exec(open({in_function.__file__!r}).read())\n"
        "answers = DevbridgeAnswers('mark')\n"
        "os.system('echo of a child')\n"
        "sys.stderr.write('no end')\n"
        "answers.write('answer\\n')\n"
        "answers.flush()\n"
        "print('later')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("answer\n", "of a child\nno endmark\nlater\n")


def test_the_mark_waits_for_room_in_a_log_that_does_not_block() -> None:
    code = (
        f"exec(open({in_function.__file__!r}).read())\n"
        "answers = DevbridgeAnswers('mark')\n"
        "os.set_blocking(2, False)\n"
        "try:\n"
        "    while True: os.write(2, b'x' * 1024)\n"
        "except BlockingIOError: print('full', file=answers._file, flush=True)\n"
        "answers.write('answer\\n')\n"
        "answers.flush()\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"full\n"
        assert process.stderr.read().endswith(b"xmark\n")
        assert process.stdout.read() == b"answer\n"


def test_an_error_that_says_itself_what_is_told_of_it_is_told_so() -> None:
    fault = in_function.FaultException("Sandbox.Timedout", "late", ["  File a"])
    told = devbridge_error(fault, "/code")
    assert (told["errorType"], told["errorMessage"], told["stackTrace"]) == (
        "Sandbox.Timedout",
        "late",
        ["  File a"],
    )


def test_lambdas_own_runtime_can_be_imported_where_nobody_has_it() -> None:
    code = (
        "import sys; from devbridge.emulator.inside.in_function import *;"
        " sys.meta_path[:] = [*sys.meta_path[:2], DevbridgeRuntime()];"
        " from awslambdaric.lambda_runtime_exception import FaultException as found;"
        " print(found is FaultException)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_what_a_function_brings_itself_is_not_hidden() -> None:
    import awslambdaric.lambda_runtime_exception as own

    assert own.FaultException is not in_function.FaultException
    assert in_function.DevbridgeRuntime().find_spec("json") is None
