from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Function, Job
from devbridge.constructs.app import loading
from devbridge.errors import BuildError
from devbridge.languages.python.packing import Builder
from tests.packages import MakePackage


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def packed(root: Path, python: Path, **options: Any) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(zipped(root, python, **options))) as archive:
        return set(archive.namelist())


def zipped(root: Path, python: Path, **options: Any) -> bytes:
    """The zip of the function api/start.handler, for the embedded cloud."""
    with loading(root):
        app = App("demo")
        bind = [Job(app, name, handler="api/start.handler") for name in options.pop("jobs", ())]
        schemas = options.pop("schemas", {})
        function = Function(app, "f", handler="api/start.handler", bind=bind, **options)
    builder = Builder(python, VERSION, root / "cache", local=True, schemas=schemas)
    with builder.function_asset(function).open() as file:
        return file.read()


VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
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
    assert "'not_there' is imported but not installed" in str(caught.value)
    assert f"api/start.py:2, {python}" in str(caught.value)


def test_an_optional_import_may_be_missing(tmp_path: Path, python: Path) -> None:
    source = "try:\n    import not_there\nexcept ImportError:\n    not_there = None\n"
    write(tmp_path, {"api/start.py": source + HANDLER})
    assert packed(tmp_path, python) == {"api/start.py"}


def test_a_requirement_that_was_left_out_is_a_warning_with_the_line_that_adds_it(
    tmp_path: Path, python: Path, install: MakePackage
) -> None:
    install("half", {"half.py": ""}, requires=("other-half",))
    write(tmp_path, {"api/start.py": "import half\n" + HANDLER})
    with loading(tmp_path):
        function = Function(App("demo"), "f", handler="api/start.handler")
    builder = Builder(python, VERSION, tmp_path / "cache", local=True)
    builder.function_asset(function)
    (warning,) = builder.remarks.warnings
    assert "'half' requires 'other-half', which is not installed" in warning
    assert 'install=["other-half"]' in warning


def test_a_syntax_error_in_what_is_packed_names_file_and_line(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"api/start.py": "import lib\n" + HANDLER, "lib.py": "x =\n"})
    with pytest.raises(BuildError, match=r"SyntaxError(.|\n)*lib.py:1"):
        packed(tmp_path, python)


def test_the_constructs_cannot_be_imported_at_run_time(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"api/start.py": "from devbridge import Job\n" + HANDLER})
    with pytest.raises(BuildError, match=r"import Job from devbridge\.job"):
        packed(tmp_path, python)


def test_the_slice_of_devbridge_works_without_any_other_package(
    tmp_path: Path, python: Path, install: MakePackage
) -> None:
    install("msgspec", {"msgspec/__init__.py": ""})  # for jobs: a function decodes no payload
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
    assert len(body) < 34_000
    archive = zipfile.ZipFile(io.BytesIO(body))
    own = {name for name in archive.namelist() if "payload/" not in name}
    assert own == {
        *("api/start.py", "jobs/a.py"),
        *(f"devbridge/{name}.py" for name in ("__init__", "durations", "errors", "job")),
        *(f"devbridge/{name}.py" for name in ("job_context", "later", "resources")),
    }
    assert not [name for name in archive.namelist() if name.startswith("msgspec")]
    archive.extractall(tmp_path / "out")
    import_alone(tmp_path / "out", "api.start")


def import_alone(folder: Path, module: str) -> None:
    """Import it with nothing but the folder and the standard library."""
    code = f"import sys; sys.path.append({str(folder)!r}); import {module}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_schemas_of_bound_jobs_come_with_what_checks_them(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"api/start.py": HANDLER})
    schemas = {"a": {"type": "integer"}, "other": {}}
    body = zipped(tmp_path, python, jobs=["a", "b"], schemas=schemas)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert json.loads(archive.read("devbridge-schemas.json")) == {"a": {"type": "integer"}}
        assert "fastjsonschema/__init__.py" in archive.namelist()
    assert packed(tmp_path, python, jobs=["b"], schemas=schemas) == {"api/start.py"}


def test_copied_files_are_packed_at_their_own_path(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"api/start.py": HANDLER, "data/a.txt": "a", "data/deep/b.bin": "b"})
    files = packed(tmp_path, python, copy_files=["data"])
    assert files == {"api/start.py", "data/a.txt", "data/deep/b.bin"}


def test_a_function_over_lambdas_limit_is_refused(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devbridge.packing.assets.UNZIPPED_LIMIT", 100)
    write(tmp_path, {"api/start.py": HANDLER, "data.bin": "x" * 200})
    with pytest.raises(BuildError, match=r"Function 'f'(.|\n)*make it a job"):
        packed(tmp_path, python, copy_files=["data.bin"])


def test_the_main_module_is_no_package(tmp_path: Path, python: Path) -> None:
    write(tmp_path, {"api/start.py": "import __main__\n" + HANDLER})
    assert packed(tmp_path, python) == {"api/start.py"}


@pytest.mark.parametrize("kind", ["a link to nothing", "a named pipe"])
def test_what_cannot_be_copied_is_named(tmp_path: Path, python: Path, kind: str) -> None:
    write(tmp_path, {"api/start.py": HANDLER, "data/a.txt": "a"})
    odd = tmp_path / "data" / "odd"
    if kind == "a link to nothing":
        odd.symlink_to("nowhere")
    else:
        os.mkfifo(odd)
    with pytest.raises(BuildError, match=r"Function 'f': copy_files: 'data/odd'"):
        packed(tmp_path, python, copy_files=["data"])
