from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from devbridge.constructs import App, CodeBuild, Job
from devbridge.constructs.compute import Batch, Fargate, Lambda
from devbridge.errors import InvalidValue

HANDLER = "jobs/a.handler"


def test_each_place_has_a_name_of_its_own() -> None:
    assert [each.name for each in (CodeBuild(), Batch(), Fargate(), Lambda())] == [
        "codebuild",
        "batch",
        "fargate",
        "lambda",
    ]


def test_it_is_where_jobs_run_unless_told_otherwise(app: App) -> None:
    job = Job(app, "a", handler=HANDLER)
    assert job.compute == CodeBuild()
    assert (job.memory_mb, job.cpu, job.timeout) == (3072, 2, timedelta(hours=8))
    assert job.hints == ()


@pytest.mark.parametrize(
    ("options", "memory", "cpu"),
    [
        ({"memory_size": "145 GB"}, 145 * 1024, 72),
        ({"memory_size": "7gb"}, 7 * 1024, 4),
        ({"architecture": "arm64", "memory_size": "15 GB"}, 15 * 1024, 8),
    ],
)
def test_its_machine_is_that_of_the_jobs_memory_size(
    app: App, options: dict[str, Any], memory: int, cpu: int
) -> None:
    job = Job(app, "a", handler=HANDLER, compute=CodeBuild(), **options)
    assert (job.memory_mb, job.cpu) == (memory, cpu)


def test_more_than_36_hours_are_refused_with_what_has_more(app: App) -> None:
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", handler=HANDLER, timeout="2 days")
    assert "1 second to 36 hours" in str(caught.value.remedy)
    assert "Batch and Fargate have 14 days" in str(caught.value.remedy)
