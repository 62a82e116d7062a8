"""Distributions and wheels of a test's own, and an interpreter to install them into."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

MakePackage = Callable[..., None]
MakeWheel = Callable[..., Path]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter in an environment of its own, with nothing installed."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python"


@pytest.fixture
def install(python: Path) -> MakePackage:
    """Install a distribution into that environment, without an index."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = python.parent.parent / "lib" / version / "site-packages"

    def make(name: str, files: Mapping[str, str], *, requires: tuple[str, ...] = ()) -> None:
        info = f"{name.replace('-', '_')}-1.0.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        metadata += "".join(f"Requires-Dist: {r}\n" for r in requires)
        everything = {**files, f"{info}/METADATA": metadata, f"{info}/INSTALLER": "hand"}
        record = "".join(f"{path},,\n" for path in [*everything, f"{info}/RECORD"])
        for path, text in {**everything, f"{info}/RECORD": record}.items():
            target = site / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    return make


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeWheel:
    """Make a wheel in a folder that is the only index that pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def make(
        name: str,
        files: Mapping[str, str],
        *,
        tag: str = "py3-none-any",
        version: str = "1.0",
        requires: tuple[str, ...] = (),
    ) -> Path:
        path = folder / f"{name}-{version}-{tag}.whl"
        info = f"{name}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += "".join(f"Requires-Dist: {r}\n" for r in requires)
        everything = {
            **files,
            f"{info}/METADATA": metadata,
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n",
        }
        record = "".join(f"{file},,\n" for file in [*everything, f"{info}/RECORD"])
        with zipfile.ZipFile(path, "w") as archive:
            for file, text in {**everything, f"{info}/RECORD": record}.items():
                archive.writestr(file, text)
        return path

    return make
