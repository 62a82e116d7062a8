"""A stage that has a console, and a browser that looks at it."""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from devbridge.config import Config
from devbridge.console.door import Door
from devbridge.console.listener import Heard
from devbridge.console.subject import Subject
from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.errors import CloudNotRunning
from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.model import State
from runner.outcome import Failure
from stub_lambda import invoker
from stub_lambda.handler import Live
from tests.unit.runs.clouds import exceptions
from tests.unit.runs.worlds import Daemon, Lambda

DEADLINE = 30.0


class Invokers(Lambda):
    exceptions = exceptions


class Cloud:
    """Has nothing but the jobs' invokers, which reach a daemon that takes runs and runs none."""

    account, region, endpoint_url = "123456789012", "us-east-1", "http://127.0.0.1:1"
    principal_arn = "arn:aws:iam::123456789012:user/ann"

    def __init__(self, ledger: Path, logs: Path) -> None:
        self.away = False
        self.lambda_ = Invokers(lambda event, given: self._called(ledger, logs, event, given))
        self.services: dict[str, Any] = {"lambda": self.lambda_}

    def _called(self, ledger: Path, logs: Path, event: Any, given: Any) -> Any:
        with Ledger.open(ledger) as book:  # of this thread
            daemon = Daemon(book, logs)
            daemon.away = self.away
            live: Any = Live(daemon, daemon.settings)  # type: ignore[arg-type]
            return invoker.answer(lambda: live, event, given)

    def client(self, service: str) -> Any:
        return self.services[service]

    def credentials_expire_at(self) -> float:
        return 5000.0

    def explained(self) -> AbstractContextManager[None]:
        return nullcontext()


class Stage:
    """The runs of `devbridge dev` in a folder, without a daemon and without a cloud."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.root = root
        (root / "jobs").mkdir()
        (root / "jobs" / "factorial.py").write_text("def handler(payload):\n    return 1 / 0\n")
        with loading(root):
            self.app = App("demo")
            Job(self.app, "factorial", handler="jobs/factorial.handler", **options)
        self.config = Config(root=root, python=Path(sys.executable), stage="ann", local=True)
        self.config.make_dirs()
        self.ledger = Ledger.open(self.config.ledger)
        self.cloud: Any = Cloud(self.config.ledger, self.config.logs_dir)
        self.subject = Subject(
            config=self.config, app=lambda: self.app, cloud=self._cloud, live=True, since=1000.0
        )
        self.heard = Heard()
        self._now = 1000.0

    def _cloud(self) -> Any:
        if self.cloud is None:
            raise CloudNotRunning("the embedded cloud is not running")
        return self.cloud

    def add(
        self,
        state: State = State.SUCCEEDED,
        payload: bytes = b'{"num":5}',
        *,
        job: str = "factorial",
        failure: Failure | None = None,
        log: bytes | None = None,
    ) -> str:
        """A run that was asked for ten seconds after the one before; its id."""
        self._now += 10
        run_id = str(uuid.uuid4())
        path = self.config.logs_dir / f"{job}-{run_id}.log"
        new = NewRun(
            job_id=run_id, job=job, payload=payload, created_at=self._now, log_path=str(path)
        )
        with self.ledger.transaction():
            self.ledger.add(new)
        if state is not State.QUEUED:
            self.change(run_id, State.RUNNING, at=self._now + 1)
        if state.final:
            self.change(run_id, state, at=self._now + 3, failure=failure)
        if log is not None:
            path.write_bytes(log)
        return run_id

    def change(
        self, run_id: str, state: State, *, at: float = 0.0, failure: Failure | None = None
    ) -> None:
        """A change of its state, told to nobody."""
        result = b"120" if state is State.SUCCEEDED else None
        change = Change(
            job_id=run_id, state=state, at=at or self._now + 3, result=result, failure=failure
        )
        with self.ledger.transaction():
            self.ledger.record(change)
            if state.final:
                self.ledger.closed(run_id)

    def close(self) -> None:
        self.ledger.close()


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Browser:
    """Has come in by the console's link, and sends what the page sends."""

    port: int
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def through(cls, door: Door) -> Self:
        """Open the door's link."""
        return await cls.by(door.link)

    @classmethod
    async def by(cls, link: str) -> Self:
        """Open a link."""
        port = int(link.partition("127.0.0.1:")[2].partition("/")[0])
        browser = cls(port)
        opened = await browser.get(link.partition(f":{port}")[2])
        assert opened.status == 303, opened
        browser.cookie = opened.headers["Set-Cookie"].partition(";")[0]
        return browser

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def get(self, path: str) -> Answer:
        return await self.send("GET", path)

    async def post(self, path: str, body: Any) -> Answer:
        return await self.write("POST", path, body)

    async def write(self, method: str, path: str, body: Any = None) -> Answer:
        headers = {
            "Origin": self.origin,
            "X-Devbridge": "1",
            "Content-Type": "application/json",
        }
        given = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body)
        return await self.send(method, path, headers, given)

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] = {},
        body: str | bytes | None = None,
    ) -> Answer:
        """A request, in a connection of its own."""
        own = {"Cookie": self.cookie} if self.cookie else {}
        given = {**own, **self.headers, **headers}

        def ask() -> Answer:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
            try:
                connection.request(method, path, body, given)
                response = connection.getresponse()
                return Answer(response.status, dict(response.getheaders()), response.read())
            finally:
                connection.close()

        return await asyncio.to_thread(ask)

    async def listen(self, query: str = "", last: str = "") -> Stream:
        """Open a stream of events."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        again = f"Last-Event-ID: {last}\r\n" if last else ""
        writer.write(
            f"GET /api/events{query} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Cookie: {self.cookie}\r\nSec-Fetch-Site: same-origin\r\n{again}\r\n".encode()
        )
        stream = Stream(reader, writer)
        async with asyncio.timeout(DEADLINE):
            stream.status = int((await reader.readline()).split()[1])
            while (await reader.readline()).strip():
                pass
        return stream


@dataclass
class Stream:
    """A page's stream."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int = 0
    last: str = ""
    """The id of the last event."""

    async def event(self) -> tuple[str, Any]:
        """The next event, and its data."""
        name, data = "", None
        try:
            async with asyncio.timeout(DEADLINE):
                while True:
                    # The size of a chunk is a line, too, and of no interest.
                    line = (await self.reader.readline()).decode().strip()
                    key, _, value = line.partition(": ")
                    if key == "event":
                        name = value
                    elif key == "data":
                        data = json.loads(value)
                    elif key == "id":
                        self.last = value
                    if name and not line:
                        return name, data
        except TimeoutError:
            raise AssertionError(f"no event came after {self.last!r}") from None

    async def until(self, name: str) -> Any:
        """The data of the next event of that name."""
        while True:
            found, data = await self.event()
            if found == name:
                return data

    def close(self) -> None:
        self.writer.close()
