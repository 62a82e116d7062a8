"""The embedded cloud's environment as pip makes it: from the lock, and from nothing else."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from devbridge.emulator import install as module
from devbridge.emulator.install import install, installed
from devbridge.errors import EmbeddedCloudFailed

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


def silent(line: str) -> None:
    pass


LINUX = {"sys_platform": "linux", "platform_machine": "x86_64"}
MAC = {"sys_platform": "darwin", "platform_machine": "arm64"}
INTEL_MAC = {"sys_platform": "darwin", "platform_machine": "x86_64"}


def locked(machine: dict[str, str]) -> dict[str, str]:
    """Each package of the lock on such a machine, and its version."""
    found = [Requirement(line) for line in module.pinned()]
    wanted = [each for each in found if each.marker is None or each.marker.evaluate(machine)]
    versions = {str(canonicalize_name(each.name)): str(each.specifier)[2:] for each in wanted}
    assert len(versions) == len(wanted)
    return versions


@pytest.mark.parametrize("machine", [LINUX, MAC, INTEL_MAC])
def test_the_lock_has_what_is_required_and_all_that_this_requires(machine: dict[str, str]) -> None:
    versions = locked(machine)
    todo = [Requirement(line) for line in module.REQUIREMENTS]
    seen = set()
    while todo:
        each = todo.pop()
        name = canonicalize_name(each.name)
        if each.marker is not None and not each.marker.evaluate({"extra": "", **machine}):
            continue
        assert each.specifier.contains(versions[name]), (each, versions[name])
        if name not in seen:
            seen.add(name)
            todo += [Requirement(line) for line in requires(name)]
    assert seen == versions.keys()


def requires(name: str) -> list[str]:
    """What a package requires, as it is installed for the embedded cloud on this machine."""
    python = install(Path(sys.executable), silent)
    folder = next((python.parents[1] / "lib").glob("python*/site-packages"))
    found = next(d for d in metadata.distributions(path=[str(folder)]) if named(d, name))
    return found.requires or []


def named(distribution: metadata.Distribution, name: str) -> bool:
    return canonicalize_name(distribution.name) == name


def test_what_is_installed_is_what_is_locked() -> None:
    python = install(Path(sys.executable), silent)
    folder = next((python.parents[1] / "lib").glob("python*/site-packages"))
    found = {
        canonicalize_name(each.name): each.version
        for each in metadata.distributions(path=[str(folder)])
    }
    brought = {"pip", "setuptools", "wheel"}
    assert {k: v for k, v in found.items() if k not in brought} == locked({})


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index with one package, `tiny`, and nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    build(folder, "first build")
    monkeypatch.setenv("DEVBRIDGE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    lock = tmp_path / "requirements.lock"
    digest = hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()
    lock.write_text(f"# what is to be installed\ntiny==1.0 \\\n    --hash=sha256:{digest}\n")
    monkeypatch.setattr(module, "LOCK", lock)
    return folder


WHEEL = "tiny-1.0-py3-none-any.whl"


def build(folder: Path, text: str) -> None:
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("tiny.py", f"TEXT = {text!r}\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def text_of(python: Path) -> str:
    command = [str(python), "-c", "import tiny; print(tiny.TEXT)"]
    return subprocess.check_output(command, text=True).strip()


def test_a_package_that_is_not_the_locked_file_is_refused_unless_it_is_asked_for(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(index, "built again")
    with pytest.raises(EmbeddedCloudFailed) as caught:
        install(Path(sys.executable), silent)
    assert caught.value.what.count("\n") == 0
    assert "its hash differs" in caught.value.what
    assert WHEEL in (caught.value.where or "")
    assert f"{module.UNHASHED}=1" in (caught.value.remedy or "")
    assert installed(MINOR) is None

    monkeypatch.setenv(module.UNHASHED, "1")
    assert text_of(install(Path(sys.executable), silent)) == "built again"
    monkeypatch.delenv(module.UNHASHED)
    assert installed(MINOR) is None


def test_the_locked_file_is_installed_whatever_pip_is_told_of_users(
    index: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nuser = true\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert text_of(install(Path(sys.executable), silent)) == "first build"
