"""Live as deployed: jobs in Python."""

from __future__ import annotations

import sys

import pytest

from tests.e2e.dev_and_deployed import *  # noqa: F403
from tests.e2e.dev_and_deployed import Language


@pytest.fixture(scope="module")
def language() -> Language:
    return Language(
        folder="python",
        version=sys.version_info[:2],
        value_error="ValueError",
        runtime_error="RuntimeError",
        parse_error="JSONDecodeError",
        not_json="result['a'][1] is of type object",
        leave=("SystemExit", "sys.exit(3)"),
        traceback="Traceback",
        frame='File "jobs/probe.py"',
        caused=[
            "RuntimeError: cannot load",
            "caused by KeyError: 'the real reason'",
            "in row 7",
            '{}["the real reason"]',
        ],
        grouped=[
            "ValueError: in a task",
            'raise ValueError("in a task")',
            "in ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)",
            "async with asyncio.TaskGroup() as group:",
        ],
        lingers="its thread 'uploader'",
    )
