from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from devbridge.constructs.compute import Batch, CodeBuild, Fargate, Lambda
from devbridge.runs.providers.known import (
    FIRST,
    ended,
    holds,
    is_event,
    keeps_words,
    older,
    provider,
    shares_streams,
)

UUID = "0b1c2d3e-0000-4000-8000-000000000001"


@pytest.mark.parametrize("compute", [Batch, CodeBuild, Fargate, Lambda])
def test_every_compute_has_a_provider_of_its_name(compute: Any) -> None:
    assert provider(compute.name, lambda _: None).name == compute.name


def test_a_provider_of_a_later_version_is_not_known() -> None:
    with pytest.raises(KeyError):
        provider("moon", lambda _: None)


def test_a_build_has_its_runners_words_and_a_functions_streams_are_shared() -> None:
    names = [compute.name for compute in (Batch, CodeBuild, Fargate, Lambda)]
    assert [*filter(keeps_words, names)] == [FIRST] == [CodeBuild.name]
    assert [*filter(shares_streams, names)] == [Lambda.name]


@pytest.mark.parametrize(
    ("payload", "all_"), [("z" * 7_000, True), ("z" * 8_100, False), ('"' * 4_000, False)]
)
def test_a_task_is_told_no_payload_that_its_overrides_have_no_room_for(
    payload: str, all_: bool
) -> None:
    names = [compute.name for compute in (Batch, CodeBuild, Fargate, Lambda)]
    found = [name for name in names if holds(name, payload)]
    assert found == (names if all_ else [CodeBuild.name, Lambda.name])


def test_what_is_no_builds_id_is_no_older_run() -> None:
    assert older("moon", lambda name: provider(name, lambda _: None)) is None


def test_what_nobody_waits_for_is_told_by_aws() -> None:
    job = {"status": "FAILED", "jobName": UUID, "jobId": "j"}
    batch = {"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": job}
    function = {"requestPayload": {"run": f"p:{UUID}"}}
    for event in (batch, function):
        found = ended(event)
        assert is_event(event)
        assert found is not None
        assert found.uuid == UUID
    started = {**batch, "detail": {**job, "status": "RUNNING"}}
    assert is_event(started)
    assert ended(started) is None


@pytest.mark.parametrize("event", [None, 5, [], {}, {"devbridge": 1, "action": "run"}])
def test_what_somebody_waits_for_is_not(event: object) -> None:
    assert not is_event(event)
    assert ended(event) is None


def test_they_need_the_standard_library_alone() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "import devbridge.runs.providers.known\n"
        "for name in set(sys.modules) - before: print(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    tops = {name.partition(".")[0] for name in done.stdout.split()} - sys.stdlib_module_names
    assert tops == {"devbridge", "runner"}
