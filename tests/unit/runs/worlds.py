"""One stage's job, and its runs as each store has them: made and ended as the real ones would."""

from __future__ import annotations

import contextlib
import io
import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from devbridge import job as job_module
from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.daemon.dispatch import Dispatcher
from devbridge.daemon.events import CancelRequested
from devbridge.daemon.jobs import Jobs
from devbridge.protocol.messages import Cancel, Request, Run
from devbridge.runs.base import RunStore
from devbridge.runs.codebuild import CodeBuildStore
from devbridge.runs.invoker import InvokerStore
from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.ledger_reader import LedgerReader
from devbridge.runs.ledger_store import LedgerStore
from devbridge.runs.model import JobSpec, State
from devbridge.runs.queued import Queued
from devbridge.runs.stage import DeployedStore
from devbridge.transport.base import Endpoint
from runner.outcome import Failure
from stub_lambda import deployed, handler, invoker
from stub_lambda.bridge import Answer, NoAnswer, Silence
from stub_lambda.settings import Settings
from tests.unit.codebuild import PROJECT, FakeCodeBuild
from tests.unit.runs.clouds import S3

BUCKET = "devbridge-assets-111122223333-eu-west-1"
JOBS = ("factorial", "other")
FAILURE = Failure("KeyError", "'ü'")
LARGE = json.dumps(["x" * 50_000]).encode()

FAILED = (State.FAILED, State.CRASHED)


class World(Protocol):
    """A store, and the hand of fate."""

    store: RunStore
    lists: bool
    """Whether the store lists runs and finds them by the beginning of their id."""

    def add(self, state: State) -> str:
        """A run of the job, in that state; returns its id."""

    def end(self, run_id: str, state: State, result: bytes = b"120") -> None:
        """A run ends."""


class Context:
    """Lambda's, of a call with an id of its own."""

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


class Lambda:
    """Invokes a handler as Lambda does: JSON there, and JSON back."""

    def __init__(self, answer: Callable[[Any, Context], Any]) -> None:
        self._answer = answer
        self.events: list[Any] = []

    def invoke(self, **given: Any) -> Any:
        self.events.append(json.loads(given["Payload"]))
        answer = json.dumps(self._answer(self.events[-1], Context()))
        return {"Payload": io.BytesIO(answer.encode())}

    def store(self) -> InvokerStore:
        """What a job's callers see."""

        def ask(action: str, payload: str = "null", **fields: str | bool) -> dict[str, Any]:
            return job_module.ask(self, "invoker", "factorial", action, payload, **fields)

        return InvokerStore(ask, "factorial")


# --- devbridge dev ------------------------------------------------------------------------------


class Daemon:
    """What the stub's bridge reaches: the dispatcher, and a supervisor that cancels at once what
    has not started."""

    settings = Settings("demo", "ann", "factorial", Endpoint("host", "eu-west-1", None))
    stub_id = "stub"

    def __init__(self, book: Ledger, logs: Path) -> None:
        specs = [JobSpec(name, "a.handler", 60, 100, "role", {}) for name in JOBS]
        self._book = book
        self._dispatcher = Dispatcher(book, Jobs(specs), logs, Queued(logs).is_cancelled)
        self.away = False
        self.waiting: list[Request] = []

    def ask(self, request: Request, _wait: float) -> Answer | NoAnswer:
        if self.away:
            stored = isinstance(request, Run | Cancel)
            self.waiting += [request] if stored else []
            return NoAnswer(Silence.OFFLINE, stored, "ann@laptop")
        return self._take(request)

    def comes_back(self) -> None:
        """It takes what has waited."""
        self.away = False
        for request in self.waiting:
            self._take(request)

    def _take(self, request: Request) -> Answer:
        with self._book.transaction():
            taken = self._dispatcher.take(request, time.time())
            for event in taken.events:
                if isinstance(event, CancelRequested):
                    self._cancel(event.job_id)
        return Answer(taken.reply())

    def _cancel(self, run_id: str) -> None:
        entry = self._book.get(run_id)
        if entry is not None and entry.state in (State.QUEUED, State.STARTING):
            self._book.record(Change(job_id=run_id, state=State.CANCELLED, at=time.time()))


class LedgerWorld:
    """The runs of `devbridge dev` in the folder of its ledger."""

    lists = True

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        path = folder / "ledger.sqlite"
        self.logs = folder
        self.book = stack.enter_context(Ledger.open(path))
        self.daemon = Daemon(self.book, folder)
        live = handler.Live(self.daemon)  # type: ignore[arg-type]
        self.lambda_ = Lambda(lambda event, context: invoker.answer(lambda: live, event, context))
        reader = stack.enter_context(LedgerReader.open(path))
        self.tended = True
        self.store: RunStore = LedgerStore(
            reader, folder, lambda _job: self.lambda_.store(), lambda: self.tended, Queued(folder)
        )
        self._now = 1000.0

    def add(self, state: State, job: str = "factorial") -> str:
        self._now += 10
        run_id = f"0000{len(self.book.recent()):04}-0000-4000-8000-000000000001"
        log = str(self.logs / f"{run_id}.log")
        new = NewRun(job_id=run_id, job=job, payload=b"1", created_at=self._now, log_path=log)
        with self.book.transaction():
            self.book.add(new)
            if state is State.STARTING:
                self.book.record(Change(job_id=run_id, state=state, at=self._now))
        if state is State.RUNNING or state.final:
            with self.book.transaction():
                self.book.record(Change(job_id=run_id, state=State.RUNNING, at=self._now + 1))
        if state.final:
            self.end(run_id, state)
        return run_id

    def end(self, run_id: str, state: State, result: bytes = b"120") -> None:
        change = Change(
            job_id=run_id,
            state=state,
            at=self._now + 2,
            result=result if state is State.SUCCEEDED else None,
            failure=FAILURE if state in FAILED else None,
        )
        with self.book.transaction():
            self.book.record(change)
            self.book.closed(run_id)


class LiveInvokerWorld(LedgerWorld):
    """The same, for who has nothing but the job's invoker: the stub."""

    lists = False

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        super().__init__(folder, stack)
        self.store = self.lambda_.store()


# --- deployed -----------------------------------------------------------------------------------

PHASES = {State.QUEUED: "QUEUED", State.STARTING: "PROVISIONING", State.RUNNING: "BUILD"}


class BuildWorld:
    """The runs of a deployed job, as its invoker's store has them."""

    lists = True

    def __init__(self) -> None:
        self.codebuild = FakeCodeBuild()
        self.s3 = S3(bucket=BUCKET)
        self.store: RunStore = self._runs()

    def _runs(self) -> CodeBuildStore:
        return CodeBuildStore(
            self.codebuild.client,
            lambda: self.s3,
            app="demo",
            stage="prod",
            job="factorial",
            project=PROJECT,
            bucket=BUCKET,
        )

    def client(self, service: str) -> Any:
        return {"codebuild": self.codebuild.client, "s3": self.s3}[service]

    def add(self, state: State) -> str:
        build = self.codebuild.add(phase=PHASES.get(state, "BUILD"))
        build["phases"] = [{"phaseType": "BUILD", "startTime": self.codebuild.now + 0.25}]
        if state.final:
            self.end(build["id"], state)
        return str(build["id"])

    def end(self, run_id: str, state: State, result: bytes = b"120") -> None:
        build, told = self.codebuild.builds[run_id], {"STATE": state.value, "ATTEMPT": "1"}
        build["endTime"] = self.codebuild.now + 0.5
        if state is State.CANCELLED:
            build["buildStatus"] = "STOPPED"
            return
        if state is State.SUCCEEDED:
            told["RESULT"] = result.decode() if len(result) < 1000 else f"@results/{run_id}"
            self.s3.put_object(Bucket=BUCKET, Key=f"results/{run_id}", Body=result)
        if state in FAILED:
            told["ERROR"] = json.dumps({"type": FAILURE.type, "message": FAILURE.message})
        build["buildStatus"] = "SUCCEEDED" if state is State.SUCCEEDED else "FAILED"
        build["exportedEnvironmentVariables"] = [
            {"name": f"DEVBRIDGE_{name}", "value": value} for name, value in told.items()
        ]


class DeployedInvokerWorld(BuildWorld):
    """The same, for who has nothing but the job's invoker."""

    lists = False

    def __init__(self) -> None:
        super().__init__()
        there = deployed.Deployed(self._runs())
        self.lambda_ = Lambda(lambda event, context: invoker.answer(lambda: there, event, context))
        self.store = self.lambda_.store()


class StageWorld(BuildWorld):
    """The same, as the command line has the stage."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        (root / "a.py").write_text("def handler(payload): ...\n")
        with loading(root):
            app = App("demo")
            for name in JOBS:
                Job(app, name, handler="a.handler")
        self.there = SimpleNamespace(
            account="111122223333", region="eu-west-1", endpoint_url=None, client=self.client
        )
        self.missing: list[str] = []
        self.store = DeployedStore(
            lambda: app, lambda: self.there, "prod", lambda: self.missing.append("asked")
        )
