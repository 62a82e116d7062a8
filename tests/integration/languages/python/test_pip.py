"""What pip resolves, with an index of wheels that the tests make."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from devbridge.errors import BuildError
from devbridge.languages.python.environment import Distribution, files_for
from devbridge.languages.python.pip import (
    Target,
    files_in,
    importable,
    installed_path,
    requirements_path,
)
from devbridge.languages.python.reached import Asked, ask
from tests.packages import MakePackage, MakeWheel

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PLATFORM = sysconfig.get_platform().replace("-", "_").replace(".", "_")
ARM = "cp311-cp311-manylinux2014_aarch64"


def installed(name: str, python: Path, folder: Path) -> list[Distribution]:
    """What an import of `name` needs."""
    (folder / "a.py").write_text(f"import {name}\ndef handler(): ...\n")
    asked = Asked("a", "a.py", "handler", (), None)
    found = ask(
        [asked], root=folder, python=python, version=VERSION, cache=folder / "known", warn=print
    )
    return found["a"].distributions((), python)


def test_compiled_distributions_are_resolved_for_the_target_and_cached(
    tmp_path: Path, python: Path, install: MakePackage, wheel: MakeWheel
) -> None:
    install("compiled", {"compiled/__init__.py": "", "compiled/fast.so": "here"})
    files = {"compiled/__init__.py": "", "compiled/fast.so": "there"}
    made = wheel("compiled", files, tag=ARM)
    found = installed("compiled", python, tmp_path)
    cache = tmp_path / "cache"

    here = files_for(found, None, cache)
    assert here["compiled/fast.so"].read_text() == "here"
    for _ in range(2):
        there = files_for(found, Target("3.11", "arm64"), cache)
        assert there["compiled/fast.so"].read_text() == "there"
        made.unlink(missing_ok=True)  # The second time it must come from the cache.
    with pytest.raises(BuildError, match="no wheels for x86_64"):
        files_for(found, Target("3.11", "x86_64"), cache)
    assert len(list(cache.iterdir())) == 1


def test_a_pure_distribution_is_taken_as_it_is_installed(
    tmp_path: Path, python: Path, install: MakePackage, wheel: MakeWheel
) -> None:
    install("pure", {"pure.py": "here"})
    files = files_for(
        installed("pure", python, tmp_path), Target("3.13", "arm64"), tmp_path / "cache"
    )
    assert files["pure.py"].read_text() == "here"


def test_install_resolves_requirements_with_what_they_require(
    tmp_path: Path, wheel: MakeWheel
) -> None:
    wheel("upper", {"upper.py": "import lower"}, requires=("lower>=1",))
    wheel("lower", {"lower/__init__.py": ""})
    python, cache = Path(sys.executable), tmp_path / "cache"
    folder = installed_path(["upper"], python, cache)
    assert importable(folder) == {"upper", "lower"}
    code = f"import sys; sys.path.append({str(folder)!r}); import upper"
    subprocess.run([python, "-I", "-c", code], check=True)


def test_install_is_resolved_once_for_the_same_requirements(
    tmp_path: Path, wheel: MakeWheel
) -> None:
    made = wheel("upper", {"upper.py": ""})
    python, cache = Path(sys.executable), tmp_path / "cache"
    first = installed_path(["upper"], python, cache)
    made.unlink()
    assert installed_path(["upper"], python, cache, version=VERSION) == first
    with pytest.raises(BuildError, match="`install` cannot be resolved: "):
        installed_path(["upper==1.0"], python, cache)


def test_install_is_resolved_for_the_target(tmp_path: Path, python: Path, wheel: MakeWheel) -> None:
    wheel("fast", {"fast.so": "arm"}, tag=ARM)
    cache = tmp_path / "cache"
    folder = requirements_path(["fast"], Target("3.11", "arm64"), python, VERSION, cache)
    assert (folder / "fast.so").read_text() == "arm"
    with pytest.raises(BuildError, match=r"for x86_64, Python 3\.11: No matching"):
        requirements_path(["fast"], Target("3.11"), python, VERSION, cache)


def test_another_python_on_this_machine_gets_wheels_of_this_machine(
    tmp_path: Path, python: Path, wheel: MakeWheel
) -> None:
    wheel("fast", {"fast.so": "other"}, tag=f"cp313-cp313-{PLATFORM}")
    target = Target("3.13", None)
    folder = requirements_path(["fast"], target, python, VERSION, tmp_path / "cache")
    assert (folder / "fast.so").read_text() == "other"


def test_files_of_distributions_that_are_there_anyway_are_left_out(
    tmp_path: Path, wheel: MakeWheel
) -> None:
    wheel("upper", {"upper.py": ""}, requires=("Lower_Part",))
    wheel("lower_part", {"shared/lower.py": ""})
    folder = installed_path(["upper"], Path(sys.executable), tmp_path / "cache")
    assert {"upper.py", "shared/lower.py"} < set(files_in(folder))
    left = files_in(folder, without=["lower-part"])
    assert "upper.py" in left
    assert not [name for name in left if "lower" in name]


def test_without_pip_the_error_says_how_to_get_it(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devbridge.languages.python.pip._PIP", (str(python), "-m", "pip"))
    with pytest.raises(BuildError, match=r"has no pip(.|\n)*ensurepip"):
        installed_path(["x"], Path(sys.executable), tmp_path / "cache", version=VERSION)


HABITS = """\
[global]
user = true
target = /elsewhere
prefix = /elsewhere
dry-run = true
no-deps = true
require-virtualenv = true
require-hashes = true
quiet = 3
[install]
root = /elsewhere
constraint = {constraint}
"""


@pytest.mark.parametrize("target", [None, Target("3.11", "arm64")])
def test_the_users_habits_with_pip_are_not_in_the_way_and_what_packages_are_there_is_theirs(
    tmp_path: Path,
    wheel: MakeWheel,
    monkeypatch: pytest.MonkeyPatch,
    target: Target | None,
) -> None:
    wheel("upper", {"upper.py": "new"}, requires=("lower",), version="2.0")
    wheel("upper", {"upper.py": "old"}, requires=("lower",))
    wheel("lower", {"lower.py": ""})
    constraint = tmp_path / "constraint.txt"
    constraint.write_text("upper<2")
    config = tmp_path / "pip.conf"
    config.write_text(HABITS.format(constraint=constraint))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    for habit in ("USER", "NO_DEPS", "DRY_RUN", "REQUIRE_HASHES", "REQUIRE_VIRTUALENV"):
        monkeypatch.setenv(f"PIP_{habit}", "1")
    for habit in ("PREFIX", "ROOT", "REPORT", "PYTHON", "LOG", "EDITABLE", "REQUIREMENT"):
        monkeypatch.setenv(f"PIP_{habit}", "/elsewhere")
    monkeypatch.setenv("PIP_NO_BINARY", "other" if target is None else ":all:")
    own = Path(sys.executable)
    folder = requirements_path(["upper"], target, own, VERSION, tmp_path / "cache")
    assert (folder / "upper.py").read_text() == "old"
    assert (folder / "lower.py").exists()
