"""A run of a job's handler in the test's own process: what a worker does, without the process.

As in a worker, the handler's modules are imported for this run, in the job's environment; only what
the test itself has imported is used as it is, so that it can be replaced (`monkeypatch`), and its
classes are the test's.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from devbridge.constructs import App, Job
from devbridge.environment import NOTHING_FOUND, of_sdks
from devbridge.errors import HandlerNotFound, JobFailed, NotFound
from devbridge.names import OF_TESTS
from devbridge.payload.encode import checked_size, dump
from devbridge.protocol import codec
from devbridge.pytest_plugin.tracebacks import brief
from devbridge.resources import SECRETS
from devbridge.runs.invoker import find_job
from devbridge.runs.model import JobSpec
from devbridge.sources.runtimes import DEFAULT
from runner import calling, checkpoints, failure, loading, worker
from runner.context import VARIABLES
from runner.invocation import RESULT_TOO_LARGE, Invocation
from runner.outcome import MAX_BODY

if TYPE_CHECKING:
    from devbridge.pytest_plugin.stage import Stage

REGION = "us-east-1"
"""Where nothing else is said: that of the embedded cloud."""
_OF_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


@dataclass(frozen=True, slots=True, repr=False)
class JobRunner:
    """Runs handlers of an app: the fixture `devbridge_run`."""

    app: App
    stage: Stage | None
    """Where the jobs find what they bind; None: nowhere."""
    shell: Mapping[str, str]
    """What AWS SDKs find in the environment without the tests: it is not the runs'."""
    hidden: Mapping[str, str]
    """Variables of a stage that this test has not asked for."""

    def __repr__(self) -> str:
        return f"JobRunner({self.app!r}, {self.stage or 'no stage'})"  # not with the environment

    @brief
    def __call__(
        self,
        job: str,
        payload: Any = None,
        *,
        attempt: int = 1,
        job_id: str | None = None,
        checkpoint: Any = None,
    ) -> Any:
        """Run the job's handler once and return its result, as its caller gets it from JSON.

        Args:
            job: its name in app.py.
            payload: any JSON value, dataclass, TypedDict, msgspec.Struct or pydantic model.
            attempt: which one it is, from 1: `context.attempt`.
            job_id: the run's id: `context.aws_request_id`; by default a new one.
            checkpoint: where it begins: `context.checkpoint`, any value that a handler may yield.

        Raises:
            UnknownJob: app.py has no such job.
            HandlerNotFound: its file or function is not there, or it is a container's.
            PayloadNotJson, PayloadTooLarge, PayloadInvalid: as where a job is started.
            ResultNotJson (of `runner.failure`): the result has no JSON form.
            JobFailed: the result is over 6 MB.
            BaseException: whatever the handler, or the import of its file, raises.
        """
        found = find_job(self.app, job)
        body = checked_size(dump(payload))
        spec = self._spec(found)
        invocation = Invocation(
            job_id=job_id or codec.new_id(),
            payload=body,
            deadline=time.time() + spec.timeout,
            function_arn=spec.definition_arn,
            context={
                "job": spec.name,
                "attempt": str(attempt),
                "max_attempts": str(spec.max_attempts),
            },
            checkpoint=checkpoints.encode(checkpoint),
        )
        try:
            with self._environment(spec), _as_a_new_process(self.app.root):
                result = _beside_loops(lambda: _result(spec, invocation, str(self.app.root)))
        except failure.HandlerNotFound as error:
            raise HandlerNotFound(str(error), where=str(found.where)) from None
        except NotFound as error:
            self._explain(error, found)
            raise
        return json.loads(result)

    def _spec(self, job: Job) -> JobSpec:
        if job.handler is None or job.language != DEFAULT:
            why = "runs a container" if job.handler is None else f"runs on {job.runtime}"
            raise HandlerNotFound(
                f"job {job.name!r} {why}: there is no handler to run in Python's process",
                where=str(job.where),
                remedy=f"run it on a stage: devbridge_stage.invoke({job.name!r}, ...)",
            )
        if self.stage is not None:
            return self.stage.spec(job)
        return unbound(job)

    @contextlib.contextmanager
    def _environment(self, spec: JobSpec) -> Iterator[None]:
        from devbridge.daemon.environment import handler_environment

        with pytest.MonkeyPatch.context() as patch:
            if self.stage is not None:
                gone = of_sdks(os.environ) | {*self.stage.names}
                given = self.stage.access(spec)
            else:
                gone = {name for name in of_sdks(self.shell) if name not in _OF_REGIONS}
                gone = {name for name in gone if os.environ.get(name) == self.shell[name]}
                gone |= {k for k, v in self.hidden.items() if os.environ.get(k) == v}
                given = {
                    name: value
                    for name, value in NOTHING_FOUND.items()
                    if os.environ.get(name) == self.shell.get(name)
                }
                if not any(os.environ.get(name) for name in _OF_REGIONS):
                    given |= dict.fromkeys(_OF_REGIONS, REGION)
            for name in gone:
                patch.delenv(name, raising=False)
            for name in VARIABLES:  # the run sets them: afterwards they are as they were
                patch.setenv(name, "")
                patch.delenv(name)
            own = handler_environment(spec, self.app.root)
            for name, value in {**spec.environment, **given, **own}.items():
                patch.setenv(name, value)
            if self.stage is not None and SECRETS in os.environ:
                for name, value in _fetched(os.environ[SECRETS]).items():
                    patch.setenv(name, value)
            yield

    def _explain(self, error: NotFound, job: Job) -> None:
        """What is bound, and has no value because there is no stage, is said so."""
        from devbridge.deploy import kinds

        names = kinds.bindings().variables(job.bind, OF_TESTS)
        if self.stage is None and error.where and error.where.rpartition(" ")[2] in names:
            error.remedy = (
                "the job binds it, but this test has no stage: let it take the fixture"
                " devbridge_stage, too, or set that variable (monkeypatch.setenv)"
            )


def _fetched(named: str) -> dict[str, str]:
    from runner.host import secrets

    wanted = {secrets.VARIABLE: named}
    secrets.take(wanted)
    return wanted


def unbound(job: Job) -> JobSpec:
    """What is known of a job without a stage: of what it binds, what is no resource's name."""
    from devbridge.deploy import kinds
    from devbridge.deploy.bindings import Output
    from devbridge.deploy.synth import job_variables

    nothing = object()

    def unknown(_target: object, _output: Output) -> object:
        return nothing

    bound = kinds.bindings().variables(job.bind, OF_TESTS, unknown)
    known = {name: value for name, value in bound.items() if value is not nothing}
    return JobSpec(
        name=job.name,
        handler=str(job.handler),
        timeout=job.timeout.total_seconds(),
        memory_mb=job.memory_mb,
        role_arn="",
        environment={**job_variables(job, OF_TESTS), **job.environment, **known},
        max_attempts=job.retries + 1,
    )


def _result(spec: JobSpec, invocation: Invocation, root: str) -> bytes:
    """What `runner.worker` does with an invocation.

    Raises:
        BaseException: what has made the run fail.
    """
    handler = loading.load(spec.handler, root)
    headers = {name.lower(): value for name, value in invocation.headers().items()}
    kept = checkpoints.Checkpoints(lambda: _Kept(invocation), headers, os.environ, signals=False)
    taken = calling.arguments(handler)
    result = worker.answer(handler, taken, headers, invocation.payload, kept)
    if len(result) > MAX_BODY:
        too_large = RESULT_TOO_LARGE
        raise JobFailed(
            too_large.message, error_type=too_large.type, error_message=too_large.message
        )
    return result


class _Kept:
    """Nobody goes on at a checkpoint of a test's run."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    def checkpoint(self) -> bytes | None:
        return self._invocation.checkpoint

    def keep_checkpoint(self, body: bytes) -> object: ...


def _beside_loops(function: Callable[[], bytes]) -> bytes:
    """Call it where no event loop runs, as none does in a worker: from an asynchronous test, in a
    thread, while the test's loop waits."""
    if not _in_a_loop():
        return function()
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1, "devbridge_run") as pool:
        return pool.submit(context.run, function).result()


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


# --- as if the process were new -------------------------------------------------------------------


@contextlib.contextmanager
def _as_a_new_process(root: Path) -> Iterator[None]:
    """Nothing that an earlier run has imported or fetched is there; afterwards, nothing of this."""
    path, arguments, before = list(sys.path), sys.argv, frozenset(sys.modules)
    boto3: Any = sys.modules.get("boto3")
    session = getattr(boto3, "DEFAULT_SESSION", None)
    _forget_clients(None)
    sys.argv = ["runner"]
    try:
        yield
    finally:
        _forget_clients(session)
        sys.path[:], sys.argv = path, arguments
        for name in sys.modules.keys() - before:
            if _is_below(sys.modules[name], str(root)):
                _forget(name)


def _forget_clients(session: Any) -> None:
    """Those with the credentials of another run; boto3's own session is this one from now on."""
    if (boto3 := sys.modules.get("boto3")) is not None:
        vars(boto3)["DEFAULT_SESSION"] = session
    if (job := sys.modules.get("devbridge.job")) is not None:
        job._client.cache_clear()
    if (resources := sys.modules.get("devbridge.resources")) is not None:
        resources._secrets.clear()


def _forget(name: str) -> None:
    module = sys.modules.pop(name)
    parent, _, child = name.rpartition(".")
    # `from jobs import rates` would find it there.
    if (package := sys.modules.get(parent)) and vars(package).get(child) is module:
        delattr(package, child)


def _is_below(module: ModuleType, root: str) -> bool:
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
    return any(failure.is_users(place, root) for place in places if isinstance(place, str))
