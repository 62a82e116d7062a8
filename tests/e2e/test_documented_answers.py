"""What AWS documents of a function's answers: functions in Python."""

from __future__ import annotations

import pytest

from tests.e2e.documented_answers import *  # noqa: F403
from tests.e2e.documented_answers import OF_LAMBDA, Language


@pytest.fixture(scope="module")
def language() -> Language:
    return Language(
        folder="python",
        trace="stackTrace",
        errors={
            **OF_LAMBDA,
            "an error": ("ValueError", "no such thing"),
            "an error with a cause": ("RuntimeError", "cannot load"),
            "no JSON": (
                "Runtime.MarshalError",
                "Unable to marshal response: Object of type set is not JSON serializable",
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
        },
    )
