from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devbridge.emulator.inside.machines import runtimes
from devbridge.emulator.inside.machines.failure import Failure
from devbridge.languages.python.environment import RUNTIME_DISTRIBUTIONS, RUNTIME_IMPORTS

OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"


def fake(path: Path, version: str, base: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}; echo {base}; exit {code}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("tag", [OWN, f"{OWN}-arm64", f"{OWN}-x86_64", f"{OWN}.2025.01.02.03"])
def test_the_app_s_own_version_is_the_app_s_own_interpreter(tag: str) -> None:
    python = runtimes.python_of(f"public.ecr.aws/lambda/python:{tag}")
    assert python.is_file()
    assert not (python.parent.parent / "pyvenv.cfg").exists()


def test_another_version_is_looked_for_and_pyenv_s_shims_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    monkeypatch.setenv("HOME", str(tmp_path))
    image = "public.ecr.aws/lambda/python:3.98"
    with pytest.raises(Failure, match=r"no Python 3\.98 on this machine"):
        runtimes.python_of(image)
    fake(tmp_path / "shims" / "python3.98", "pyenv: not found", "", 127)
    base = tmp_path / ".pyenv" / "versions" / "3.98.1" / "bin" / "python3.98"
    fake(base, "3.98", str(base))
    assert runtimes.python_of(image) == base


@pytest.mark.parametrize("image", ["", "ubuntu:22.04", "public.ecr.aws/lambda/nodejs:20"])
def test_other_images_are_refused(image: str) -> None:
    with pytest.raises(Failure, match="containers do not run on the embedded cloud"):
        runtimes.python_of(image)


def test_a_path_has_no_programs_of_virtual_environments(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").touch()
    path = os.pathsep.join(["/usr/bin", str(tmp_path / "bin"), "/bin"])
    assert runtimes.without_environments(path) == os.pathsep.join(["/usr/bin", "/bin"])


def test_an_environment_has_boto3_last_and_nothing_else(tmp_path: Path) -> None:
    binaries = runtimes.make_environment(runtimes.python_of("aws/codebuild/x:1"), tmp_path / "env")
    script = (
        "import sys, boto3, dateutil, importlib.metadata as m, importlib.util as u;"
        "print(sys.path[-1] in boto3.__file__, m.version('boto3') == boto3.__version__,"
        "u.find_spec('pytest'), sys.prefix)"
    )
    done = subprocess.run(
        [binaries / "python3", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "True", "None", str(tmp_path / "env")]


def test_builds_have_what_packing_takes_them_to_have() -> None:
    names = {path.name.removesuffix(".py") for path in runtimes._brought_along()}
    assert {name for name in names if not name.endswith(".dist-info")} == RUNTIME_IMPORTS
    known = {name.partition("-")[0] for name in names if name.endswith(".dist-info")}
    assert known == {name.replace("-", "_") for name in RUNTIME_DISTRIBUTIONS}
