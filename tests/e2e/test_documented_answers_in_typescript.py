"""What AWS documents of a function's answers: functions in TypeScript."""

from __future__ import annotations

import pytest

from tests.e2e.documented_answers import *  # noqa: F403
from tests.e2e.documented_answers import Language
from tests.e2e.test_documented_answers import ENDED, EXIT


@pytest.fixture(scope="module")
def language() -> Language:
    return Language(
        folder="typescript",
        trace="trace",
        errors={
            "an error": ("RangeError", "no such thing"),
            "an error with a cause": ("Error", "cannot load"),
            "no JSON": ("Runtime.JSONStringifyError", "Unable to stringify response body"),
            "an exit": (EXIT, f"{ENDED} with error: exit status 3"),
            "an exit with 0": (EXIT, f"{ENDED} without providing a reason"),
            "a kill": (EXIT, f"{ENDED} with error: signal: killed"),
            "a timeout": (
                "Sandbox.Timedout",
                r"RequestId: REQUEST Error: Task timed out after 1\.00 seconds",
            ),
            "an import error": (
                "Runtime.ImportModuleError",
                "Error: Cannot find module 'nothing-of-that-name'.*",
            ),
            "a syntax error": ("Runtime.UserCodeSyntaxError", "SyntaxError: .*"),
            "no handler": (
                "Runtime.HandlerNotFound",
                r"functions/nameless\.handler is undefined or not exported",
            ),
            "too much": (
                "Function.ResponseSizeTooLarge",
                r"Response payload size exceeded maximum allowed payload size \(6291556 bytes\)\.",
            ),
        },
    )
