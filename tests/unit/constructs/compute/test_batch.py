from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.constructs import App, Batch, Container, Job
from devbridge.constructs.compute.base import Asked
from devbridge.errors import InvalidValue

HANDLER = "jobs/a.handler"
ARM = Asked(architecture="arm64")


def test_it_is_small_and_on_demand_unless_told_otherwise(app: App) -> None:
    assert Batch() == Batch(cpu=1, memory="1.75 GB", gpu=0, spot=False)
    job = Job(app, "a", handler=HANDLER, compute=Batch())
    assert (job.memory_mb, job.cpu, job.timeout) == (1792, 1, timedelta(hours=8))
    assert job.hints == ()


@pytest.mark.parametrize(
    "options",
    [
        {"cpu": 8, "memory": "60 GB"},
        {"memory": "60000 MB"},
        {"gpu": 1},
        {"gpu": 4, "instance_types": ["g5", "g6e.12xlarge", "gr6", "p4de", "p5.48xlarge"]},
        {"instance_types": ["g5"]},
        {"instance_types": ["m6i", "c6i.2xlarge", "x2iedn", "m7i-flex.large", "u7i-12tb"]},
        {"disk": "30 GB"},
        {"disk": "16 TB"},
        {"cpu": 64, "max_vcpus": 64},
        {"spot": True},
    ],
    ids=str,
)
def test_values_that_are_allowed_are_kept(app: App, options: dict[str, Any]) -> None:
    compute = Batch(**options)
    assert Job(app, "a", handler=HANDLER, compute=compute).compute is compute


@pytest.mark.parametrize(
    "wrong",
    [
        {"cpu": 0},
        {"cpu": 0.5},
        {"cpu": True},
        {"memory": "2 MB"},
        {"memory": "0 GB"},
        {"memory": 8},
        {"gpu": -1},
        {"gpu": 0.5},
        {"gpu": 17},
        {"gpu": True},
        {"disk": "29 GB"},
        {"disk": "17 TB"},
        {"disk": 200},
        {"spot": "yes"},
        {"max_vcpus": 0},
        {"max_vcpus": 2, "cpu": 4},
        {"instance_types": "m6i"},
        {"instance_types": ["m6i", "m6i"]},
        {"instance_types": ["optimal"]},
        {"instance_types": ["m6i.huge"]},
        {"instance_types": ["M6I"]},
        {"instance_types": [6]},
        {"instance_types": ["m7g"]},
        {"instance_types": ["m6i"], "gpu": 1},
        {"instance_types": ["p3"], "gpu": 1},
    ],
    ids=str,
)
def test_values_that_are_not_allowed_are_refused(app: App, wrong: dict[str, Any]) -> None:
    option = next(iter(wrong))
    with pytest.raises(InvalidValue, match=rf"Job 'a': compute Batch\(.*{option}=") as caught:
        Job(app, "a", handler=HANDLER, compute=Batch(**wrong))
    assert f"as {option}, " in str(caught.value.remedy)
    assert app.constructs == []


def test_without_memory_for_one_run_max_vcpus_says_how_many_it_takes(app: App) -> None:
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", handler=HANDLER, compute=Batch(cpu=32))
    assert caught.value.what == "Job 'a': compute Batch(cpu=32, max_vcpus=16) is not allowed"
    assert "from 32 on" in str(caught.value.remedy)


@pytest.mark.parametrize("name", ["m6g", "c6gn.large", "x2gd", "im4gn", "is4gen", "t4g", "g5g"])
def test_arm64_is_for_awss_own_processors_alone(name: str) -> None:
    own = Batch(instance_types=[name])
    assert own.problem(ARM) is None
    assert own.problem(Asked())
    assert Batch(instance_types=["m6i"]).problem(ARM)


@pytest.mark.parametrize("name", ["a1", "a1.large", "a1.metal"])
@pytest.mark.parametrize("asked", [ARM, Asked()])
def test_the_first_of_awss_own_processors_have_no_image(name: str, asked: Asked) -> None:
    refused = Batch(instance_types=["m6g", name] if asked is ARM else [name]).problem(asked)
    assert refused
    assert refused[1][1].endswith(f"Amazon Linux 2023 runs on, not {name!r}")


def test_there_are_no_gpus_with_arm64() -> None:
    refused = Batch(gpu=1).problem(ARM)
    assert refused
    assert "architecture='x86_64'" in refused[1][1]


def test_batch_chooses_the_machines_unless_some_are_named() -> None:
    assert Batch().machines("x86_64") == ("default_x86_64",)
    assert Batch().machines("arm64") == ("default_arm64",)
    assert Batch(gpu=1).machines("x86_64") == ("g4dn", "g5", "g6")
    assert Batch(instance_types=["m6i"]).machines("x86_64") == ("m6i",)


def test_what_asks_for_the_same_is_equal_however_it_is_written() -> None:
    one, other = Batch(instance_types=["m6i", "c6i"]), Batch(instance_types=("m6i", "c6i"))
    assert one == other
    assert hash(one) == hash(other)


def test_a_power_of_two_is_said_to_fit_no_machine(app: App) -> None:
    (hint,) = Job(app, "a", handler=HANDLER, compute=Batch(memory="8 GB")).hints
    assert "memory='8 GB' does not fit a machine of that size" in hint
    assert hint.endswith("say '7.5 GB'")


@given(memory=st.integers(4, 1 << 20))
def test_only_powers_of_two_are_hinted_at(memory: int) -> None:
    hints = Batch(memory=f"{memory} MB").hints(Asked())
    assert bool(hints) == (memory in {1 << n for n in range(10, 21)})


def test_a_container_runs_there_for_two_weeks(app: App) -> None:
    image = Container("image", cmd=["run"])
    job = Job(app, "a", runtime="container", container=image, compute=Batch(), timeout="14 days")
    assert job.checkpoints is False
