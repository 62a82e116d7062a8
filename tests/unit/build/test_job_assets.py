from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from devbridge.build import environment
from devbridge.build.python import Builder
from devbridge.build.zips import Asset
from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.errors import BuildError
from tests.unit.build.conftest import MakePackage, MakeWheel
from tests.unit.build.test_python import VERSION, write

HANDLER = "def handler(payload, context): ...\n"
OTHER = "3.13" if VERSION != "3.13" else "3.12"


def asset(root: Path, python: Path, *, local: bool = True, **options: Any) -> Asset:
    with loading(root):
        job = Job(App("demo"), "a", handler="jobs/a.handler", **options)
    return Builder(python, VERSION, root / "cache", local=local).job_asset(job)


def packed(root: Path, python: Path, **options: Any) -> dict[str, bytes]:
    with asset(root, python, **options).open() as file, zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def users(root: Path, python: Path, **options: Any) -> set[str]:
    return {name for name in packed(root, python, **options) if not name.startswith("runner/")}


def test_a_jobs_zip_has_its_handler_and_the_runner(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"jobs/a.py": "import lib, boto3\n" + HANDLER, "lib.py": "", "unused.py": ""})
    files = packed(tmp_path, python)
    assert {"jobs/a.py", "lib.py", "runner/__main__.py", "runner/worker.py"} < set(files)
    assert "unused.py" not in files
    assert {name for name in files if not name.endswith(".py")} == set()


def test_the_same_job_makes_the_same_zip(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"jobs/a.py": HANDLER})
    with asset(tmp_path, python).open() as file:
        first = file.read()
    (tmp_path / "jobs" / "a.py").touch()
    again = asset(tmp_path, python)
    with again.open() as file:
        assert file.read() == first
    assert again.size == len(first)


def test_what_devbridge_needs_at_run_time_comes_along(
    tmp_path: Path, python: Path, install: MakePackage
) -> None:
    install("msgspec", {"msgspec/__init__.py": ""})
    source = "from devbridge.job import job_handler\n@job_handler('a')\n" + HANDLER
    write(tmp_path, {"jobs/a.py": source})
    files = users(tmp_path, python)
    assert {"devbridge/job.py", "devbridge/payloads.py", "msgspec/__init__.py"} < files
    assert not [
        name for name in files if name.startswith(("devbridge/constructs", "devbridge/cli"))
    ]


def test_the_zip_runs_the_job_in_a_bare_interpreter(tmp_path: Path, python: Path) -> None:
    source = "def handler(payload, context):\n    return {'doubled': payload['n'] * 2}\n"
    write(tmp_path / "app", {"jobs/a.py": source})
    (tmp_path / "out").mkdir()
    with asset(tmp_path / "app", python).open() as file:
        zipfile.ZipFile(file).extractall(tmp_path / "out")
    done = subprocess.run(
        [python, "-m", "runner", "build"],
        cwd=tmp_path / "out",
        env={
            "PATH": os.environ["PATH"],
            "DEVBRIDGE_APP": "demo",
            "DEVBRIDGE_STAGE": "test",
            "DEVBRIDGE_JOB_NAME": "a",
            "DEVBRIDGE_HANDLER": "jobs/a.handler",
            "DEVBRIDGE_PAYLOAD": '{"n": 21}',
            "AWS_REGION": "eu-west-1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith('{"devbridge"')]
    assert json.loads(line)["devbridge"]["result"] == {"doubled": 42}


def test_install_adds_what_no_import_names(tmp_path: Path, python: Path, wheel: MakeWheel) -> None:
    wheel("plugin", {"plugin/__init__.py": "", "plugin/data.bin": "x"})
    write(tmp_path, {"jobs/a.py": HANDLER})
    files = users(tmp_path, python, install=["plugin"])
    assert {"plugin/__init__.py", "plugin/data.bin"} < files


def test_an_import_may_be_of_what_install_adds(
    tmp_path: Path, python: Path, wheel: MakeWheel
) -> None:
    wheel("only_there", {"only_there.py": ""})
    write(tmp_path, {"jobs/a.py": "import only_there\n" + HANDLER})
    assert "only_there.py" in users(tmp_path, python, install=["only_there"])
    with pytest.raises(BuildError, match="'only_there' is imported, and is not installed"):
        users(tmp_path, python)


def test_what_the_apps_interpreter_has_comes_before_what_install_adds(
    tmp_path: Path, python: Path, install: MakePackage, wheel: MakeWheel
) -> None:
    install("both", {"both/__init__.py": "here", "both/old.py": ""})
    wheel("both", {"both/__init__.py": "added", "both/new.py": ""}, version="2.0")
    write(tmp_path, {"jobs/a.py": "import both\n" + HANDLER})
    files = packed(tmp_path, python, install=["both"])
    assert files["both/__init__.py"] == b"here"
    assert "both/old.py" in files
    assert "both/new.py" not in files


def test_an_install_that_cannot_be_resolved_names_the_job(
    tmp_path: Path, python: Path, wheel: MakeWheel
) -> None:
    write(tmp_path, {"jobs/a.py": HANDLER})
    with pytest.raises(BuildError, match=r"Job 'a': `install` cannot be resolved"):
        packed(tmp_path, python, install=["nowhere"])


@pytest.mark.parametrize(
    ("options", "tag", "expected"),
    [
        ({"architecture": "arm64", "runtime": "python3.12"}, "manylinux_2_28_aarch64", "there"),
        ({"architecture": "x86_64", "runtime": "python3.12"}, "manylinux2014_x86_64", "there"),
        ({"local": True, "architecture": "arm64", "runtime": f"python{VERSION}"}, None, "here"),
        ({"local": True, "architecture": "arm64", "runtime": f"python{OTHER}"}, "any", "there"),
    ],
)
def test_compiled_packages_are_those_of_where_the_job_runs(
    options: dict[str, Any],
    tag: str | None,
    expected: str,
    tmp_path: Path,
    python: Path,
    install: MakePackage,
    wheel: MakeWheel,
) -> None:
    install("binary", {"binary/__init__.py": "", "binary/fast.so": "here"})
    if tag:
        digits = options["runtime"].removeprefix("python").replace(".", "")
        files = {"binary/__init__.py": "", "binary/fast.so": "there"}
        kind = f"cp{digits}-none-any" if tag == "any" else f"cp{digits}-cp{digits}-{tag}"
        wheel("binary", files, tag=kind)
    write(tmp_path, {"jobs/a.py": "import binary\n" + HANDLER})
    found = packed(tmp_path, python, **{"local": False, **options})
    assert found["binary/fast.so"] == expected.encode()


def test_a_package_of_the_users_must_not_be_called_runner(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"jobs/a.py": "import runner.x\n" + HANDLER, "runner/x.py": ""})
    with pytest.raises(BuildError, match="'runner' is taken"):
        packed(tmp_path, python)


def test_the_interpreter_is_asked_once_for_the_same_imports(
    tmp_path: Path, python: Path, install: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("shared", {"shared.py": ""})
    write(tmp_path, {"jobs/a.py": "import shared\n" + HANDLER})
    with loading(tmp_path):
        app = App("demo")
        jobs = [Job(app, f"job{i}", handler="jobs/a.handler") for i in range(3)]
    asked: list[object] = []
    real = environment._ask

    def ask(*arguments: Any) -> Any:
        asked.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(environment, "_ask", ask)
    builder = Builder(python, VERSION, tmp_path / "cache", local=True)
    assert len({builder.job_asset(job).key for job in jobs}) == 1
    assert len(asked) == 1


def test_a_job_that_was_packed_before_is_not_packed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"jobs/a.py": HANDLER})
    first = asset(tmp_path, Path(sys.executable)).key

    def write_zip(*_: object) -> None:
        raise AssertionError("packed again")

    monkeypatch.setattr("devbridge.build.zips.write_zip", write_zip)
    assert asset(tmp_path, Path(sys.executable)).key == first
