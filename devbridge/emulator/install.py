"""The embedded cloud's own virtual environment, in the user's cache, shared by all apps.

ministack pins a botocore, and its functions can import whatever its environment has; so it gets
one of its own. It is complete when its marker is there; the marker is written last.

What is installed is in `requirements.lock`, every file by its hash, for all platforms and Pythons;
`devbridge.emulator.lock` makes it. An index that rebuilds packages has other files: see `UNHASHED`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import IO, Final

from devbridge import progress
from devbridge.environment import of_pip
from devbridge.errors import EmbeddedCloudFailed
from devbridge.folders import cache_dir, private_dir
from devbridge.interpreter import verify_interpreter
from devbridge.languages.python.pip import environment as pip_environment
from devbridge.languages.python.pip_progress import Collected

MINISTACK: Final = "1.5.33"
BOTO3: Final = "1.43.106"
"""Functions find boto3 as they do on AWS; this one goes with the botocore that ministack pins."""
LOCK: Final = Path(__file__).with_name("requirements.lock")
UNHASHED: Final = "DEVBRIDGE_CLOUD_UNHASHED"
"""Set to 1 where the package index rebuilds what it serves: the lock's versions are then installed
whatever their hashes are."""
_INTEL_MAC: Final = "sys_platform == 'darwin' and platform_machine == 'x86_64'"
REQUIREMENTS: Final = (
    f"ministack=={MINISTACK}",
    f"boto3=={BOTO3}",
    "cryptography>=43; sys_platform != 'darwin' or platform_machine != 'x86_64'",
    f"cryptography>=43,<49; {_INTEL_MAC}",
)
"""What the lock is made of. Without cryptography ministack refuses every token at a JWT
authorizer; from 49 on it has no wheels for Intel's Macs."""
_IMPORTS: Final = "import boto3, hypercorn.asyncio, ministack.app"

_PIP_WITH_PYTHON: Final = 23
"""``--python`` came with pip 22.3: https://pip.pypa.io/en/stable/news/#v22-3"""

_LOOK: Final = 0.2
"""Seconds between looks at what pip says."""
_TELL: Final = 5.0
"""Seconds between two lines that tell of it, where no terminal shows it."""

Progress = Callable[[str], None]


def environment_dir(minor: str) -> Path:
    """Where the environment for that Python (``3.11``) is, or would be."""
    key = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:8]
    return cache_dir() / f"ministack-{MINISTACK}-py{minor}-{key}{'-unhashed' * _unhashed()}"


def _unhashed() -> bool:
    return os.environ.get(UNHASHED, "") not in ("", "0")


def pinned() -> list[str]:
    """The lock's requirements without their hashes: ``six==1.17.0``, some with markers."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return [line.rstrip(" \\") for line in lines if line and line[0] not in "# "]


def installed(minor: str) -> Path | None:
    """The environment's interpreter if the installation was completed, without running it."""
    directory = environment_dir(minor)
    python = directory / "bin" / "python"
    return python if (directory / "complete").is_file() and os.access(python, os.X_OK) else None


def works(python: Path) -> bool:
    """Whether what the embedded cloud needs can be imported. Takes about a second."""
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", _IMPORTS],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def install(base: Path, on_progress: Progress, *, again: bool = False) -> Path:
    """The interpreter of an environment with the embedded cloud in it, made if it is not there.

    `base` is the Python that it is made with, so that functions run in the same version as the
    app's own code. Only one process installs at a time; others wait for it. `again` makes it anew
    unless it works.

    Raises:
        InterpreterError: `base` does not work.
        EmbeddedCloudFailed: pip or venv failed; the error has their last lines.
    """
    minor = verify_interpreter(base).minor
    if not again and (ready := installed(minor)):
        return ready
    directory = environment_dir(minor)
    private_dir(directory.parent)
    with _locked(directory.with_name(f"{directory.name}.lock"), on_progress):
        ready = installed(minor)
        if ready and (not again or works(ready)):
            return ready  # another process was faster
        _make(base, directory, on_progress)
    return directory / "bin" / "python"


@contextmanager
def _locked(path: Path, on_progress: Progress) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_progress("waiting for another devbridge that installs the embedded cloud")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(base: Path, directory: Path, on_progress: Progress) -> None:
    started = time.monotonic()
    on_progress(
        f"installing the embedded cloud (once): ministack {MINISTACK} and boto3 {BOTO3}"
        f" into {directory}"
    )
    try:
        if directory.exists():
            shutil.rmtree(directory)
        python = directory / "bin" / "python"
        pip = _make_environment(base, directory, python, on_progress, started)
        pip += ["install", "--no-user", "--no-deps", "--no-compile", "--only-binary=:all:"]
        if _unhashed():
            _run([*pip, *pinned()], on_progress, started)
        else:
            _run([*pip, "--require-hashes", "-r", str(LOCK)], on_progress, started)
        (directory / "complete").write_text("\n".join(pinned()) + "\n")
    except OSError as error:
        raise EmbeddedCloudFailed(
            f"the embedded cloud could not be installed: {error.strerror or error}",
            where=str(directory),
            remedy="make room there, or choose another place with DEVBRIDGE_CACHE_DIR",
        ) from error
    on_progress(f"installed the embedded cloud in {time.monotonic() - started:.1f} s")


def _make_environment(
    base: Path, directory: Path, python: Path, on_progress: Progress, started: float
) -> list[str]:
    """An empty environment, and the pip that installs into it: devbridge's own where it can."""
    venv = [str(base), "-m", "venv", str(directory)]
    if _pip_takes_python():
        _run([*venv, "--without-pip"], on_progress, started)
        return [sys.executable, "-m", "pip", "--python", str(python)]
    _run(venv, on_progress, started)  # copies a pip: some 3 s
    return [str(python), "-m", "pip"]


def _pip_takes_python() -> bool:
    """Whether devbridge's environment has a pip that installs into another one."""
    try:
        return int(metadata.version("pip").partition(".")[0]) >= _PIP_WITH_PYTHON
    except metadata.PackageNotFoundError:
        return False


def _run(command: list[str], on_progress: Progress, started: float) -> None:
    """Run to the end. A terminal shows how far it is; elsewhere it is told every five seconds."""
    packages = len(pinned()) if "install" in command else 0
    with (
        tempfile.TemporaryFile() as output,
        progress.task("install", "the embedded cloud", packages, "packages") as task,
    ):
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=pip_environment(command[:3], pinned=True)
            if "pip" in command[:3]
            else of_pip(os.environ),
        )
        try:
            code = _followed(process, output, Collected(task), on_progress, started)
        except BaseException:
            process.kill()
            process.wait()
            raise
        if code == 0:
            return
        lines = _last_lines(output, 12)
        if refused := _refused(_last_lines(output, 400)):
            raise refused
    venv = "venv" in command
    raise EmbeddedCloudFailed(
        "\n".join([f"the embedded cloud could not be installed (exit code {code}):", *lines]),
        where=" ".join(command),
        remedy="install Python's venv module (Debian: apt install python3-venv)"
        if venv
        else "check the network and pip's index settings (pip config list), then try again",
    )


def _followed(
    process: subprocess.Popen[bytes],
    output: IO[bytes],
    collected: Collected,
    on_progress: Progress,
    started: float,
) -> int:
    """The exit code of what writes to `output`."""
    read, told = 0, time.monotonic()
    while True:
        try:
            return process.wait(timeout=_LOOK)
        except subprocess.TimeoutExpired:
            pass
        whole, _, _ = os.pread(output.fileno(), 1 << 20, read).rpartition(b"\n")
        read += len(whole) + 1 if whole else 0
        for line in whole.decode(errors="replace").splitlines():
            collected.saw(line)
        if not progress.LINE.shows and (now := time.monotonic()) - told >= _TELL:
            told = now
            at = (_last_lines(output, 1) or [""])[0]
            on_progress(f"still installing ({now - started:.0f} s): {at[:60]}")


def _refused(lines: list[str]) -> EmbeddedCloudFailed | None:
    """The error for a file that is not the locked one, if pip says so."""
    if not any("DO NOT MATCH THE HASHES" in line for line in lines):
        return None
    # pip: `six==1.17.0 from https://host/six-1.17.0-py2.py3-none-any.whl (from -r lock (line 9)):`
    whose = [line.split(" (from")[0].strip() for line in lines if re.search(r"==\S+ from \S", line)]
    return EmbeddedCloudFailed(
        "a package is not the file that this devbridge was released with: its hash differs",
        where="; ".join(whose) or "the package index",
        remedy="do not use it, unless your package index rebuilds what it serves and you trust it:"
        f" then set {UNHASHED}=1",
    )


def _last_lines(output: IO[bytes], count: int) -> list[str]:
    size = os.fstat(output.fileno()).st_size
    length = min(size, 32768)
    # pread: the file's position is the child's too.
    text = os.pread(output.fileno(), length, size - length).decode(errors="replace")
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]
