from __future__ import annotations

import functools
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from devbridge.emulator.inside import in_function
from devbridge.emulator.inside.in_function import devbridge_error, devbridge_init_error


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
    told = json.loads(devbridge_error(raised(handler), folder))
    assert (told["errorType"], told["errorMessage"]) == ("KeyError", "'x'")
    (frame,) = told["stackTrace"]
    assert frame.startswith('  File "/var/task/test_in_function.py", line ')
    assert frame.endswith('in handler\n    raise KeyError("x")\n')


def test_a_result_that_is_no_json_is_called_so() -> None:
    told = json.loads(devbridge_error(raised(functools.partial(json.dumps, {1})), "/code"))
    assert told["errorType"] == "Runtime.MarshalError"


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

    told = json.loads(devbridge_init_error(raised(load), "api.start", "handler", "/code"))
    assert told["errorType"] == "AttributeError"


def test_what_is_written_to_standard_output_is_in_the_log_and_no_answer() -> None:
    code = (
        f"exec(open({in_function.__file__!r}).read())\n"
        "answers = devbridge_answers()\n"
        "os.system('echo of a child')\n"
        "print('answer', file=answers)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("answer\n", "of a child\n")
