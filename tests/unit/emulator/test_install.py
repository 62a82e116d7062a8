from __future__ import annotations

import fcntl
import re
import shutil
import sys
import threading
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest

from devbridge.emulator import install as module
from devbridge.emulator.install import (
    MINISTACK,
    environment_dir,
    install,
    installed,
)
from devbridge.errors import EmbeddedCloudFailed, InterpreterError

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEVBRIDGE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, cache: Path) -> list[list[str]]:
    """What would have been run; `python -m venv` leaves an interpreter behind."""
    ran: list[list[str]] = []

    def run(command: list[str], on_progress: object, started: float) -> None:
        ran.append(command)
        if "venv" in command:
            bin_ = Path(command[3]) / "bin"
            bin_.mkdir(parents=True)
            (bin_ / "python").symlink_to(sys.executable)

    monkeypatch.setattr(module, "_run", run)
    return ran


def silent(line: str) -> None:
    pass


def test_each_python_and_each_version_has_its_own_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = environment_dir("3.11")
    assert environment_dir("3.12") != first
    other = tmp_path / "requirements.lock"
    other.write_text(module.LOCK.read_text().replace("sha256:", "sha256:0", 1))
    monkeypatch.setattr(module, "LOCK", other)
    assert environment_dir("3.11") != first
    monkeypatch.undo()
    monkeypatch.setenv(module.UNHASHED, "1")
    assert environment_dir("3.11") != first


def test_it_is_installed_once_with_its_progress_told(
    commands: list[list[str]], cache: Path
) -> None:
    lines: list[str] = []
    python = install(Path(sys.executable), lines.append)
    assert python == installed(MINOR) == environment_dir(MINOR) / "bin/python"
    assert python.is_relative_to(cache)
    assert [command[1:3] for command in commands] == [["-m", "venv"], ["-m", "pip"]]
    assert commands[1][-3:] == ["--require-hashes", "-r", str(module.LOCK)]
    assert f"installing the embedded cloud (once): ministack {MINISTACK}" in lines[0]
    assert "installed the embedded cloud in" in lines[-1]
    lines.clear()
    assert install(Path(sys.executable), lines.append) == python
    assert (len(commands), lines) == (2, [])


def test_devbridge_s_own_pip_installs_it_if_it_can(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = environment_dir(MINOR)
    python = str(directory / "bin/python")
    own = [sys.executable, "-m", "pip", "--python", python, "install"]
    copied = [python, "-m", "pip", "install"]
    for version, bare, pip in (("25.1", True, own), ("22.2", False, copied), ("", False, copied)):
        monkeypatch.setattr(metadata, "version", partial(version_of, version))
        install(Path(sys.executable), silent)
        venv, installation = commands
        assert (venv[-1] == "--without-pip") is bare
        assert installation[: len(pip)] == pip
        shutil.rmtree(directory)
        commands.clear()


def version_of(version: str, distribution: str) -> str:
    if not version:
        raise metadata.PackageNotFoundError(distribution)
    return version


def test_an_installation_that_was_interrupted_is_made_again(commands: list[list[str]]) -> None:
    half = environment_dir(MINOR)
    (half / "bin").mkdir(parents=True)
    (half / "bin/left-over").touch()
    assert installed(MINOR) is None
    install(Path(sys.executable), silent)
    assert installed(MINOR)
    assert not (half / "bin/left-over").exists()


def test_an_environment_whose_interpreter_is_gone_is_made_again(
    commands: list[list[str]], tmp_path: Path
) -> None:
    python = install(Path(sys.executable), silent)
    python.unlink()
    python.symlink_to(tmp_path / "gone")
    assert installed(MINOR) is None
    install(Path(sys.executable), silent)
    assert len(commands) == 4


def test_asked_again_only_what_does_not_work_is_made_anew(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(Path(sys.executable), silent)
    monkeypatch.setattr(module, "works", lambda python: True)
    install(Path(sys.executable), silent, again=True)
    assert len(commands) == 2
    monkeypatch.setattr(module, "works", lambda python: False)
    install(Path(sys.executable), silent, again=True)
    assert len(commands) == 4


def test_two_at_once_install_once(commands: list[list[str]], cache: Path) -> None:
    cache.mkdir()
    directory = environment_dir(MINOR)
    lines: list[str] = []
    waiting = threading.Event()

    def progress(line: str) -> None:
        lines.append(line)
        waiting.set()

    second = threading.Thread(target=install, args=(Path(sys.executable), progress))
    with (cache / f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second.start()
        assert waiting.wait(20)
        module._make(Path(sys.executable), directory, silent)
    second.join(20)
    assert not second.is_alive()
    assert len(commands) == 2
    assert lines == ["waiting for another devbridge that installs the embedded cloud"]


def test_a_failing_pip_shows_its_last_lines(cache: Path, tmp_path: Path) -> None:
    pip = tmp_path / "pip"
    pip.write_text("#!/bin/sh\nseq 1 30\necho 'ERROR: no matching distribution' >&2\nexit 2\n")
    pip.chmod(0o755)
    with pytest.raises(EmbeddedCloudFailed) as caught:
        module._run([str(pip), "install"], silent, 0.0)
    assert "exit code 2" in caught.value.what
    assert caught.value.what.endswith("29\n30\nERROR: no matching distribution")
    assert "\n18\n" not in caught.value.what
    assert "pip config list" in str(caught.value.remedy)


def test_pip_gets_the_user_s_index_but_not_where_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    for name in ("PIP_TARGET", "PIP_USER", "PYTHONPATH", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "x")
    script = tmp_path / "env"
    script.write_text(f"#!/bin/sh\nenv > {tmp_path}/out\n")
    script.chmod(0o755)
    module._run([str(script)], silent, 0.0)
    names = {line.partition("=")[0] for line in (tmp_path / "out").read_text().splitlines()}
    assert "PIP_INDEX_URL" in names
    assert not names & {"PIP_TARGET", "PIP_USER", "PYTHONPATH", "VIRTUAL_ENV"}


def test_a_cache_that_cannot_be_written_is_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(command: list[str], on_progress: object, started: float) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_run", full)
    with pytest.raises(EmbeddedCloudFailed, match="No space left") as caught:
        install(Path(sys.executable), silent)
    assert "DEVBRIDGE_CACHE_DIR" in str(caught.value.remedy)
    assert installed(MINOR) is None


def test_a_broken_interpreter_is_told_before_anything_is_made(cache: Path) -> None:
    with pytest.raises(InterpreterError):
        install(Path("/nowhere/python"), silent)
    assert not cache.exists()


def test_an_environment_without_ministack_does_not_work() -> None:
    assert not module.works(Path(sys.executable))
    assert not module.works(Path("/nowhere/python"))


# --- the lock -------------------------------------------------------------------------------------


def test_every_locked_file_has_a_hash() -> None:
    blocks = re.split(r"\n(?=[a-z])", module.LOCK.read_text().split("lock\n", 1)[1])
    assert len(blocks) == len(module.pinned())
    assert all(re.search(r"\\\n +--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
