from __future__ import annotations

import sys
from typing import Any

import pytest

from devbridge.constructs import App, Batch, Fargate, Job, Lambda
from devbridge.constructs.compute.base import ComputeBase, shown
from devbridge.errors import InvalidValue

HANDLER = "jobs/a.handler"


@pytest.mark.parametrize(
    ("place", "option", "way_out"),
    [
        (Fargate, "gpu", "compute=Batch(gpu=1, ...)"),
        (Fargate, "memory_size", "memory='2 GB'"),
        (Fargate, "arm64", "Job(architecture='arm64')"),
        (Batch, "vcpus", "cpu=2"),
        (Lambda, "memory", "memory_size='1 GB'"),
        (Lambda, "spot", "Batch(spot=True)"),
    ],
)
def test_an_option_that_a_place_has_not_is_told_with_what_has_it(
    place: Any, option: str, way_out: str
) -> None:
    line = sys._getframe().f_lineno + 2
    with pytest.raises(InvalidValue) as caught:
        place(**{option: 1})
    error = caught.value
    assert error.what == f"{place.__name__} has no option {option!r}"
    assert error.where == f"test_base.py:{line}"
    assert "its options: " in str(error.remedy)
    assert way_out in str(error.remedy)


def test_an_unknown_option_is_told_with_those_that_there_are() -> None:
    with pytest.raises(InvalidValue) as caught:
        Fargate(colour="blue")  # type: ignore[call-arg]
    assert caught.value.remedy == "its options: cpu, memory, disk, spot, workers"


@pytest.mark.parametrize("place", [Batch, Fargate, Lambda])
def test_codebuilds_sizes_are_refused_elsewhere_naming_the_own_ones(app: App, place: Any) -> None:
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", handler=HANDLER, compute=place(), memory_size="3 GB")
    assert caught.value.what == "Job 'a': memory_size '3 GB' is not allowed"
    assert f"only CodeBuild's; with {place.__name__}, compute=" in str(caught.value.remedy)


@pytest.mark.parametrize("compute", ["fargate", Fargate, None, 1])
def test_compute_is_one_of_four_and_made(app: App, compute: Any) -> None:
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", handler=HANDLER, compute=compute)
    assert "Job 'a': compute " in caught.value.what
    assert "CodeBuild(), Batch(" in str(caught.value.remedy)
    assert app.constructs == []


@pytest.mark.parametrize("place", [Batch, Fargate])
def test_on_spot_a_run_that_takes_days_needs_checkpoints(app: App, place: Any) -> None:
    Job(app, "short", handler=HANDLER, compute=place(spot=True), timeout="1 day")
    Job(app, "kept", handler="work/steps.handler", compute=place(spot=True), timeout="14 days")
    Job(app, "unknown", handler="work/steps.wrapped", compute=place(spot=True), timeout="3 days")
    with pytest.raises(InvalidValue) as caught:
        Job(app, "long", handler=HANDLER, compute=place(spot=True), timeout="25 hours")
    assert caught.value.what == f"Job 'long': compute {place.__name__}(spot=True) is not allowed"
    assert (
        "with a timeout of 25 hours, spot=True only for a handler that yields checkpoints"
        in str(caught.value.remedy)
    )


def test_it_is_shown_as_app_py_has_it() -> None:
    assert shown(Batch()) == "Batch()"
    assert shown(Batch(cpu=4, spot=True)) == "Batch(cpu=4, spot=True)"
    assert shown(Fargate(cpu=4), "cpu", "memory") == "Fargate(cpu=4, memory='2 GB')"


def test_what_has_no_options_takes_none() -> None:
    assert issubclass(Batch, ComputeBase)
    with pytest.raises(InvalidValue):
        Lambda(gpu=1)  # type: ignore[call-arg]
