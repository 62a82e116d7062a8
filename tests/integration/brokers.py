"""Real brokers for tests, each on a free port with its own directory."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devbridge.emulator.install import install
from devbridge.emulator.ports import free_port

HOST = "a1b2c3-ats.iot.us-east-1.amazonaws.com"
_DEADLINE = 20.0


@dataclass
class Broker:
    """A running broker: its process, and the port of its WebSocket listener."""

    name: str
    process: subprocess.Popen[bytes]
    port: int

    def kill(self) -> None:
        """End it at once, without a goodbye to its clients."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it in good order, and at once when it takes too long."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


def mosquitto_executable() -> str | None:
    """Where mosquitto is; Debian has it in a directory that is not in every PATH."""
    return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def ministack_python() -> Path:
    """The interpreter of the embedded cloud's own environment; makes it the first time."""
    return install(Path(sys.executable), lambda line: None)


def _wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise RuntimeError(f"no broker on port {port}: {log.read_text(errors='replace')[-2000:]}")


def start_mosquitto(directory: Path, *, port: int | None = None, extra: str = "") -> Broker:
    """mosquitto with a WebSocket listener on `port`; `extra` lines go into its configuration."""
    executable = mosquitto_executable()
    assert executable is not None
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    config = directory / "mosquitto.conf"
    config.write_text(
        # mosquitto 2.0.11 does not start with WebSocket listeners alone.
        f"listener {free_port()} 127.0.0.1\n"
        f"listener {port} 127.0.0.1\nprotocol websockets\nset_tcp_nodelay true\n"
        f"{'' if 'allow_anonymous' in extra else 'allow_anonymous true'}\n"
        f"max_queued_messages 100000\nmax_inflight_messages 100\n{extra}\n"
    )
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [executable, "-c", str(config)], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_for_port(process, port, log)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Broker("mosquitto", process, port)


def start_ministack(directory: Path, *, port: int | None = None) -> Broker:
    """The embedded cloud, with an environment of its own."""
    python = ministack_python()
    for name in ("state", "tmp", "s3"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "localhost",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "IOT_RETRANSMIT_SECONDS": "1",
        "AUTH": "true",
        "STATE_DIR": str(directory / "state"),
        "TMPDIR": str(directory / "tmp"),
        "S3_DATA_DIR": str(directory / "s3"),
    }
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(python), "-m", "ministack"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=directory,
        )
    try:
        _wait_for_port(process, port, log)
        _wait_until_healthy(port)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Broker("ministack", process, port)


def _wait_until_healthy(port: int) -> None:
    deadline = time.monotonic() + _DEADLINE
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@contextlib.contextmanager
def running(broker: Broker) -> Iterator[Broker]:
    """Stops the broker at the end."""
    try:
        yield broker
    finally:
        broker.stop()


class Proxy:
    """A TCP proxy in front of a broker, whose connections can be stalled or cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._stalled: set[socket.socket] = set()
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", free_port()))
        self.port = int(self._server.getsockname()[1])
        self._run(self._accept)

    def stall(self) -> None:
        """From now on, what the connections of now are sent is lost, without a sign of it."""
        self._stalled |= {each for pair in self._pairs for each in pair}

    def cut(self) -> None:
        """Reset all connections of now."""
        for pair in self._pairs:
            for each in pair:
                with contextlib.suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    each.shutdown(socket.SHUT_RD)
                each.close()
        self._pairs.clear()

    def close(self) -> None:
        """Stop listening, end all connections and threads."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def _run(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._target), 5)
                far.settimeout(None)
                for each in (near, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pairs.append((near, far))
                self.connections += 1
                self._run(self._pump, near, far)
                self._run(self._pump, far, near)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source not in self._stalled:
                    sink.sendall(data)
        if source not in self._stalled:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)


STARTS: dict[str, Callable[..., Broker]] = {
    "mosquitto": start_mosquitto,
    "ministack": start_ministack,
}
needs_mosquitto = pytest.mark.skipif(mosquitto_executable() is None, reason="no mosquitto here")
BOTH = [pytest.param("mosquitto", marks=needs_mosquitto), "ministack"]
"""What a fixture or a test is parametrized with to see both brokers."""
