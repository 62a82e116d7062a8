from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from devbridge.constructs import App, Function, Job
from devbridge.constructs.app import loading
from devbridge.errors import BuildError
from devbridge.packing import assets
from devbridge.packing.assets import (
    Remarks,
    function_asset,
    installing,
    job_assets,
    runner_files,
    schemas_file,
)
from devbridge.packing.zips import Asset, Parts


def names_in(asset: Asset) -> set[str]:
    with asset.open() as file, zipfile.ZipFile(file) as archive:
        return set(archive.namelist())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    with loading(tmp_path, lenient=True):
        return Job(App("demo"), "a", handler="jobs/a.handler")


@pytest.fixture
def function(tmp_path: Path) -> Function:
    with loading(tmp_path, lenient=True):
        return Function(App("demo"), "f", handler="api/f.handler")


def test_a_remark_is_made_once() -> None:
    remarks = Remarks()
    for line in ("odd", "strange", "odd"):
        remarks.warn(line)
        remarks.leave(f"{line}.env")
    assert remarks == Remarks(["odd", "strange"], ["odd.env", "strange.env"])


def test_a_function_that_is_too_large_is_told_with_what_makes_it_so(
    function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "UNZIPPED_LIMIT", 4)
    made = function_asset(function, Parts({}, {"a.py": b"1234"}), tmp_path, lambda: [])
    assert (made.label, names_in(made)) == ("Function 'f'", {"a.py"})
    with pytest.raises(BuildError, match="have 5 bytes; AWS Lambda takes 4") as told:
        function_asset(function, Parts({}, {"a.py": b"12345"}), tmp_path, lambda: ["a", "b"])
    assert told.value.where == "a, b"


def test_a_jobs_code_has_the_runner_and_its_packages_have_their_own_zip(
    job: Job, tmp_path: Path
) -> None:
    (tmp_path / "x.py").touch()
    code = Parts({}, {"jobs/a.py": b""})
    alone = job_assets(job, {}, code, tmp_path)
    assert names_in(alone.code) == {"jobs/a.py", *runner_files()}
    assert alone.packages is None
    both = job_assets(job, {"x.py": tmp_path / "x.py"}, code, tmp_path, runner=["node/*.mjs"])
    assert names_in(both.code) == {"jobs/a.py", *runner_files("node/*.mjs")}
    assert both.packages is not None
    assert names_in(both.packages) == {"x.py"}


def test_the_runners_files_are_python_and_what_is_asked_for() -> None:
    assert {"runner/__main__.py", "runner/__init__.py"} < set(runner_files())
    more = set(runner_files("node/*.mjs")) - set(runner_files())
    assert "runner/node/worker.mjs" in more
    assert {Path(name).suffix for name in more} == {".mjs"}


@pytest.mark.parametrize("where", ["packages", "copied", "own"])
def test_nothing_else_may_have_the_runners_name(where: str, job: Job, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    files = {"runner/x": tmp_path / "x", "runners/x": tmp_path / "x"}
    packages = files if where == "packages" else {}
    code = Parts(files if where == "copied" else {}, files if where == "own" else {})
    with pytest.raises(BuildError, match="the name 'runner' is taken") as told:
        job_assets(job, packages, code, tmp_path)
    assert told.value.where == "runner/x"


def test_the_schemas_file_has_those_of_these_jobs_only(job: Job) -> None:
    assert schemas_file([job], {"b": {}}) == {}
    assert schemas_file([], {"a": {}}) == {}
    ((name, text),) = schemas_file([job, job], {"a": {"type": "object"}, "b": {}}).items()
    assert name.endswith(".json")
    assert isinstance(text, bytes)
    assert json.loads(text) == {"a": {"type": "object"}}


def test_what_cannot_be_installed_is_told_of_its_code(job: Job) -> None:
    with pytest.raises(BuildError) as told, installing(job):
        raise BuildError("no such package", where="x", remedy="correct it")
    assert (told.value.what, told.value.remedy) == ("Job 'a': no such package", "correct it")
    assert told.value.where == str(job.where)
