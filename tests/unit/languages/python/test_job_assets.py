from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.errors import BuildError
from devbridge.languages.python import environment
from devbridge.languages.python.packing import Builder
from devbridge.packing.assets import JobAssets
from devbridge.packing.zips import Asset
from tests.packages import MakePackage
from tests.unit.languages.python.test_packing import VERSION, write

HANDLER = "def handler(payload, context): ...\n"
OTHER = "3.13" if VERSION != "3.13" else "3.12"


def assets(root: Path, python: Path, *, local: bool = True, **options: Any) -> JobAssets:
    with loading(root):
        job = Job(App("demo"), "a", handler="jobs/a.handler", **options)
    return Builder(python, VERSION, root / "cache", local=local).job_assets(job)


def files_of(asset: Asset | None) -> dict[str, bytes]:
    if asset is None:
        return {}
    with asset.open() as file, zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def code(root: Path, python: Path, **options: Any) -> dict[str, bytes]:
    return files_of(assets(root, python, **options).code)


def packages(root: Path, python: Path, **options: Any) -> dict[str, bytes]:
    return files_of(assets(root, python, **options).packages)


def test_a_jobs_zip_has_its_handler_and_the_runner(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"jobs/a.py": "import lib, boto3\n" + HANDLER, "lib.py": "", "unused.py": ""})
    files = code(tmp_path, python)
    assert {"jobs/a.py", "lib.py", "runner/__main__.py", "runner/worker.py"} < set(files)
    assert "unused.py" not in files
    assert {name for name in files if not name.endswith(".py")} == set()
    assert assets(tmp_path, python).packages is None


def test_what_a_job_imports_is_in_a_zip_of_its_own_that_a_change_of_the_code_leaves_alone(
    tmp_path: Path, python: Path, install: MakePackage
) -> None:
    install("lib", {"lib.py": ""})
    (tmp_path / "data").mkdir()
    write(tmp_path, {"jobs/a.py": "import lib\n" + HANDLER, "data/x.csv": "1"})
    before = assets(tmp_path, python, copy_files=["data"])
    assert "lib.py" in files_of(before.packages)
    assert {"jobs/a.py", "data/x.csv"} < set(files_of(before.code))
    assert not set(files_of(before.packages)) & set(files_of(before.code))
    write(tmp_path, {"jobs/a.py": "import lib\n" + HANDLER + "# changed\n"})
    after = assets(tmp_path, python, copy_files=["data"])
    assert after.packages == before.packages
    assert after.code.key != before.code.key


def test_the_same_job_makes_the_same_zip(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"jobs/a.py": HANDLER})
    with assets(tmp_path, python).code.open() as file:
        first = file.read()
    (tmp_path / "jobs" / "a.py").touch()
    again = assets(tmp_path, python).code
    with again.open() as file:
        assert file.read() == first
    assert again.size == len(first)


def test_what_devbridge_needs_at_run_time_comes_along(
    tmp_path: Path, python: Path, install: MakePackage
) -> None:
    install("msgspec", {"msgspec/__init__.py": ""})
    source = "from devbridge.job import job_handler\n@job_handler('a')\n" + HANDLER
    write(tmp_path, {"jobs/a.py": source})
    files = code(tmp_path, python)
    assert {"devbridge/job.py", "devbridge/payload/encode.py"} < set(files)
    assert "msgspec/__init__.py" in packages(tmp_path, python)
    assert not [
        name for name in files if name.startswith(("devbridge/constructs", "devbridge/cli"))
    ]


def test_the_zips_run_the_job_in_a_bare_interpreter(
    tmp_path: Path, python: Path, install: MakePackage
) -> None:
    install("lib", {"lib.py": "FACTOR = 2"})
    source = "import lib\ndef handler(payload, _):\n    return payload['n'] * lib.FACTOR\n"
    write(tmp_path / "app", {"jobs/a.py": source})
    made = assets(tmp_path / "app", python)
    shutil.rmtree(python.parent.parent / "lib")  # the interpreter of a build has no packages
    for asset, folder in ((made.code, "out"), (made.packages, "packages")):
        write(tmp_path / folder, {n: body.decode() for n, body in files_of(asset).items()})
    done = subprocess.run(
        [python, "-m", "runner", "build"],
        cwd=tmp_path / "out",
        env={
            "PATH": os.environ["PATH"],
            "CODEBUILD_SRC_DIR_packages": str(tmp_path / "packages"),
            "DEVBRIDGE_APP": "demo",
            "DEVBRIDGE_STAGE": "test",
            "DEVBRIDGE_JOB_NAME": "a",
            "DEVBRIDGE_HANDLER": "jobs/a.handler",
            "DEVBRIDGE_PAYLOAD": '{"n": 21}',
            "DEVBRIDGE_INLINE": "1",
            "AWS_REGION": "eu-west-1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith('{"devbridge"')]
    assert json.loads(line)["devbridge"]["result"] == 42


def test_a_package_of_the_users_must_not_be_called_runner(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"jobs/a.py": "import runner.x\n" + HANDLER, "runner/x.py": ""})
    with pytest.raises(BuildError, match="'runner' is taken"):
        code(tmp_path, python)


def test_the_interpreter_is_asked_once_for_the_same_imports(
    tmp_path: Path, python: Path, install: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("shared", {"shared.py": ""})
    write(tmp_path, {"jobs/a.py": "import shared\n" + HANDLER})
    with loading(tmp_path):
        app = App("demo")
        jobs = [Job(app, f"job{i}", handler="jobs/a.handler") for i in range(3)]
    asked: list[object] = []
    real = subprocess.run

    def run(*arguments: Any, **options: Any) -> Any:
        asked.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(environment, "_CLOCK", 0)
    cache = tmp_path / ".cache"
    builder = Builder(python, VERSION, cache, local=True)
    builder.analyse(jobs)
    made = [builder.job_assets(job) for job in jobs]
    assert len({(each.code.key, each.packages and each.packages.key) for each in made}) == 1
    assert len(asked) == 1
    Builder(python, VERSION, cache, local=True).analyse(jobs)
    assert len(asked) == 1, "nothing has changed"
    write(tmp_path, {"jobs/a.py": "import shared, json\n" + HANDLER})
    Builder(python, VERSION, cache, local=True).analyse(jobs)
    assert len(asked) == 2


def test_a_job_that_was_packed_before_is_not_packed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"jobs/a.py": HANDLER})
    first = assets(tmp_path, Path(sys.executable)).code.key

    def write_zip(*_: object) -> None:
        raise AssertionError("packed again")

    monkeypatch.setattr("devbridge.packing.zips.write_zip", write_zip)
    assert assets(tmp_path, Path(sys.executable)).code.key == first
