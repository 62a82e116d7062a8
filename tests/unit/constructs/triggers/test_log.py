"""What a function or a job logs."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import App, Function, Job, OnLog
from devbridge.errors import InvalidValue
from tests.unit.constructs.triggers.conftest import Refused


def test_functions_and_other_jobs_have_logs(app: App) -> None:
    speak = Function(app, "speak", handler="api/start.handler")
    work = Job(app, "work", handler="jobs/a.handler")
    job = Job(app, "see", handler="jobs/a.handler", triggers=[OnLog(speak, "ERROR"), OnLog(work)])
    assert [each.label for each in job.triggers] == ["speak", "work"]
    assert not any(each.queued for each in job.triggers)


@pytest.mark.parametrize("pattern", [5, None, "x" * 1025])
def test_a_pattern_is_a_short_text(app: App, refused: Refused, pattern: Any) -> None:
    speak = Function(app, "speak", handler="api/start.handler")
    assert "OnLog: pattern" in refused(OnLog(speak, pattern))


def test_a_function_that_the_job_calls_would_start_it_again(app: App) -> None:
    speak = Function(app, "speak", handler="api/start.handler")
    with pytest.raises(InvalidValue, match=r"with bind=.Function 'speak'."):
        Job(app, "see", handler="jobs/a.handler", bind=[speak], triggers=[OnLog(speak)])


@pytest.mark.parametrize("of", ["speak", None])
def test_it_listens_to_what_logs(refused: Refused, of: Any) -> None:
    assert refused(OnLog(of, name="x")).startswith("Job 'see': OnLog:")
