"""The embedded cloud: ministack as a child process on loopback, one for an app's folder.

In ``.devbridge/cloud``: ``lock`` and ``state.json`` (see `state`), ``users`` (see there), ``port``
(the last one, used again so that URLs stay), ``ministack.log`` and that of the start before,
``ministack.log.1``, and the directories of its data.

It lives as long as somebody uses it (`users`), whoever started it; or, once a command has said that
it shall stay (`start_detached`), until `stop_running` ends it.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from devbridge import progress
from devbridge.config import Config
from devbridge.emulator import process, state
from devbridge.emulator.install import Progress, install
from devbridge.emulator.process import START_SECONDS, STOP_SECONDS
from devbridge.emulator.state import Running
from devbridge.emulator.users import User, unused, users_of
from devbridge.errors import EmbeddedCloudFailed

_MOMENT = 1.0
"""Seconds for which a cloud that does not hang may have the lock itself."""


@dataclass(slots=True)
class EmbeddedCloud:
    """An embedded cloud in use: one that this process has started, or (not `owned`) another's."""

    running: Running
    cloud_dir: Path
    process: subprocess.Popen[bytes] | None = None
    user: User | None = None

    @property
    def owned(self) -> bool:
        """Whether this process has started it."""
        return self.process is not None

    def failure(self) -> EmbeddedCloudFailed | None:
        """Why the cloud is not running any more; None while it is."""
        if self.process is None:
            if not state.has_ended(self.cloud_dir):
                return None
            return process.ended(self.cloud_dir, "the embedded cloud was stopped, or has ended")
        if self.process.poll() is None:
            return None
        return process.ended(self.cloud_dir, "the embedded cloud has ended by itself")

    def stop(self, timeout: float = STOP_SECONDS) -> bool:
        """Use it no longer; the last user stops it, its functions, and deletes its temporary files.

        Returns False when it had to be killed after `timeout` seconds, and so lost its state.
        Interrupted while it waits, it kills at once. Idempotent.
        """
        user, self.user = self.user, None
        own, self.process = self.process, None
        if user is None:
            return True
        try:
            if not user.is_last() or state.stays(self.cloud_dir, self.running.pid):
                return True
            with progress.task("stop", "the embedded cloud"):
                return process.stop(self.cloud_dir, self.running.pid, own, timeout)
        finally:
            user.leave()

    def stay(self) -> None:
        """Let it run on when nobody uses it, until `stop_running`."""
        self.running = replace(self.running, detached=True)
        state.write(self.cloud_dir, self.running)


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
            if user and (lock := state.try_lock(config.cloud_dir, fcntl.LOCK_EX)) is not None:
                return _start_or_repair(config, python, lock, user, on_progress)
            if user and (running := state.attach(config)):
                _check_code(running, config)
                on_progress(f"using the embedded cloud that runs on port {running.port}")
                return EmbeddedCloud(running, config.cloud_dir, user=user)
            if time.monotonic() > deadline:
                raise EmbeddedCloudFailed(
                    "the embedded cloud of this folder is running but does not answer",
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
            running, own = _start(config, python, lock)
        except EmbeddedCloudFailed:
            # Not asked before every start: it takes as long as the start itself.
            python = install(config.python, on_progress, again=True)
            running, own = _start(config, python, lock)
    finally:
        os.close(lock)  # the cloud's process has it now
    return EmbeddedCloud(running, config.cloud_dir, own, user)


def _start(config: Config, python: Path, lock: int) -> tuple[Running, subprocess.Popen[bytes]]:
    with progress.task("start", "the embedded cloud"):
        return process.start(config, python, lock)


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
    if state.has_ended(config.cloud_dir) or (running := state.read(config.cloud_dir)) is None:
        return False
    lock = _unused(config.cloud_dir, running)
    try:
        if not process.stop(config.cloud_dir, running.pid, None, timeout):
            raise EmbeddedCloudFailed(
                f"the embedded cloud did not stop within {timeout:g} s and was killed:"
                " what was deployed since it started is lost",
                where=str(config.cloud_dir),
                remedy="start it again, and deploy again",
            )
    finally:
        if lock is not None:
            os.close(lock)
    return True


def _unused(cloud_dir: Path, running: Running) -> int | None:
    """See `users.unused`. None: the cloud itself has the lock, as it does for a moment when its
    last user has left; it hangs.

    Raises:
        EmbeddedCloudFailed: somebody uses it.
    """
    until = time.monotonic() + _MOMENT
    while (lock := unused(cloud_dir)) is None and time.monotonic() < until:
        if users := users_of(cloud_dir):
            raise EmbeddedCloudFailed(
                "the embedded cloud is in use",
                where=f"{running.endpoint_url}, used by {'; '.join(users)}",
                remedy="end what uses it first: press Ctrl-C where `devbridge dev` runs",
            )
        time.sleep(0.02)
    return lock


def _check_code(running: Running, config: Config) -> None:
    if running.code != state.code_of_inside():
        raise EmbeddedCloudFailed(
            "the embedded cloud that runs was started by another version of devbridge",
            where=f"{config.cloud_dir}, process {running.pid}",
            remedy="stop it: end the `devbridge dev` that started it, or `devbridge cloud stop`;"
            " what is deployed stays",
        )
