"""What AWS documents of a function's answers: functions in Python."""

from __future__ import annotations

import pytest

from tests.e2e.documented_answers import *  # noqa: F403
from tests.e2e.documented_answers import Language

EXIT = "Runtime.ExitError"
ENDED = "RequestId: REQUEST Error: Runtime exited"


@pytest.fixture(scope="module")
def language() -> Language:
    return Language(
        folder="python",
        trace="stackTrace",
        errors={
            "an error": ("ValueError", "no such thing"),
            "an error with a cause": ("RuntimeError", "cannot load"),
            "no JSON": (
                "Runtime.MarshalError",
                "Unable to marshal response: Object of type set is not JSON serializable",
            ),
            "an exit": (EXIT, f"{ENDED} with error: exit status 3"),
            "an exit with 0": (EXIT, f"{ENDED} without providing a reason"),
            "a kill": (EXIT, f"{ENDED} with error: signal: killed"),
            "a timeout": (
                "Sandbox.Timedout",
                r"RequestId: REQUEST Error: Task timed out after 1\.00 seconds",
            ),
            "an import error": (
                "Runtime.ImportModuleError",
                "Unable to import module 'functions/imports': "
                "No module named 'nothing_of_that_name'",
            ),
            "a syntax error": (
                "Runtime.UserCodeSyntaxError",
                r"Syntax error in module 'functions/syntax': .* \(rows\.py, line 1\)",
            ),
            "no handler": (
                "Runtime.HandlerNotFound",
                "Handler 'handler' missing on module 'functions/nameless'",
            ),
            "too much": (
                "Function.ResponseSizeTooLarge",
                r"Response payload size exceeded maximum allowed payload size \(6291556 bytes\)\.",
            ),
        },
    )
