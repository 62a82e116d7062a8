from __future__ import annotations

import json

from devbridge.daemon.pool import faults
from devbridge.runs.model import Exit
from runner.function import OWN
from runner.outcome import Failure


def document(fault: faults.Fault) -> dict[str, object]:
    found: dict[str, object] = json.loads(fault.document)
    return found


def test_of_our_own_runner_the_developer_sees_more_than_the_caller() -> None:
    told = {"errorType": "SyntaxError", "errorMessage": "invalid", "stackTrace": ['File "a.py"']}
    body = {"errorType": "Runtime.X", "errorMessage": "m", "stackTrace": ["  s\n"], OWN: told}
    fault = faults.parsed(json.dumps(body).encode())
    assert (fault.type, fault.message, fault.frames) == ("SyntaxError", "invalid", ('File "a.py"',))
    del body[OWN]
    assert document(fault) == body


def test_of_other_runtimes_it_is_the_same() -> None:
    body = {"errorType": "TypeError", "errorMessage": "m", "trace": ["TypeError: m", "  at f"]}
    fault = faults.parsed(json.dumps(body).encode())
    assert (fault.type, fault.message) == ("TypeError", "m")
    assert document(fault) == body


def test_what_is_no_document_becomes_one() -> None:
    assert document(faults.parsed(b"oops")) == {"errorType": "Unknown", "errorMessage": "oops"}
    assert document(faults.parsed(b"[1]"))["errorType"] == "Unknown"
    odd = json.dumps({"errorType": "E", "errorMessage": "m", OWN: "no document"}).encode()
    assert document(faults.parsed(odd)) == {"errorType": "E", "errorMessage": "m"}


def test_a_failure_of_ours_has_its_frames() -> None:
    fault = faults.of_failure(Failure("E", "m", ("f",)))
    expected = {"errorType": "E", "errorMessage": "m", "stackTrace": ["f"]}
    assert document(fault) == expected
    assert faults.of_failure(fault) is fault


def test_code_that_is_fit_for_no_worker_is_told_in_lambdas_words_with_its_place() -> None:
    frames = ("api/start.ts:3:7\n    const = 1;\n          ^",)
    fault = faults.not_started(Failure("SyntaxError", "Expected identifier", frames))
    assert document(fault) == {
        "errorType": "Runtime.UserCodeSyntaxError",
        "errorMessage": "SyntaxError: Expected identifier (api/start.ts:3:7)",
        "stackTrace": [*frames],
    }
    assert (fault.type, fault.frames) == ("SyntaxError", frames)
    fault = faults.not_started(Failure("BundleError", "cannot resolve './x'"))
    assert document(fault) == {
        "errorType": "Runtime.ImportModuleError",
        "errorMessage": "BundleError: cannot resolve './x'",
    }
    other = faults.not_started(Failure("ToolMissing", "there is no node"))
    assert document(other) == {"errorType": "ToolMissing", "errorMessage": "there is no node"}


def test_ends_are_told_in_lambdas_words() -> None:
    failure = Failure("Killed", "the worker was ended by SIGSEGV")
    fault = faults.exited("id", Exit(signal=11), failure)
    what = "RequestId: id Error: Runtime exited with error: signal: segmentation fault"
    assert document(fault) == {"errorType": "Runtime.ExitError", "errorMessage": what}
    assert fault.message == failure.message
    odd = faults.exited("id", Exit(signal=63), failure)
    assert "signal: real-time signal" in str(document(odd)["errorMessage"]) or "63" in str(
        document(odd)["errorMessage"]
    )


def test_memory_that_ran_out_is_said() -> None:
    fault = faults.exited("id", Exit(signal=9), Failure("OutOfMemory", "memory ran out"))
    assert document(fault)["errorType"] == "Runtime.OutOfMemory"


def test_an_answer_that_is_too_large_is_told_in_lambdas_words() -> None:
    what = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    expected = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": what}
    assert document(faults.too_large()) == expected
    assert (faults.too_large().type, faults.too_large().message) == (expected["errorType"], what)


def test_a_time_that_is_over_is_told_in_lambdas_words() -> None:
    fault = faults.timed_out("id", 3.0)
    what = "RequestId: id Error: Task timed out after 3.00 seconds"
    assert document(fault) == {"errorType": "Sandbox.Timedout", "errorMessage": what}
