from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.constructs import App, Fargate, Job, Vpc
from devbridge.constructs.compute.base import Asked
from devbridge.constructs.compute.fargate import SIZES
from devbridge.errors import InvalidValue

HANDLER = "jobs/a.handler"
CPUS = st.sampled_from([*SIZES, 0, -1, 3, 0.75, 64])


def in_aws() -> Iterator[tuple[float, int]]:
    """The combinations that AWS documents, as botocore's model of Batch has them."""
    shape: Any = (
        botocore.session.get_session().get_service_model("batch").shape_for("ResourceRequirement")
    )
    text = re.sub(r"(?:<[^>]+>|\s)+", " ", shape.members["value"].documentation)
    for cpu, sizes in re.findall(r"value = ([\d.]+) MEMORY = ([\d, or]+)", text):
        for size in re.findall(r"\d+", sizes):
            yield float(cpu), int(size)


def test_the_table_is_the_one_that_aws_documents() -> None:
    assert sorted(in_aws()) == sorted((cpu, size) for cpu, all_ in SIZES.items() for size in all_)


def test_it_is_small_and_on_demand_unless_told_otherwise(app: App) -> None:
    assert Fargate() == Fargate(cpu=1, memory="2 GB", spot=False)
    job = Job(app, "a", handler=HANDLER, compute=Fargate())
    assert (job.memory_mb, job.cpu, job.timeout) == (2048, 1, timedelta(hours=8))


@given(cpu=CPUS, memory=st.integers(1, 300 * 1024))
def test_a_combination_is_taken_exactly_if_aws_has_it(cpu: float, memory: int) -> None:
    refused = Fargate(cpu=cpu, memory=f"{memory} MB").problem(Asked())
    assert (refused is None) == (memory in SIZES.get(cpu, ()))


@given(cpu=CPUS, memory=st.integers(1, 300 * 1024))
def test_what_is_named_as_the_nearest_is_allowed(cpu: float, memory: int) -> None:
    refused = Fargate(cpu=cpu, memory=f"{memory} MB").problem(Asked())
    if refused:
        named = re.findall(r"Fargate\(cpu=([\d.]+), memory='([^']+)'\)", refused[1][1])
        assert named
        for near, size in named:
            assert Fargate(cpu=float(near), memory=size).problem(Asked()) is None


@pytest.mark.parametrize(
    ("compute", "remedy"),
    [
        (
            Fargate(cpu=1, memory="9 GB"),
            "allowed: with cpu=1, '2 GB' to '8 GB' by 1 GB; the nearest:"
            " Fargate(cpu=1, memory='8 GB') or Fargate(cpu=2, memory='9 GB')",
        ),
        (
            Fargate(cpu=8, memory="18 GB"),
            "allowed: with cpu=8, '16 GB' to '60 GB' by 4 GB; the nearest:"
            " Fargate(cpu=8, memory='16 GB') or Fargate(cpu=8, memory='20 GB')",
        ),
        (
            Fargate(cpu=3, memory="8 GB"),
            "allowed: cpu=0.25, 0.5, 1, 2, 4, 8, 16 or 32; the nearest:"
            " Fargate(cpu=4, memory='8 GB')",
        ),
        (
            Fargate(cpu=32, memory="500 GB"),
            "allowed: with cpu=32, '60 GB', '120 GB', '244 GB'; the nearest:"
            " Fargate(cpu=32, memory='244 GB')",
        ),
    ],
    ids=str,
)
def test_a_combination_that_aws_refuses_is_told_with_the_nearest(
    app: App, compute: Fargate, remedy: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", handler=HANDLER, compute=compute)
    said = f"Fargate(cpu={compute.cpu}, memory={compute.memory!r})"
    assert caught.value.what == f"Job 'a': compute {said} is not allowed"
    assert caught.value.remedy == remedy


@pytest.mark.parametrize(
    "wrong",
    [
        {"cpu": True},
        {"cpu": "1"},
        {"memory": 2},
        {"memory": "two"},
        {"disk": "20 GB"},
        {"disk": "201 GB"},
        {"disk": "21.5 GB"},
        {"disk": 30},
        {"spot": 1},
    ],
    ids=str,
)
def test_values_that_are_not_allowed_are_refused(app: App, wrong: dict[str, Any]) -> None:
    (option,) = wrong
    with pytest.raises(InvalidValue, match=rf"Job 'a': compute Fargate\(.*{option}=") as caught:
        Job(app, "a", handler=HANDLER, compute=Fargate(**wrong))
    assert caught.value.remedy


@pytest.mark.parametrize(("disk", "gb"), [("21 GB", 21), ("200 GB", 200), (None, None)])
def test_its_disk_is_20_gb_or_what_is_asked_for(disk: str | None, gb: int | None) -> None:
    assert Fargate(disk=disk).problem(Asked()) is None
    assert Fargate(disk=disk).disk_gb == gb


def test_what_a_job_has_beside_it_goes_with_it(app: App) -> None:
    vpc = Vpc("vpc-01234567", subnets=["subnet-01234567"], security_groups=["sg-01234567"])
    job = Job(
        app,
        "a",
        handler=HANDLER,
        compute=Fargate(cpu=0.25, memory="512 MB"),
        architecture="arm64",
        vpc=vpc,
        timeout="14 days",
        image=f"public.ecr.aws/docker/library/python@sha256:{'0' * 64}",
    )
    assert (job.memory_mb, job.cpu, job.timeout.days) == (512, 0.25, 14)
    with pytest.raises(InvalidValue, match="timeout '15 days'"):
        Job(app, "b", handler=HANDLER, compute=Fargate(), timeout="15 days")
