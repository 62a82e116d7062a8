"""What the measures share: an app to write, a process to watch, stamps from handlers, a client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from benchmarks.daemon import HOST, READY, REGION, TOPICS, Setup
from devbridge.protocol import codec
from devbridge.protocol.messages import Run
from devbridge.protocol.session import frames
from devbridge.transport.base import Delivery, Endpoint
from devbridge.transport.mqtt import MqttTransport
from tests.settings import is_personal

DEADLINE: Final = 120.0
"""Seconds after which a measure that waits has failed."""
REPOSITORY: Final = Path(__file__).parents[1]
_CHUNK: Final = 64 * 1024
_OVERLAP: Final = 256


Callback = Callable[[], None]


class Failed(Exception):
    """A measure could not be made."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a measure is given."""

    quick: bool
    scratch: Path
    """A directory of its own, short enough for the path of a socket."""

    def times(self, full: int, quick: int) -> int:
        """How often to measure."""
        return quick if self.quick else full


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A temporary directory; its path is short."""
    with tempfile.TemporaryDirectory(prefix="dbb-") as name:
        yield Path(name)


# --- stamps from handlers -----------------------------------------------------------------------

_STAMP: Final = """\
import os, socket, time
_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
_socket.connect({path!r})
def stamp(what, now):
    _socket.send(b"%s %d" % (what.encode(), now))
"""
LOADED: Final = 'stamp("loaded", time.time_ns())\n'
PLAIN: Final = (
    "def handler(payload):\n    now = time.time_ns()\n    stamp(f'run {payload}', now)\n" + LOADED
)
SDK: Final = "import boto3\nclient = boto3.client('dynamodb', region_name='us-east-1')\n" + PLAIN

_TYPESCRIPT_STAMP: Final = """\
import {{ openSync, writeSync }} from "node:fs";
const stamps = openSync({path}, "r+");
const now = (): bigint => process.hrtime.bigint();
const stamp = (what: string, when: bigint): void =>
  void writeSync(stamps, `${{what}} ${{when}}\\n`);
"""
TYPESCRIPT: Final = """\
export async function handler(payload: unknown) {
  const when = now();
  stamp(`run ${payload}`, when);
}
stamp("loaded", now());
"""
TYPESCRIPT_SDK: Final = f"""\
import {{ DynamoDBClient }} from "@aws-sdk/client-dynamodb";
export const client = new DynamoDBClient({{ region: "us-east-1" }});
{TYPESCRIPT}"""
SDK_PACKAGES: Final = {"@aws-sdk/client-dynamodb": "3.1169.0"}


class Stamps:
    """Receives what handlers send: a word and a time, in nanoseconds since the epoch.

    `source` is what a handler's file has to begin with, `typescript` one in that language. Node has
    no datagram sockets of that kind, and writes lines into a pipe.
    """

    def __init__(self, path: Path) -> None:
        self.source: Final = _STAMP.format(path=str(path))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        pipe = path.with_name(f"{path.name}.pipe")
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        self.typescript: Final = _TYPESCRIPT_STAMP.format(path=json.dumps(str(pipe)))
        self._pipe = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self._queues: dict[str, asyncio.Queue[int]] = {}
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, self._receive)
        loop.add_reader(self._pipe, self._read)

    async def next(self, what: str) -> int:
        """The time of the next stamp of this name, which may have come already."""
        return await asyncio.wait_for(self._queue(what).get(), DEADLINE)

    def forget(self, what: str) -> None:
        """Drop the stamps of this name that have come."""
        self._queues.pop(what, None)

    def left(self, what: str) -> int:
        """How many stamps of this name have come that nobody has asked for."""
        return self._queue(what).qsize()

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        loop.remove_reader(self._pipe)
        self._socket.close()
        os.close(self._pipe)

    def _queue(self, what: str) -> asyncio.Queue[int]:
        return self._queues.setdefault(what, asyncio.Queue())

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                what, _, when = self._socket.recv(4096).decode().rpartition(" ")
                self._queue(what).put_nowait(int(when))

    def _read(self) -> None:
        # Less than PIPE_BUF: whole lines come. Node's clock is the monotonic one.
        ahead = time.time_ns() - time.monotonic_ns()
        for line in os.read(self._pipe, 1 << 16).decode().splitlines():
            what, _, when = line.rpartition(" ")
            self._queue(what).put_nowait(int(when) + ahead)


@contextlib.contextmanager
def stamps(bench: Bench) -> Iterator[Stamps]:
    """A `Stamps` that is closed at the end."""
    receiver = Stamps(bench.scratch / "stamps")
    try:
        yield receiver
    finally:
        receiver.close()


# --- processes ----------------------------------------------------------------------------------


class Watched:
    """A process whose output is drained in chunks of 64 KiB, as a fast terminal would do."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path = REPOSITORY,
        env: Mapping[str, str] | None = None,
    ) -> None:
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb"):
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                cwd=cwd,
                env=clean_environment() if env is None else env,
                start_new_session=True,
            )
        self._reader = reader
        self._tail = b""
        self._head = b""
        self._expected: list[deque[tuple[bytes, asyncio.Future[int]]]] = []
        self._loop = asyncio.get_running_loop()
        self.received = 0
        self._thread = threading.Thread(target=self._drain, name="drain", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def head(self) -> str:
        """The beginning of the output, for what it says before the measuring begins."""
        return self._head.decode("utf-8", "replace")

    def expecting(self, text: bytes) -> asyncio.Future[int]:
        """Look for a text in the output from now on; the result is when it came."""
        return self.expecting_in_turn(text)[0]

    def expecting_in_turn(self, *texts: bytes) -> list[asyncio.Future[int]]:
        """The same for several that come one after the other. Of much output only the next one
        is looked for: that takes as long as reading it, and the daemon has to wait for it."""
        self._tail = b""
        found = [self._loop.create_future() for _ in texts]
        self._expected.append(deque(zip(texts, found, strict=True)))
        return found

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Signal it, wait for its end, and kill what is left of it."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        await self._ended()

    async def interrupt(self) -> None:
        """Ctrl-C: SIGINT to its whole group, as a terminal does; wait until all of it is gone."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGINT)
        await asyncio.to_thread(self._thread.join, DEADLINE)
        await self._ended()

    async def _ended(self) -> None:
        try:
            await asyncio.to_thread(self._process.wait, 20)
        except subprocess.TimeoutExpired:
            self.kill()
        self._thread.join(5)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _drain(self) -> None:
        """In a thread: nothing reads a pipe faster."""
        while data := os.read(self._reader, _CHUNK):
            self.received += len(data)
            if len(self._head) < _CHUNK:
                self._head += data
            if self._expected:
                self._look(data)
        os.close(self._reader)
        for text, found in chain.from_iterable(self._expected):
            self._tell(found, Failed(f"it ended before it said {text!r}: {self.head}"))

    def _look(self, data: bytes) -> None:
        window = self._tail + data
        self._tail = window[-_OVERLAP:]
        for turns in list(self._expected):
            while turns and turns[0][0] in window:
                self._tell(turns.popleft()[1], time.time_ns())
            if not turns:
                self._expected.remove(turns)

    def _tell(self, found: asyncio.Future[int], outcome: int | Failed) -> None:
        def tell() -> None:
            if found.done():
                return
            if isinstance(outcome, Failed):
                found.set_exception(outcome)
            else:
                found.set_result(outcome)

        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits
            self._loop.call_soon_threadsafe(tell)


def now() -> int:
    """Nanoseconds since the epoch: a clock that all processes share."""
    return time.time_ns()


async def soon(found: asyncio.Future[int]) -> int:
    """Wait for an expected text, at most `DEADLINE` seconds."""
    return await asyncio.wait_for(found, DEADLINE)


def clean_environment() -> dict[str, str]:
    """This process's environment without any AWS or devbridge setting of its user."""
    return {name: value for name, value in os.environ.items() if not is_personal(name)}


def run(
    command: Sequence[str], *, cwd: Path = REPOSITORY, env: Mapping[str, str] | None = None
) -> str:
    """Run a command to its end; what it has printed.

    Raises:
        Failed: its exit code is not 0, or it takes longer than `DEADLINE` seconds.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=clean_environment() if env is None else env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(str(error)) from error
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {done.stdout}")
    return done.stdout


@contextlib.asynccontextmanager
async def watched(command: Sequence[str], ready: bytes, *, cwd: Path) -> AsyncIterator[Watched]:
    """A process that has said that it is ready."""
    process = Watched(command, cwd=cwd)
    try:
        await soon(process.expecting(ready))
        yield process
    finally:
        await process.stop()


def start(setup: Setup) -> Watched:
    """The daemon under test, just started; to be stopped."""
    return Watched([sys.executable, "-m", "benchmarks.daemon", setup.dump()])


@contextlib.asynccontextmanager
async def daemon(setup: Setup) -> AsyncIterator[Watched]:
    """The daemon under test, ready for requests."""
    process = start(setup)
    try:
        await soon(process.expecting(READY))
        yield process
    finally:
        await process.stop()


@contextlib.asynccontextmanager
async def dev(app: Path, *options: str) -> AsyncIterator[Watched]:
    """`devbridge dev --local` in an app's folder, ready for requests."""
    command = [sys.executable, "-m", "devbridge", "dev", "--local", "--stage", "bench", *options]
    process = Watched(command, cwd=app)
    try:
        await soon(process.expecting(b"Try:\n"))
        yield process
    finally:
        await process.stop(signal.SIGINT)


def write(root: Path, files: Mapping[str, str]) -> None:
    """Save files as editors do: written aside, then renamed."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)


# --- a client of the bridge ---------------------------------------------------------------------


class Client:
    """A stub as the daemon sees it, and a bare publisher of the same kind, on one connection."""

    def __init__(self, port: int) -> None:
        self._stub_id = codec.new_id()
        endpoint = Endpoint(HOST, REGION, ("127.0.0.1", port))
        self._echo = f"{TOPICS.prefix}/bench/{self._stub_id}"
        self._transport = MqttTransport(
            endpoint,
            TOPICS.stub_client_id(self._stub_id),
            lambda: None,
            clean=True,
            session_expiry=0,
        )
        self.on_echo: Callback = lambda: None
        self.on_accepted: Callback = lambda: None

    async def connect(self) -> None:
        await self._transport.connect(
            subscriptions=[self._echo, TOPICS.replies(self._stub_id)], on_delivery=self._delivered
        )

    async def close(self) -> None:
        await self._transport.close()

    def run(self, job: str, payload: object) -> list[bytes]:
        """The frames of a request to run a job."""
        return frames(
            Run(
                request_id=codec.new_id(),
                stub_id=self._stub_id,
                sent_at=time.time(),
                job=job,
                job_id=codec.new_id(),
                payload=codec.dump_json(payload),
            )
        )

    def request(self, published: Sequence[bytes]) -> None:
        """Publish to the daemon."""
        for frame in published:
            self._transport.publish(TOPICS.requests, frame)

    def echo(self, published: Sequence[bytes]) -> None:
        """Publish to ourselves."""
        for frame in published:
            self._transport.publish(self._echo, frame)

    async def round_trip(self, published: Sequence[bytes]) -> float:
        """Seconds from publishing with QoS 1 to the message's return."""
        back: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.on_echo = lambda: back.set_result(time.perf_counter())
        began = time.perf_counter()
        self.echo(published)
        return await asyncio.wait_for(back, DEADLINE) - began

    def accepted(self) -> asyncio.Future[int]:
        """When the next request is accepted: nanoseconds since the epoch."""
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.on_accepted = lambda: found.set_result(time.time_ns())
        return found

    def _delivered(self, delivery: Delivery) -> None:
        (self.on_echo if delivery.topic == self._echo else self.on_accepted)()
        self._transport.ack(delivery)


@contextlib.asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    """A connected `Client`."""
    connected = Client(port)
    await connected.connect()
    try:
        yield connected
    finally:
        await connected.close()


# --- what the system says of processes ----------------------------------------------------------


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def pss(pids: Sequence[int]) -> float:
    """Megabytes that these processes use, what they share counted once."""
    return sum(_field(pid, "smaps_rollup", "Pss:") for pid in pids) / 1000


def rss(pid: int) -> float:
    """Megabytes that are resident."""
    return _field(pid, "status", "VmRSS:") / 1000


def descriptors(pid: int) -> int:
    """How many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def cpu_seconds(pid: int) -> float:
    """Seconds that all threads of a process have had a core for."""
    nanoseconds = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def _field(pid: int, file: str, name: str) -> float:
    """A number of bytes in thousands, from a file of lines like ``Pss:  123 kB`` (of 1024)."""
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1.024
    raise Failed(f"/proc/{pid}/{file} has no {name}")
