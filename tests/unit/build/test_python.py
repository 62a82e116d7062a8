from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from devbridge.build.environment import Target, files_for, installed
from devbridge.build.python import function_asset, reachable, stub_asset
from devbridge.constructs import App, Function
from devbridge.constructs.app import loading
from devbridge.errors import BuildError
from tests.unit.build.conftest import MakePackage


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def packed(root: Path, python: Path, target: Target | None = None) -> set[str]:
    body = zipped(root, python, target)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return set(archive.namelist())


def zipped(root: Path, python: Path, target: Target | None = None) -> bytes:
    with loading(root):
        function = Function(App("demo"), "f", handler="api/start.handler")
    asset = function_asset(function, python=python, target=target, cache=root / "cache")
    return asset.body


HANDLER = "def handler(event, context): ...\n"


def test_a_zip_has_the_handler_and_what_it_reaches_and_nothing_else(
    tmp_path: Path, python: Path
) -> None:
    write(
        tmp_path,
        {
            "api/__init__.py": "",
            "api/start.py": "import json, boto3\nfrom lib.names import X\n" + HANDLER,
            "lib/__init__.py": "",
            "lib/names.py": "from . import deep\nX = 1\n",
            "lib/deep/__init__.py": "from .er import Y\n",
            "lib/deep/er.py": "Y = 2\n",
            "lib/unused.py": "",
            "secret.env": "",
        },
    )
    assert packed(tmp_path, python) == {
        "api/__init__.py",
        "api/start.py",
        "lib/__init__.py",
        "lib/names.py",
        "lib/deep/__init__.py",
        "lib/deep/er.py",
    }


def test_the_same_app_makes_the_same_zip(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"api/start.py": "from lib import x\n" + HANDLER, "lib.py": "x = 1\n"})
    assert zipped(tmp_path, python) == zipped(tmp_path, python)


def test_third_party_distributions_come_with_what_they_require(
    tmp_path: Path, python: Path, install: MakePackage
) -> None:
    install(
        "top-level",
        {"top_level/__init__.py": "", "top_level/data.json": "{}", "../../../bin/tool": ""},
        requires=("below>=1", 'extra-only; extra == "x"', "boto3", 'absent; python_version < "3"'),
    )
    install("below", {"below.py": ""})
    install("extra-only", {"extra_only.py": ""})
    write(tmp_path, {"api/start.py": "import top_level\n" + HANDLER})
    assert packed(tmp_path, python) == {
        "api/start.py",
        "top_level/__init__.py",
        "top_level/data.json",
        "top_level-1.0.dist-info/METADATA",
        "below.py",
        "below-1.0.dist-info/METADATA",
    }


def test_an_import_that_is_not_installed_names_the_line_and_the_interpreter(
    tmp_path: Path, python: Path
) -> None:
    write(tmp_path, {"api/start.py": "import json\nimport not_there\n" + HANDLER})
    with pytest.raises(BuildError) as caught:
        packed(tmp_path, python)
    assert "'not_there' is imported, and is not installed" in str(caught.value)
    assert f"api/start.py:2, {python}" in str(caught.value)


def test_an_optional_import_may_be_missing(tmp_path: Path, python: Path) -> None:
    source = "try:\n    import not_there\nexcept ImportError:\n    not_there = None\n"
    write(tmp_path, {"api/start.py": source + HANDLER})
    assert packed(tmp_path, python) == {"api/start.py"}


def test_a_missing_requirement_of_a_distribution_is_an_error(
    tmp_path: Path, python: Path, install: MakePackage
) -> None:
    install("half", {"half.py": ""}, requires=("other-half",))
    write(tmp_path, {"api/start.py": "import half\n" + HANDLER})
    with pytest.raises(BuildError, match="'half' requires 'other-half'"):
        packed(tmp_path, python)


def test_a_syntax_error_in_what_is_packed_names_file_and_line(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"api/start.py": "import lib\n" + HANDLER, "lib.py": "x =\n"})
    with pytest.raises(BuildError, match=r"SyntaxError(.|\n)*lib.py:1"):
        packed(tmp_path, python)


def test_the_constructs_cannot_be_imported_at_run_time(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"api/start.py": "from devbridge import Job\n" + HANDLER})
    with pytest.raises(BuildError, match=r"import Job from devbridge\.job"):
        packed(tmp_path, python)


def test_the_slice_of_devbridge_works_without_any_other_package(
    tmp_path: Path, python: Path
) -> None:
    write(
        tmp_path / "app",
        {
            "api/start.py": "from devbridge.job import Job\nfrom devbridge.resources import Table\n"
            "from jobs.a import Num\n" + HANDLER,
            "jobs/a.py": "from dataclasses import dataclass\n"
            "from devbridge.job import job_handler\n"
            "@dataclass\nclass Num:\n    num: int\n"
            "@job_handler('a')\ndef handler(payload: Num): ...\n",
        },
    )
    body = zipped(tmp_path / "app", python)
    assert len(body) < 20_000
    zipfile.ZipFile(io.BytesIO(body)).extractall(tmp_path / "out")
    import_alone(tmp_path / "out", "api.start")


def test_the_stubs_zip_is_small_and_imports_alone(tmp_path: Path) -> None:
    asset = stub_asset()
    assert len(asset.body) < 120_000
    archive = zipfile.ZipFile(io.BytesIO(asset.body))
    packages = {tuple(name.split("/"))[:2] for name in archive.namelist()}
    allowed = {"__init__.py", "errors.py", "protocol", "transport"}
    assert {second for first, second in packages if first == "devbridge"} <= allowed
    assert {first for first, _ in packages} == {"devbridge", "stub_lambda", "paho"}
    archive.extractall(tmp_path)
    import_alone(tmp_path, "stub_lambda.handler")


def import_alone(folder: Path, module: str) -> None:
    """Import it with nothing but the folder and the standard library."""
    code = f"import sys; sys.path.append({str(folder)!r}); import {module}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_local_module_that_is_only_reached_by_the_stub_stays_out(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "import b.c\n", "b/c.py": "", "b/d.py": ""})
    assert set(reachable(tmp_path, "a.py").files) == {"a.py", "b/c.py"}


def test_compiled_distributions_are_resolved_for_the_target_and_cached(
    tmp_path: Path, python: Path, install: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("compiled", {"compiled/__init__.py": "", "compiled/fast.so": "here"})
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    tag = "cp311-cp311-manylinux2014_aarch64"
    wheel = wheels / f"compiled-1.0-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("compiled/__init__.py", "")
        archive.writestr("compiled/fast.so", "there")
        info = "compiled-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: compiled\nVersion: 1.0")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    found = installed(["compiled"], python)
    cache = tmp_path / "cache"

    here = files_for(found, None, cache)
    assert here["compiled/fast.so"].read_text() == "here"
    for _ in range(2):
        there = files_for(found, Target("3.11", "arm64"), cache)
        assert there["compiled/fast.so"].read_text() == "there"
        wheel.unlink(missing_ok=True)  # The second time it must come from the cache.
    with pytest.raises(BuildError, match="no wheels for x86_64"):
        files_for(found, Target("3.11", "x86_64"), cache)
    assert len(list(cache.iterdir())) == 1
