"""What a job's zips have, by where it runs: AWS's SDK or not, in one zip or in two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Job, Secret
from devbridge.constructs.app import loading
from devbridge.errors import BuildError
from devbridge.languages.python.packing import Builder
from devbridge.packing import assets
from devbridge.packing.assets import JobAssets, Shape
from tests.packages import MakePackage
from tests.unit.languages.python.test_job_assets import HANDLER, files_of
from tests.unit.languages.python.test_packing import VERSION, write

BARE = Shape(brings_sdk=False)


def packed(
    root: Path, python: Path, shape: Shape, *, secret: bool = False, **options: Any
) -> JobAssets:
    with loading(root):
        app = App("demo")
        bind = [Secret(app, "token")] if secret else []
        job = Job(app, "a", handler="jobs/a.handler", bind=bind, **options)
    builder = Builder(python, VERSION, root / "cache", local=True, shape=lambda _: shape)
    return builder.job_assets(job)


@pytest.fixture
def boto3(install: MakePackage) -> None:
    install("boto3", {"boto3/__init__.py": ""}, requires=("botocore",))
    install("botocore", {"botocore/session.py": ""}, requires=("urllib3",))
    install("urllib3", {"urllib3/__init__.py": ""})


@pytest.mark.usefixtures("boto3")
def test_what_aws_has_everywhere_else_comes_along_where_it_has_nothing(
    tmp_path: Path, python: Path
) -> None:
    write(tmp_path, {"jobs/a.py": "import boto3\n" + HANDLER})
    assert packed(tmp_path, python, Shape()).packages is None
    found = files_of(packed(tmp_path, python, BARE).packages)
    assert {"boto3/__init__.py", "botocore/session.py", "urllib3/__init__.py"} < set(found)


@pytest.mark.usefixtures("boto3")
def test_devbridge_brings_what_it_needs_to_read_what_is_bound(tmp_path: Path, python: Path) -> None:
    source = "from devbridge.resources import Secret\n" + HANDLER
    write(tmp_path, {"jobs/a.py": source})
    assert packed(tmp_path, python, BARE).packages is None
    assert packed(tmp_path, python, Shape(), secret=True).packages is None
    found = files_of(packed(tmp_path, python, BARE, secret=True).packages)
    assert "botocore/session.py" in found
    assert "boto3/__init__.py" not in found


def test_jobs_of_both_kinds_are_analysed_together(
    tmp_path: Path, python: Path, install: MakePackage
) -> None:
    install("boto3", {"boto3/__init__.py": ""})
    write(tmp_path, {"jobs/a.py": "import boto3\n" + HANDLER})
    with loading(tmp_path):
        app = App("demo")
        first = Job(app, "first", handler="jobs/a.handler")
        second = Job(app, "second", handler="jobs/a.handler")
    builder = Builder(
        python,
        VERSION,
        tmp_path / "cache",
        local=True,
        shape=lambda code: Shape(brings_sdk=code is first),
    )
    builder.analyse([first, second])
    assert builder.job_assets(first).packages is None
    assert builder.job_assets(second).packages is not None


def test_one_zip_has_all_and_knows_its_size(
    tmp_path: Path, python: Path, install: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("lib", {"lib.py": "#" * 1000})
    write(tmp_path, {"jobs/a.py": "import lib\n" + HANDLER})
    made = packed(tmp_path, python, Shape(whole=True))
    assert made.packages is None
    files = files_of(made.code)
    assert {"lib.py", "jobs/a.py", "runner/__init__.py"} < set(files)
    assert made.size == sum(map(len, files.values()))
    monkeypatch.setattr(assets, "UNZIPPED_LIMIT", made.size - 1)
    with pytest.raises(BuildError, match=f"have {made.size:,} bytes; AWS Lambda takes") as caught:
        packed(tmp_path, python, Shape(whole=True))
    assert "runner (" in (caught.value.where or "")


def test_the_embedded_cloud_runs_functions_in_the_apps_own_python(
    tmp_path: Path, python: Path
) -> None:
    write(tmp_path, {"jobs/a.py": HANDLER})
    other = "python3.13" if VERSION != "3.13" else "python3.12"
    made = packed(tmp_path, python, Shape(whole=True), runtime=other)
    assert "jobs/a.py" in files_of(made.code)
