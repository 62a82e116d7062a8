from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.languages.base import Workplace
from devbridge.languages.launchers import Launchers
from devbridge.runs.model import JobSpec
from devbridge.workers.base import WorkerSpec
from devbridge.workers.modules import Modules
from tests.unit.languages.fakes import FakeLanguage


def job(name: str, runtime: str) -> JobSpec:
    return JobSpec(name, f"{name}.handler", 60, 3072, "role", {}, runtime=runtime)


JOBS = [job("snake", ""), job("eel", "python3.12"), job("hexagon", "nodejs24.x"), job("box", "")]


@pytest.fixture
def launchers(languages: dict[str, FakeLanguage]) -> Launchers:
    told: list[str] = []
    for language in languages.values():
        language.told = told
    return Launchers(
        Workplace(
            root=Path(),
            python=Path("python"),
            environment={},
            bundles=Path("bundles"),
            cache=Path("cache"),
            say=told.append,
            details=told.append,
            fresh_jobs=Path("fresh"),
        )
    )


async def test_each_job_is_launched_in_its_language(
    launchers: Launchers, languages: dict[str, FakeLanguage]
) -> None:
    for each in JOBS:
        spec = WorkerSpec("1", Path(), each.handler, Path(), {}, each.name, each.runtime)
        await launchers.launch(spec, 1)
    await launchers.close()
    assert languages["python"].told == [
        "python launches snake",
        "python launches eel",
        "nodejs launches hexagon",
        "python launches box",
        "python closes",
        "nodejs closes",
    ]


async def test_what_the_app_vouches_for_is_modules_of_the_default_language(
    launchers: Launchers, languages: dict[str, FakeLanguage]
) -> None:
    await launchers.prepare(JOBS, ["polars"])
    assert languages["python"].told == [
        "python prepares snake,eel,box ['polars']",
        "nodejs prepares hexagon []",
    ]


async def test_workers_that_are_to_be_open_to_debuggers_are_launched_by_others(
    launchers: Launchers, languages: dict[str, FakeLanguage]
) -> None:
    await launchers.prepare(JOBS[:1], ["polars"])
    await launchers.debug()
    await launchers.close()
    prepares = "python prepares snake ['polars']"
    assert languages["python"].told == [prepares, prepares, *["python closes"] * 2]
    assert [place.debug for place in languages["python"].places] == [False, True]


async def test_reports_go_to_who_has_launched_the_job(launchers: Launchers) -> None:
    await launchers.prepare(JOBS, [])
    modules = Modules(frozenset(), ())
    assert not launchers.reported("snake", modules)
    assert launchers.reported("hexagon", modules)
    assert not launchers.reported("unknown", modules)
