"""One stage's job, and its runs as each store has them: made and ended as the real ones would."""

from __future__ import annotations

import contextlib
import io
import json
import time
import uuid
from collections.abc import Callable, Iterable
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
from devbridge.runs.deployed import DeployedRun
from devbridge.runs.invoker import InvokerStore
from devbridge.runs.kept import Kept
from devbridge.runs.ledger import Change, Ledger, NewRun
from devbridge.runs.ledger_reader import LedgerReader
from devbridge.runs.ledger_store import LedgerStore
from devbridge.runs.listed import ListedRuns
from devbridge.runs.model import JobSpec, State
from devbridge.runs.providers.base import Asked
from devbridge.runs.providers.known import provider
from devbridge.runs.queued import Queued
from devbridge.runs.reading import Deployment, Reader
from devbridge.runs.records import End
from devbridge.runs.stage import DeployedStore
from devbridge.runs.starting import Starter
from devbridge.runs.turns import Turns
from devbridge.transport.base import Endpoint
from runner import outcome
from runner.claims import Claim, Place
from runner.outcome import Failure
from stub_lambda import deployed, handler, invoker
from stub_lambda.bridge import Answer, NoAnswer, Silence
from stub_lambda.settings import Settings
from tests.unit.aws import FakeBatch, FakeDynamo, FakeEcs, FakeLambda
from tests.unit.codebuild import PROJECT, FakeCodeBuild
from tests.unit.runs.clouds import S3

BUCKET = "devbridge-assets-111122223333-eu-west-1"
JOBS = ("factorial", "other")
FAILURE = Failure("KeyError", "'ü'")
LARGE = json.dumps(["x" * 50_000]).encode()

FAILED = (State.FAILED, State.CRASHED)
LIVE = tuple(State(each) for each in outcome.LIVE)
KEPT = (*LIVE, *(State(each) for each in outcome.ENDED))
"""The states of the runs that ledgers and providers have; one that is SCHEDULED they have not."""


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
        self.invoked_function_arn = ""

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

    settings = Settings(
        app="demo", stage="ann", job="factorial", endpoint=Endpoint("host", "eu-west-1", None)
    )
    stub_id = "stub"

    def __init__(self, book: Ledger, logs: Path) -> None:
        specs = [JobSpec(name, "a.handler", 60, 100, "role", {}) for name in JOBS]
        self._book = book
        self._dispatcher = Dispatcher(book, Jobs(specs), logs, Queued(logs).is_cancelled)
        self.away = False
        self.waiting: list[Request] = []

    def ask(
        self, request: Request, _wait: float, _enough: float | None = None
    ) -> Answer | NoAnswer:
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
        live = handler.Live(self.daemon, self.daemon.settings)  # type: ignore[arg-type]
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

    def end(
        self,
        run_id: str,
        state: State,
        result: bytes = b"120",
        *,
        at: float | None = None,
        closed: bool = True,
    ) -> None:
        change = Change(
            job_id=run_id,
            state=state,
            at=self._now + 2 if at is None else at,
            result=result if state is State.SUCCEEDED else None,
            failure=FAILURE if state in FAILED else None,
        )
        with self.book.transaction():
            self.book.record(change)
        if closed:
            self.close_log(run_id)

    def close_log(self, run_id: str) -> None:
        with self.book.transaction():
            self.book.closed(run_id)


class LiveInvokerWorld(LedgerWorld):
    """The same, for who has nothing but the job's invoker: the stub."""

    lists = False

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        super().__init__(folder, stack)
        self.store = self.lambda_.store()


# --- deployed -----------------------------------------------------------------------------------

PHASES = {State.QUEUED: "QUEUED", State.STARTING: "PROVISIONING", State.RUNNING: "BUILD"}
TASKS = {State.QUEUED: "PROVISIONING", State.STARTING: "PENDING", State.RUNNING: "RUNNING"}
BATCH_JOBS = {State.QUEUED: "RUNNABLE", State.STARTING: "STARTING", State.RUNNING: "RUNNING"}
COMPUTE: dict[str, dict[str, Any]] = {
    "codebuild": {"project": PROJECT},
    "batch": {"queue": "arn:queue", "definition": "arn:definition"},
    "fargate": {"cluster": "demo_prod", "definition": "arn:definition:1", "subnets": ["s-1"]},
    "lambda": {"function": "demo_prod_factorial-job"},
}


class DeployedWorld:
    """The runs of a deployed job, as its invoker's store has them."""

    lists = True

    def __init__(self, compute: str, **options: Any) -> None:
        self.compute = compute
        self.codebuild = FakeCodeBuild()
        self.batch, self.ecs, self.lambda_, self.dynamo = (
            FakeBatch(), FakeEcs(), FakeLambda(), FakeDynamo(),
        )  # fmt: skip
        self.s3 = S3(bucket=BUCKET)
        self.now = time.time
        self._added = 0.0
        self._services: dict[str, Any] = {
            "codebuild": self.codebuild,
            "batch": self.batch,
            "ecs": self.ecs,
            "lambda": self.lambda_,
            "dynamodb": self.dynamo,
        }
        self.runs = self._runs(**options)
        self.store: RunStore = self.runs

    def _runs(self, *, container: bool = False, inline: bool = False, limit: int = 0) -> Any:
        deployment = Deployment(
            app="demo",
            stage="prod",
            job="factorial",
            project=PROJECT,
            compute=self.compute,
            container=container,
            inline=inline,
            waits=bool(limit),
            log_group="/own",
        )
        kept = Kept(lambda: self.s3, BUCKET, "demo/prod/factorial")
        place = COMPUTE[self.compute]
        self.provider = provider(self.compute, self.client, place)
        reader = Reader(kept, lambda name: provider(name, self.client, place), deployment)
        turns = None
        if limit:
            turns = Turns(
                lambda: self.dynamo.client,
                "turns",
                "factorial",
                limit,
                now=lambda: self.now(),  # noqa: PLW0108 - tests set it
            )
        self.starter = Starter(reader, self.provider, turns, now=lambda: self.now())  # noqa: PLW0108
        return ListedRuns(reader, starter=self.starter, now=lambda: self.now())  # noqa: PLW0108

    def client(self, service: str) -> Any:
        return self.s3 if service == "s3" else self._services[service].client

    def add(self, state: State) -> str:
        self._added += 1
        kept, uuid = self.runs.kept, f"00000000-0000-4000-8000-{int(self._added):012x}"
        run_id = f"{PROJECT}:{uuid}"
        created = self.now() - 1000 + self._added
        kept.make_claim(uuid, Claim(created, 1, self.compute))
        kept.list(uuid, created)
        place = self.provider.start(Asked(run_id, uuid, {"DEVBRIDGE_PAYLOAD": "1"}))
        kept.put_place(uuid, Place(place, self.compute, created))
        if not state.final:
            self._set(uuid, place, state)
        else:
            self._set(uuid, place, State.RUNNING)
            self.end(run_id, state)
        for service in (self.codebuild, self.batch, self.ecs, self.lambda_):
            service.calls.clear()
        return run_id

    def place(self, run_id: str) -> str:
        """The provider's own id of a run."""
        return str(self.runs.kept.place(run_id.partition(":")[2]).id)

    def given(self, uuid: str) -> dict[str, str]:
        """What the provider was told of a run."""
        place = self.runs.kept.place(uuid).id
        if self.compute == "codebuild":
            variables = self.codebuild.builds[place]["environment"]["environmentVariables"]
            return {v["name"]: v["value"] for v in variables if v.get("type") == "PLAINTEXT"}
        if self.compute == "lambda":
            event = self.lambda_.events[-1]
            names = {"run": "RUN_ID", "payload": "PAYLOAD", "payloadKey": "PAYLOAD_KEY"}
            return {f"DEVBRIDGE_{names[key]}": event[key] for key in event if key in names}
        return self.batch.variables(place) if self.compute == "batch" else self.ecs.variables(place)

    def _set(self, uuid: str, place: str, state: State) -> None:
        if self.compute == "codebuild":
            build = self.codebuild.builds[place]
            build["currentPhase"] = PHASES[state]
            build["phases"] = [{"phaseType": "BUILD", "startTime": self.codebuild.now + 0.25}]
        elif self.compute == "batch":
            self.batch.jobs[place]["status"] = BATCH_JOBS[state]
        elif self.compute == "fargate":
            self.ecs.tasks[place]["lastStatus"] = TASKS[state]
        if state is State.RUNNING or self.compute == "lambda":
            self.tell(uuid, state)

    def tell(self, uuid: str, state: State, **more: Any) -> None:
        """What the runner tells."""
        if self.compute == "codebuild":
            return
        started = {} if state is State.QUEUED else {"startedAt": self.now() - 900}
        told = {"state": state.value, "attempt": 1, **started, **more}
        key = self.runs.kept.places.told(uuid)
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(told).encode())

    def end(self, run_id: str, state: State, result: bytes = b"120") -> None:
        uuid, place = run_id.partition(":")[2], self.place(run_id)
        if self.compute == "codebuild":
            self._end_build(self.codebuild.builds[place], state, result)
            return
        if state is State.CANCELLED:
            self.runs.kept.make_end(uuid, End(state, self.now()))
            return
        more: dict[str, Any] = {"endedAt": self.now()}
        if state is State.SUCCEEDED:
            at = f"results/{uuid}"
            self.s3.put_object(Bucket=BUCKET, Key=at, Body=result)
            more |= {"result": result.decode()} if len(result) < 1000 else {"resultAt": at}
        if state in FAILED:
            more["error"] = {"type": FAILURE.type, "message": FAILURE.message}
        self.tell(uuid, state, **more)

    def end_only(self, run_id: str) -> None:
        """Who has cancelled it has died before the provider knew."""
        self.runs.kept.make_end(run_id.partition(":")[2], End(State.CANCELLED, self.now()))

    def _end_build(self, build: dict[str, Any], state: State, result: bytes) -> None:
        told = {"STATE": state.value, "ATTEMPT": "1"}
        build["endTime"] = self.codebuild.now + 0.5
        if state is State.CANCELLED:
            build["buildStatus"] = "STOPPED"
            return
        if state is State.SUCCEEDED:
            at = f"results/{build['id']}"
            told["RESULT"] = result.decode() if len(result) < 1000 else f"@{at}"
            self.s3.put_object(Bucket=BUCKET, Key=at, Body=result)
        if state in FAILED:
            told["ERROR"] = json.dumps({"type": FAILURE.type, "message": FAILURE.message})
        build["buildStatus"] = "SUCCEEDED" if state is State.SUCCEEDED else "FAILED"
        build["exportedEnvironmentVariables"] = [
            {"name": f"DEVBRIDGE_{name}", "value": value} for name, value in told.items()
        ]

    def invoker(self) -> InvokerStore:
        """What a job's callers see."""
        there = deployed.Deployed(self.runs)
        invokes = Lambda(lambda event, context: invoker.answer(lambda: there, event, context))
        return invokes.store()


class DeployedInvokerWorld(DeployedWorld):
    """The same, for who has nothing but the job's invoker."""

    lists = False

    def __init__(self, compute: str = "fargate") -> None:
        super().__init__(compute)
        self.store = self.invoker()


class StageWorld(DeployedWorld):
    """The same, as the command line has the stage."""

    def __init__(self, root: Path, compute: str = "codebuild") -> None:
        super().__init__(compute)
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
            lambda: app,
            lambda: self.there,
            "prod",
            lambda: self.missing.append("asked"),
            lambda _job, _stage: self.invoker(),
        )


def ids(runs: Iterable[DeployedRun]) -> list[str]:
    """Those of some runs, in their order."""
    return [run.record.job_id for run in runs]
