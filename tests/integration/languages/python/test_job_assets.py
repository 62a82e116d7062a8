"""What pip adds to a job's packages, and where it finds those of another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.errors import BuildError
from tests.packages import MakePackage, MakeWheel
from tests.unit.languages.python.test_job_assets import HANDLER, OTHER, packages
from tests.unit.languages.python.test_packing import VERSION, write


def test_install_adds_what_no_import_names(tmp_path: Path, python: Path, wheel: MakeWheel) -> None:
    wheel("plugin", {"plugin/__init__.py": "", "plugin/data.bin": "x"})
    write(tmp_path, {"jobs/a.py": HANDLER})
    files = packages(tmp_path, python, install=["plugin"])
    assert {"plugin/__init__.py", "plugin/data.bin"} < set(files)


def test_an_import_may_be_of_what_install_adds(
    tmp_path: Path, python: Path, wheel: MakeWheel
) -> None:
    wheel("only_there", {"only_there.py": ""})
    write(tmp_path, {"jobs/a.py": "import only_there\n" + HANDLER})
    assert "only_there.py" in packages(tmp_path, python, install=["only_there"])
    with pytest.raises(BuildError, match="'only_there' is imported but not installed"):
        packages(tmp_path, python)


def test_what_the_apps_interpreter_has_comes_before_what_install_adds(
    tmp_path: Path, python: Path, install: MakePackage, wheel: MakeWheel
) -> None:
    install("both", {"both/__init__.py": "here", "both/old.py": ""})
    wheel("both", {"both/__init__.py": "added", "both/new.py": ""}, version="2.0")
    write(tmp_path, {"jobs/a.py": "import both\n" + HANDLER})
    files = packages(tmp_path, python, install=["both"])
    assert files["both/__init__.py"] == b"here"
    assert "both/old.py" in files
    assert "both/new.py" not in files


def test_an_install_that_cannot_be_resolved_names_the_job(
    tmp_path: Path, python: Path, wheel: MakeWheel
) -> None:
    write(tmp_path, {"jobs/a.py": HANDLER})
    with pytest.raises(BuildError, match=r"Job 'a': `install` cannot be resolved"):
        packages(tmp_path, python, install=["nowhere"])


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
    found = packages(tmp_path, python, **{"local": False, **options})
    assert found["binary/fast.so"] == expected.encode()
