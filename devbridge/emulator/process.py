"""The embedded cloud's process: how it is started, with which environment, and how it is ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from devbridge.cloud import keys
from devbridge.config import Config
from devbridge.emulator import nodes, ports, state, users
from devbridge.emulator.inside import child
from devbridge.emulator.state import HOST, Running, healthy
from devbridge.environment import NOTHING_FOUND, of_network
from devbridge.errors import EmbeddedCloudFailed, PortTaken
from devbridge.folders import private_dir, private_file, write_private

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = child.STOP_SECONDS


def start(config: Config, python: Path, lock: int) -> tuple[Running, subprocess.Popen[bytes]]:
    """Start a cloud and wait until it answers. It inherits `lock`, and holds it while it lives.

    Raises:
        EmbeddedCloudFailed: it ended at once, or gave no answer within `START_SECONDS`.
        PortTaken: the port that was asked for is used by another process.
    """
    cloud_dir = config.cloud_dir
    port = choose_port(cloud_dir, config.port)
    shutil.rmtree(cloud_dir / "tmp", ignore_errors=True)  # of one that was killed
    for name in ("tmp", "state", "s3"):
        private_dir(cloud_dir / name)
    files = (
        state.state_file(cloud_dir),
        cloud_dir / users.FILE,
        cloud_dir / "tmp",
        keys.make(cloud_dir),
    )
    log_file = cloud_dir / "ministack.log"
    with suppress(OSError):  # what the one before has said in the end is not lost
        log_file.replace(cloud_dir / "ministack.log.1")
    with os.fdopen(private_file(log_file), "wb") as log:
        process = subprocess.Popen(
            [str(python), "-I", "-u", child.__file__, *map(str, files)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=cloud_dir,
            env=cloud_environment(os.environ, cloud_dir, port) | nodes.variable(config.python),
            start_new_session=True,  # Ctrl-C is for devbridge: only it stops the cloud
            pass_fds=(lock,),
        )
    try:
        _wait_until_healthy(process, port, cloud_dir)
        running = Running(port, process.pid, time.time(), code=state.code_of_inside())
        write_private(cloud_dir / "port", str(port))
        keys.remember(port, cloud_dir)
        state.write(cloud_dir, running)
    except BaseException:
        _kill(process)
        raise
    return running, process


def choose_port(cloud_dir: Path, asked: int | None) -> int:
    """The port asked for, or the last one if it is free, or a free one.

    Raises:
        PortTaken: the one asked for is not free.
    """
    if asked is not None:
        if ports.is_free(asked):
            return asked
        raise PortTaken(
            f"port {asked} is used by another process",
            where=f"{HOST}:{asked}",
            remedy=f"stop it (lsof -nP -iTCP:{asked} -sTCP:LISTEN shows which it is),"
            " or give another --port, or none for a free one",
        )
    with suppress(OSError, ValueError):
        last = int((cloud_dir / "port").read_text(encoding="utf-8"))
        if 0 < last < 65536 and ports.is_free(last):
            return last
    return ports.free_port()


def cloud_environment(environ: Mapping[str, str], cloud_dir: Path, port: int) -> dict[str, str]:
    """The whole environment of the cloud's process, which its functions inherit."""
    # For tests: how many seconds a minute of CodeBuild's timeouts has.
    minute = {
        key: environ[key]
        for key in ("DEVBRIDGE_CODEBUILD_MINUTE", "DEVBRIDGE_METRICS_SECONDS")
        if key in environ
    }
    return minute | {
        **of_network(environ),
        "PATH": environ.get("PATH", os.defpath),
        "HOME": environ.get("HOME", "/"),
        "LANG": environ.get("LANG", "C.UTF-8"),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,  # without it: all interfaces
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
            raise ended(cloud_dir, "the embedded cloud ended while it was starting")
        if time.monotonic() > deadline:
            raise ended(cloud_dir, f"the embedded cloud gave no answer in {START_SECONDS:g} s")
        time.sleep(0.02)


def ended(cloud_dir: Path, what: str) -> EmbeddedCloudFailed:
    """The error for a cloud that is not running any more, with the end of its log."""
    log = cloud_dir / "ministack.log"
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
    except OSError:
        lines = []
    return EmbeddedCloudFailed(
        "\n".join([what + (", after:" if lines else ""), *lines]),
        where=str(log),
        remedy="start it again; if it ends like this again, see the log; to start afresh (what was"
        f" deployed is lost), delete the folder {cloud_dir}",
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group, whether its leader is alive or not, and reap the leader."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def stop(
    cloud_dir: Path, pid: int, process: subprocess.Popen[bytes] | None, timeout: float
) -> bool:
    """Let it save its state and end, or kill it after `timeout` seconds; False: it was killed."""
    state.forget(cloud_dir)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)  # its functions, too: a request may wait for one
    deadline = time.monotonic() + timeout
    gone = False
    try:
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout)
                gone = True
        while process is None and not gone and time.monotonic() < deadline:
            gone = state.has_ended(cloud_dir)
            time.sleep(0 if gone else 0.02)
    finally:
        if process is not None:
            _kill(process)
        elif not gone:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(cloud_dir / "tmp", ignore_errors=True)
    return gone
