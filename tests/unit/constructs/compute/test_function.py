from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from devbridge.constructs import App, Container, Job, Lambda
from devbridge.constructs.compute.base import Asked
from devbridge.errors import InvalidValue

HANDLER = "jobs/a.handler"
STEPS = "work/steps.handler"
IMAGE = f"public.ecr.aws/lambda/python@sha256:{'0' * 64}"


def test_it_is_small_unless_told_otherwise(app: App) -> None:
    assert Lambda() == Lambda(memory_size="1 GB", reserved_concurrency=None)
    job = Job(app, "a", handler=HANDLER, compute=Lambda())
    assert (job.memory_mb, job.cpu) == (1024, 0.58)


@pytest.mark.parametrize(
    ("handler", "limit"),
    [
        (HANDLER, timedelta(minutes=15)),
        (STEPS, timedelta(hours=8)),
        ("work/steps.wrapped", timedelta(hours=8)),
    ],
)
def test_a_handler_without_checkpoints_has_one_invocation(
    app: App, handler: str, limit: timedelta
) -> None:
    assert Job(app, "a", handler=handler, compute=Lambda()).timeout == limit


def test_a_longer_timeout_needs_a_handler_that_yields_checkpoints(app: App) -> None:
    Job(app, "fits", handler=HANDLER, compute=Lambda(), timeout="15 minutes")
    Job(app, "goes-on", handler=STEPS, compute=Lambda(), timeout="36 hours")
    Job(app, "unknown", handler="work/steps.wrapped", compute=Lambda(), timeout="1 hour")
    with pytest.raises(InvalidValue) as caught:
        Job(app, "long", handler=HANDLER, compute=Lambda(), timeout="16 minutes")
    assert caught.value.what == "Job 'long': timeout 16 minutes is not allowed"
    assert "1 second to 15 minutes with compute=Lambda" in str(caught.value.remedy)
    assert "yields checkpoints" in str(caught.value.remedy)


def test_a_chain_of_invocations_has_36_hours(app: App) -> None:
    with pytest.raises(InvalidValue, match="1 second to 36 hours with compute=Lambda"):
        Job(app, "a", handler=STEPS, compute=Lambda(), timeout="2 days")


@pytest.mark.parametrize(
    "wrong",
    [
        {"memory_size": "127 MB"},
        {"memory_size": "10241 MB"},
        {"memory_size": 512},
        {"disk": "511 MB"},
        {"disk": "11 GB"},
        {"disk": 1},
        {"reserved_concurrency": 0},
        {"reserved_concurrency": True},
        {"margin": "9 seconds"},
        {"margin": "11 minutes"},
    ],
    ids=str,
)
def test_values_that_are_not_allowed_are_refused(app: App, wrong: dict[str, Any]) -> None:
    (option,) = wrong
    with pytest.raises(InvalidValue, match=rf"Job 'a': compute Lambda\({option}=") as caught:
        Job(app, "a", handler=HANDLER, compute=Lambda(**wrong))
    assert f"as {option}, " in str(caught.value.remedy)


def test_the_ends_of_the_ranges_are_allowed() -> None:
    for options in (
        {"memory_size": "128 MB", "disk": "512 MB", "reserved_concurrency": 1},
        {"memory_size": "10 GB", "disk": "10 GB"},
        {"memory_size": "1.5 GB"},
        {"margin": "10 seconds"},
        {"margin": "10 minutes"},
    ):
        assert Lambda(**options).problem(Asked()) is None
    assert Lambda(disk="10 GB").disk_mb == 10_240
    assert Lambda().disk_mb is None


@pytest.mark.parametrize(
    ("options", "option", "said"),
    [
        (
            {"runtime": "container", "container": Container("image", cmd=["run"])},
            "runtime",
            "CodeBuild, Batch or Fargate run containers",
        ),
        (
            {"handler": "work/a.handler", "runtime": "nodejs22.x"},
            "runtime",
            "not yet with compute=Lambda",
        ),
        ({"handler": HANDLER, "image": IMAGE}, "image", "whose functions are zips"),
        ({"handler": HANDLER, "environment": {"A": "1"}}, "environment", "two or more letters"),
    ],
)
def test_what_no_function_has_is_refused_naming_lambda(
    app: App, options: dict[str, Any], option: str, said: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", compute=Lambda(), **options)
    assert caught.value.what.startswith(f"Job 'a': {option} ")
    assert "compute=Lambda" in str(caught.value.remedy)
    assert said in str(caught.value.remedy)
