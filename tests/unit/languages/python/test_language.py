from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devbridge.constructs import App, Job
from devbridge.languages.base import Asking, Packing, Workplace
from devbridge.languages.python.language import Python
from devbridge.languages.python.packing import Builder
from devbridge.languages.python.zygote import ZygoteLauncher
from devbridge.workers.base import FreshLauncher
from tests.unit.types.conftest import AddJob

PACKING = Packing(
    python=Path("/venv/python"), version="3.12", cache=Path("cache"), local=True, schemas={"a": {}}
)


def place(root: Path) -> Workplace:
    return Workplace(
        root=root,
        python=Path("/venv/python"),
        environment={},
        bundles=root / "bundles",
        cache=root / "cache",
        say=pytest.fail,
        details=pytest.fail,
        fresh_jobs=root / "fresh.json",
    )


def test_a_deployment_is_packed_by_a_builder_of_its_own() -> None:
    packer = Python().packer(PACKING)
    assert isinstance(packer, Builder)
    assert (packer.python, packer.version) == (PACKING.python, "3.12")
    assert (packer.local, packer.schemas) == (True, {"a": {}})


def test_a_job_that_installs_nothing_needs_nothing_in_its_environment(
    app: App, add_job: AddJob
) -> None:
    assert Python().environment(add_job("a", "def handler(p): ..."), PACKING) == {}


@pytest.mark.parametrize(
    ("platform", "launcher"), [("linux", ZygoteLauncher), ("darwin", FreshLauncher)]
)
def test_workers_are_forks_where_forking_is_safe(
    platform: str, launcher: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert isinstance(Python().launcher(place(tmp_path)), launcher)


def test_types_are_asked_only_of_the_jobs_that_are_named(app: App, add_job: AddJob) -> None:
    add_job("one", "def handler(p: int): ...")
    two: Job = add_job("two", "def handler(p: str): ...")
    found = Python().types(app, [two], Asking(python=Path(sys.executable)))
    assert {name: known.payload for name, known in found.items()} == {"two": {"type": "string"}}
