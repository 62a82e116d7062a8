from __future__ import annotations

import asyncio
from pathlib import Path

from devbridge.daemon.secrets import INTERVAL, Versions, binds, touch, watch
from devbridge.errors import CloudError
from devbridge.runs.model import JobSpec
from devbridge.testing import FakeClock


async def test_another_version_is_told_once_and_a_failed_question_is_no_change() -> None:
    clock, changes = FakeClock(), 0
    answers: list[Versions | Exception] = [
        {"a": 1},
        {"a": 1},
        {"a": 2},
        CloudError("no network"),
        {"a": 2},
        {"a": 2, "b": 1},
        {},
    ]
    seen: list[object] = []

    async def versions() -> Versions:
        answer = answers[len(seen)]
        seen.append(answer)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def changed() -> None:
        nonlocal changes
        changes += 1

    watching = asyncio.create_task(watch(versions, changed, clock.sleep))
    told: list[object] = []
    for _ in answers:
        while len(seen) == len(told):  # noqa: ASYNC110
            await asyncio.sleep(0)
        told.append(changes)
        clock.advance(INTERVAL)
    watching.cancel()
    assert told == [0, 0, 1, 1, 1, 2, 3]


def test_the_mark_is_left_where_a_daemon_of_this_folder_looks_and_nowhere_else(
    tmp_path: Path,
) -> None:
    touch(tmp_path / "nowhere" / "marks" / "secrets")
    assert list(tmp_path.iterdir()) == []
    mark = tmp_path / "marks" / "secrets"
    touch(mark)
    before = mark.stat()
    touch(mark)
    assert mark.stat().st_mtime_ns > before.st_mtime_ns
    assert mark.stat().st_mode & 0o077 == 0


def test_a_job_that_binds_no_secret_is_not_concerned() -> None:
    def job(environment: dict[str, str]) -> JobSpec:
        return JobSpec("j", "jobs/j.handler", 60, 3072, "arn", environment)

    assert binds(job({"DEVBRIDGE_Secret_parameterName_token": "/devbridge/a/s/secrets/token"}))
    assert binds(job({"DEVBRIDGE_SECRETS": '{"KEY":"/devbridge/a/s/secrets/token"}'}))
    assert not binds(job({"DEVBRIDGE_Config_value_token": "x"}))
