"""The embedded cloud: ministack as a child process on loopback, one for an app's folder.

In ``.devbridge/cloud``: ``lock`` (held by the cloud's process as long as it lives: who can take it
knows that none runs), ``state.json`` (where it answers, for other commands), ``port`` (the last
one, used again so that URLs stay), ``ministack.log``, and the directories of its data.

It lives as long as somebody uses it (`users`), whoever started it; or, once a command has said that
it shall stay (`start_detached`), until `stop_running` ends it.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from devbridge.cloud import keys
from devbridge.config import Config
from devbridge.emulator import ports
from devbridge.emulator.inside import child
from devbridge.emulator.install import Progress, install
from devbridge.emulator.users import User, unused, users_of
from devbridge.environment import NOTHING_FOUND
from devbridge.errors import EmbeddedCloudFailed, PortTaken
from devbridge.folders import private_dir, private_file, write_private

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = child.STOP_SECONDS
HEALTH: Final = "/_devbridge/health"
"""`inside.gate.doors`'s."""
_HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Running:
    """An embedded cloud that answers, whoever started it."""

    port: int
    pid: int
    started_at: float
    """Seconds since the epoch."""
    detached: bool = False
    """Whether it stays until it is stopped (`stop_running`), or ends with its last user."""
    code: str = ""
    """Which code of devbridge runs in it: see `_code`."""

    @property
    def endpoint_url(self) -> str:
        return f"http://{_HOST}:{self.port}"


@dataclass(slots=True)
class EmbeddedCloud:
    """An embedded cloud in use: one that this process has started, or (not `owned`) another's."""

    running: Running
    cloud_dir: Path
    process: subprocess.Popen[bytes] | None = None
    user: User | None = None

    @property
    def owned(self) -> bool:
        return self.process is not None

    def failure(self) -> EmbeddedCloudFailed | None:
        """Why the cloud is not running any more; None while it is."""
        if self.process is None:
            if not _ended_meanwhile(self.cloud_dir):
                return None
            return _ended(self.cloud_dir, "the embedded cloud was stopped, or has ended")
        if self.process.poll() is None:
            return None
        return _ended(self.cloud_dir, "the embedded cloud has ended by itself")

    def stop(self, timeout: float = STOP_SECONDS) -> bool:
        """Use it no longer; the last user stops it, its functions, and deletes its temporary files.

        Returns False when it had to be killed after `timeout` seconds, and so lost its state.
        Interrupted while it waits, it kills at once. Idempotent.
        """
        user, self.user = self.user, None
        process, self.process = self.process, None
        if user is None:
            return True
        try:
            if not user.is_last() or _stays(self.cloud_dir, self.running.pid):
                return True
            return _stop(self.cloud_dir, self.running.pid, process, timeout)
        finally:
            user.leave()

    def stay(self) -> None:
        """Let it run on when nobody uses it, until `stop_running`."""
        self.running = replace(self.running, detached=True)
        _write_state(self.cloud_dir, self.running)


def attach(config: Config) -> Running | None:
    """The embedded cloud of this app's folder if one runs and answers. Removes a stale state."""
    running = _state(config.cloud_dir)
    if running is None:
        return None
    lock = _lock(config.cloud_dir, fcntl.LOCK_SH)
    if lock is not None:
        (config.cloud_dir / "state.json").unlink(missing_ok=True)
        os.close(lock)
        return None
    return running if healthy(running.port) else None


def healthy(port: int, timeout: float = 2.0) -> bool:
    """Whether an embedded cloud answers on that port within `timeout` seconds."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=timeout)
    try:
        connection.request("GET", HEALTH)
        response = connection.getresponse()
        return response.status == 200 and json.load(response) == {"status": "ok"}
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def embedded_cloud(
    config: Config, on_progress: Progress, command: str = "devbridge"
) -> Iterator[EmbeddedCloud]:
    """Use the embedded cloud of this folder: the running one, or one that is started.

    Raises:
        as `open_cloud`.
    """
    cloud = open_cloud(config, on_progress, command)
    try:
        yield cloud
    finally:
        if not cloud.stop():
            on_progress(
                f"the embedded cloud did not stop within {STOP_SECONDS:g} s and was killed:"
                " what was deployed since it started is lost"
            )
        elif others := users_of(config.cloud_dir):
            on_progress(f"the embedded cloud goes on for {'; '.join(others)}")


def open_cloud(config: Config, on_progress: Progress, command: str = "devbridge") -> EmbeddedCloud:
    """Attach to the running embedded cloud of this folder, or install (once) and start one.

    It is used until `EmbeddedCloud.stop`, or the end of this process, however that ends.

    Args:
        command: how others are told who uses it.

    Raises:
        EmbeddedCloudFailed: it could not be installed, or ended at once, or did not answer.
        PortTaken: the port that was asked for is used by another process.
        InterpreterError: the app's interpreter does not work.
    """
    config.make_dirs()
    python = install(config.python, on_progress)
    who = f"{command} of stage {config.stage}"
    deadline = time.monotonic() + START_SECONDS
    user: User | None = None
    try:
        while True:
            # Before the lock: a cloud that is started has a user. While one stops, nobody joins.
            user = user or User.join(config.cloud_dir, who)
            if user and (lock := _lock(config.cloud_dir, fcntl.LOCK_EX)) is not None:
                return _start_or_repair(config, python, lock, user, on_progress)
            if user and (running := attach(config)):
                _check_code(running, config)
                on_progress(f"using the embedded cloud that runs on port {running.port}")
                return EmbeddedCloud(running, config.cloud_dir, user=user)
            if time.monotonic() > deadline:
                raise EmbeddedCloudFailed(
                    "an embedded cloud of this folder runs but does not answer",
                    where=str(config.cloud_dir),
                    remedy="end the devbridge that started it, then try again",
                )
            time.sleep(0.05)
    except BaseException:
        if user:
            user.leave()
        raise


def _start_or_repair(
    config: Config, python: Path, lock: int, user: User, on_progress: Progress
) -> EmbeddedCloud:
    try:
        try:
            started = _start(config, python, lock)
        except EmbeddedCloudFailed:
            # Not asked before every start: it takes as long as the start itself.
            python = install(config.python, on_progress, again=True)
            started = _start(config, python, lock)
    finally:
        os.close(lock)  # the cloud's process has it now
    started.user = user
    return started


def start_detached(config: Config, on_progress: Progress) -> Running:
    """The running embedded cloud of this folder, or a new one; it stays after this process.

    Raises:
        as `open_cloud`.
    """
    cloud = open_cloud(config, on_progress, "devbridge cloud start")
    cloud.stay()
    cloud.stop()
    return cloud.running


def stop_running(config: Config, timeout: float = STOP_SECONDS) -> bool:
    """Stop the cloud of this folder, its state saved; False when none runs.

    Raises:
        EmbeddedCloudFailed: a command that still runs uses it, or it had to be killed after
            `timeout` seconds, and so lost its state.
    """
    if _ended_meanwhile(config.cloud_dir) or (running := _state(config.cloud_dir)) is None:
        return False
    if (lock := unused(config.cloud_dir)) is None:
        raise EmbeddedCloudFailed(
            "the embedded cloud is in use",
            where=f"{running.endpoint_url}, used by "
            + ("; ".join(users_of(config.cloud_dir)) or "another command"),
            remedy="end what uses it first: press Ctrl-C where `devbridge dev` runs",
        )
    try:
        if not _stop(config.cloud_dir, running.pid, None, timeout):
            raise EmbeddedCloudFailed(
                f"the embedded cloud did not stop within {timeout:g} s and was killed:"
                " what was deployed since it started is lost",
                where=str(config.cloud_dir),
                remedy="start it again, and deploy again",
            )
    finally:
        os.close(lock)
    return True


def _stays(cloud_dir: Path, pid: int) -> bool:
    state = _state(cloud_dir)
    return state is not None and state.detached and state.pid == pid


def _stop(
    cloud_dir: Path, pid: int, process: subprocess.Popen[bytes] | None, timeout: float
) -> bool:
    """Let it save its state and end, or kill it after `timeout` seconds; False: it was killed."""
    # Nobody shall attach to a cloud that is stopping.
    (cloud_dir / "state.json").unlink(missing_ok=True)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)  # its functions, too: a request may wait for one
    deadline = time.monotonic() + timeout
    ended = False
    try:
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout)
                ended = True
        while process is None and not ended and time.monotonic() < deadline:
            ended = _ended_meanwhile(cloud_dir)
            time.sleep(0 if ended else 0.02)
    finally:
        if process is not None:
            _kill(process)
        elif not ended:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(cloud_dir / "tmp", ignore_errors=True)
    return ended


def _state(cloud_dir: Path) -> Running | None:
    """What the state file says, true or not."""
    try:
        state = json.loads((cloud_dir / "state.json").read_text(encoding="utf-8"))
        return Running(**state)
    except (OSError, ValueError, TypeError):
        return None


def _ended_meanwhile(cloud_dir: Path) -> bool:
    """Whether no cloud has the lock. A folder that never had one has none."""
    if not (cloud_dir / "lock").exists():
        return True
    lock = _lock(cloud_dir, fcntl.LOCK_SH)
    if lock is not None:
        os.close(lock)
    return lock is not None


def _lock(cloud_dir: Path, kind: int) -> int | None:
    lock = os.open(cloud_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _start(config: Config, python: Path, lock: int) -> EmbeddedCloud:
    cloud_dir = config.cloud_dir
    port = choose_port(cloud_dir, config.port)
    shutil.rmtree(cloud_dir / "tmp", ignore_errors=True)  # of one that was killed
    for name in ("tmp", "state", "s3"):
        private_dir(cloud_dir / name)
    files = (cloud_dir / "state.json", cloud_dir / "users", cloud_dir / "tmp", keys.make(cloud_dir))
    with os.fdopen(private_file(cloud_dir / "ministack.log"), "wb") as log:
        process = subprocess.Popen(
            [str(python), "-I", "-u", child.__file__, *map(str, files)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=cloud_dir,
            env=cloud_environment(os.environ, cloud_dir, port),
            start_new_session=True,  # Ctrl-C is for devbridge: only it stops the cloud
            pass_fds=(lock,),
        )
    try:
        _wait_until_healthy(process, port, cloud_dir)
        running = Running(port, process.pid, time.time(), code=_code())
        write_private(cloud_dir / "port", str(port))
        keys.remember(port, cloud_dir)
        _write_state(cloud_dir, running)
    except BaseException:
        _kill(process)
        raise
    return EmbeddedCloud(running, cloud_dir, process)


def choose_port(cloud_dir: Path, asked: int | None) -> int:
    """The port asked for, or the last one if it is free, or a free one.

    Raises:
        PortTaken: the one asked for is not free.
    """
    if asked is not None:
        if ports.is_free(asked):
            return asked
        who = ports.listener(asked)
        raise PortTaken(
            f"port {asked} is used by {who or 'another process'}",
            where=f"{_HOST}:{asked}",
            remedy="stop it, or give another --port, or none for a free one",
        )
    with suppress(OSError, ValueError):
        last = int((cloud_dir / "port").read_text(encoding="utf-8"))
        if 0 < last < 65536 and ports.is_free(last):
            return last
    return ports.free_port()


def cloud_environment(environ: Mapping[str, str], cloud_dir: Path, port: int) -> dict[str, str]:
    """The whole environment of the cloud's process, which its functions inherit."""
    # For tests: how many seconds a minute of CodeBuild's timeouts has.
    minute = {key: environ[key] for key in ("DEVBRIDGE_CODEBUILD_MINUTE",) if key in environ}
    return minute | {
        "PATH": environ.get("PATH", os.defpath),
        "HOME": environ.get("HOME", "/"),
        "LANG": environ.get("LANG", "C.UTF-8"),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": _HOST,  # without it: all interfaces
        "MINISTACK_HOST": "localhost",
        "IOT_MTLS_ENABLED": "0",  # without it: 0.0.0.0:8883
        "SFTP_ENABLED": "0",
        # Seconds after which a request that an ended daemon had not acknowledged comes again.
        "IOT_RETRANSMIT_SECONDS": "5",
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "S3_PERSIST": "1",
        "STATE_DIR": str(cloud_dir / "state"),
        "S3_DATA_DIR": str(cloud_dir / "s3"),
        "TMPDIR": str(cloud_dir / "tmp"),
        # A function has its role, never what it finds in the developer's home.
        **NOTHING_FOUND,
    }


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, cloud_dir: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not healthy(port) or process.poll() is not None:
        if process.poll() is not None:
            raise _ended(cloud_dir, "the embedded cloud ended while it was starting")
        if time.monotonic() > deadline:
            raise _ended(cloud_dir, f"the embedded cloud gave no answer in {START_SECONDS:g} s")
        time.sleep(0.02)


def _ended(cloud_dir: Path, what: str) -> EmbeddedCloudFailed:
    log = cloud_dir / "ministack.log"
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
    except OSError:
        lines = []
    return EmbeddedCloudFailed(
        "\n".join([what + (", after:" if lines else ""), *lines]),
        where=str(log),
        remedy="start it again; if that ends like this, too, see the log; to start afresh (what was"
        f" deployed is lost), delete the folder {cloud_dir}",
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group, whether its leader is alive or not, and reap the leader."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _check_code(running: Running, config: Config) -> None:
    if running.code != _code():
        raise EmbeddedCloudFailed(
            "the embedded cloud that runs was started by another version of devbridge",
            where=f"{config.cloud_dir}, process {running.pid}",
            remedy="stop it: end the `devbridge dev` that started it, or `devbridge cloud stop`;"
            " what is deployed stays",
        )


def _code() -> str:
    """The same for the same code of what runs inside of ministack's process."""
    digest = hashlib.sha256()
    folder = Path(child.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _write_state(cloud_dir: Path, running: Running) -> None:
    write_private(cloud_dir / "state.json", json.dumps(asdict(running)))
