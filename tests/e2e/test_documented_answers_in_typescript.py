"""What AWS documents of a function's answers: functions in TypeScript."""

from __future__ import annotations

import pytest

from tests.e2e.documented_answers import *  # noqa: F403
from tests.e2e.documented_answers import OF_LAMBDA, Language


@pytest.fixture(scope="module")
def language() -> Language:
    return Language(
        folder="typescript",
        trace="trace",
        errors={
            **OF_LAMBDA,
            "an error": ("RangeError", "no such thing"),
            "an error with a cause": ("Error", "cannot load"),
            "no JSON": ("Runtime.JSONStringifyError", "Unable to stringify response body"),
            "an import error": (
                "Runtime.ImportModuleError",
                "Error: Cannot find module 'nothing-of-that-name'.*",
            ),
            "a syntax error": ("Runtime.UserCodeSyntaxError", "SyntaxError: .*"),
            "no handler": (
                "Runtime.HandlerNotFound",
                r"functions/nameless\.handler is undefined or not exported",
            ),
        },
    )
