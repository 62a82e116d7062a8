"""The app's stage for a test session, and its runs, as tests see them."""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, Self

import boto3
from botocore.session import Session

from devbridge.cloud import keys
from devbridge.cloud.models import TerseLoader
from devbridge.cloud.session import Clients, Cloud, client_config, local_session
from devbridge.config import Config
from devbridge.constructs import App, Job
from devbridge.environment import given_values, isolated
from devbridge.folders import FUNCTIONS
from devbridge.job import ask
from devbridge.names import OF_TESTS, invoker
from devbridge.payload import check
from devbridge.payload.encode import checked_size, dump
from devbridge.proxies import past_proxies
from devbridge.pytest_plugin.tracebacks import brief
from devbridge.runs.base import Run, RunRecord
from devbridge.runs.invoker import InvokerStore, find_job
from devbridge.runs.ledger_reader import LedgerReader
from devbridge.runs.ledger_store import LedgerStore
from devbridge.runs.model import JobSpec, State
from devbridge.runs.queued import Queued
from devbridge.runs.stage import DeployedStore
from devbridge.runs.waiting import Clock, result_of, until_ended
from runner.outcome import Failure

WAIT: Final = 60.0
"""Seconds that `StageRun.wait` waits where it is not told."""
_RENEW: Final = 600.0
"""Seconds before its end that a role's session is replaced."""


class Stage:
    """The app, deployed for this session on an embedded cloud: the fixture `devbridge_stage`."""

    def __init__(
        self,
        app: App,
        config: Config,
        cloud: Cloud,
        *,
        outputs: Mapping[str, str],
        names: Mapping[str, str],
        spec: Callable[[Job], JobSpec],
        alive: Callable[[], None],
    ) -> None:
        """
        Args:
            outputs: of its stack, for the user.
            names: the variables that binding everything gives.
            spec: gives what must be known of a job to run it.
            alive: raises when the stage's process has ended.
        """
        self.app: Final = app
        self.outputs: Final = outputs
        """Its URLs first: ``ApiUrl`` of an Api 'api'; then the names of its tables, buckets ..."""
        self.names: Final = {**names, check.VARIABLE: str(config.schemas)}
        """The variables that binding everything gives."""
        self.spec: Final = spec
        self._config = config
        self._cloud = cloud
        self._alive = alive
        self._sessions: dict[str, tuple[float, dict[str, str]]] = {}
        self._resources: list[Any] = []
        self._clients = Clients(self._session_of_boto3, self.endpoint_url, cloud.region)
        self._started: list[StageRun] = []
        self._heard: dict[str, int] = {}
        """Of each function's log, the bytes that were read."""
        self._deployed = DeployedStore(
            lambda: app,
            lambda: cloud,
            OF_TESTS,
            lambda: None,
            lambda job, _stage: self._invoker(job.name),
        )

    def __repr__(self) -> str:
        return f"Stage({self.app.name!r}, {self._cloud.endpoint_url})"

    @property
    def endpoint_url(self) -> str:
        """Where all services of its cloud answer."""
        return str(self._cloud.endpoint_url)

    def client(self, service: str) -> Any:
        """The boto3 client of a service (``"s3"``), with all permissions on this cloud."""
        return self._clients.get(service)

    def resource(self, service: str) -> Any:
        """A boto3 resource of a service (``"dynamodb"``), with all permissions on this cloud."""
        made: Any = boto3.Session(botocore_session=self._own_session()).resource(  # type: ignore[call-overload]
            service,
            region_name=self._cloud.region,
            endpoint_url=self.endpoint_url,
            config=client_config(self.endpoint_url),
        )
        self._resources.append(made)
        return made

    @brief
    def invoke(
        self, job: str, payload: Any = None, *, idempotency_key: str | None = None
    ) -> StageRun:
        """Start a job as the app's own code does, through its invoker; return when it is accepted.

        Args:
            job: its name in app.py.
            payload: any JSON value, dataclass, TypedDict, msgspec.Struct or pydantic model.
            idempotency_key: runs with the same key are the same run.

        Raises:
            UnknownJob: app.py has no such job.
            PayloadInvalid: the payload is not what the job's handler declares.
            PayloadNotJson, PayloadTooLarge: it cannot be sent.
            InvokeError: the invoker refused it.
        """
        found, text = find_job(self.app, job), dump(payload)
        if accepts := check.checker(found.name, str(self._config.schemas)):
            accepts(json.loads(text))
        key = str(uuid.uuid4()) if idempotency_key is None else idempotency_key
        started = self._invoker(found.name).start(
            found.name, checked_size(text), key=key, remember=idempotency_key is not None
        )
        run = StageRun(self, started.run.record)
        self._started.append(run)
        return run

    @brief
    def find(self, job_id: str) -> StageRun:
        """The run with this whole id, whoever has started it: the app's API, say.

        Raises:
            UnknownRun: there is none.
        """
        with self.opened(job_id) as run:
            found = StageRun(self, run.refresh(result=True))
        self._started.append(found)
        return found

    @brief
    def set_secret(self, name: str, value: str) -> None:
        """Give a secret of the app a value, for all runs that start from now on.

        Raises:
            NotFound: the app has no such secret.
            InvalidValue: the value is empty, or over 4096 bytes.
        """
        from devbridge.daemon.secrets import touch
        from devbridge.deploy import secrets

        key = secrets.defined(self.app, name).encryption_key
        secrets.set_secret(self._cloud, self.app.name, OF_TESTS, name, value, key)
        touch(self._config.secrets_mark)

    # --- for the plugin's own use

    def forget_started(self) -> list[StageRun]:
        """The runs that tests have started or found since this was last asked."""
        found, self._started = {run.job_id: run for run in self._started}, []
        return [*found.values()]

    def functions_said(self) -> dict[str, str]:
        """What functions have printed, and how their requests went, by the function's name: what
        was not there when this was last asked."""
        found: dict[str, str] = {}
        for log in sorted((self._config.logs_dir / FUNCTIONS).glob("*.log")):
            text = log.read_bytes()
            heard, self._heard[log.stem] = self._heard.get(log.stem, 0), len(text)
            if new := text[heard if heard <= len(text) else 0 :]:
                found[log.stem] = new.decode("utf-8", "replace")
        return found

    def access(self, spec: JobSpec) -> dict[str, str]:
        """The environment that gives an AWS SDK the job's role on this stage, and nothing else."""
        return {
            **given_values(os.environ, self._config.env),
            **isolated(self._cloud.region),
            **self._session(spec.role_arn),
            **past_proxies(os.environ),
            "AWS_ENDPOINT_URL": self.endpoint_url,
            check.VARIABLE: str(self._config.schemas),
        }

    @contextlib.contextmanager
    def opened(self, job_id: str, record: RunRecord | None = None) -> Iterator[Run]:
        """A run, while the block looks at it.

        Args:
            record: what is known of it, if its id need not be known yet.
        """
        if self._deployed.owns(job_id):
            yield self._deployed.get(job_id)
            return
        with LedgerReader.open(self._config.ledger) as book:
            queued = Queued(self._config.stage_dir)
            live = LedgerStore(book, self._config.logs_dir, self._invoker, lambda: True, queued)
            yield live.get(job_id) if record is None else live.expect(record)

    def clock(self, seconds: float) -> Clock:
        """Waits at most so long, and no longer than the stage lives."""

        def sleep(pause: float) -> None:
            self._alive()
            time.sleep(pause)

        return Clock(timedelta(seconds=seconds), sleep=sleep)

    def close(self) -> None:
        """Close all connections."""
        self._cloud.clients.close()
        self._clients.close()
        for each in self._resources:
            each.meta.client.close()

    def _own_session(self) -> Session:
        session = local_session(keys.of_endpoint(self.endpoint_url, self._config.cloud_dir))
        session.register_component("data_loader", TerseLoader())
        return session

    def _session_of_boto3(self) -> Session:
        """One whose clients have what boto3 adds, such as `upload_file`."""
        session = self._own_session()
        boto3.Session(botocore_session=session)
        return session

    def _invoker(self, name: str) -> InvokerStore:
        function = invoker(find_job(self.app, name), OF_TESTS)

        def asked(action: str, payload: str = "null", **fields: str | bool) -> dict[str, Any]:
            self._alive()
            return ask(self.client("lambda"), function, name, action, payload, **fields)

        return InvokerStore(asked, name)

    def _session(self, role_arn: str) -> dict[str, str]:
        known = self._sessions.get(role_arn)
        if known is None or known[0] - _RENEW < time.time():
            answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="pytest")
            given = answer["Credentials"]
            known = (
                given["Expiration"].timestamp(),
                {
                    "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
                    "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
                    "AWS_SESSION_TOKEN": given["SessionToken"],
                },
            )
            self._sessions[role_arn] = known
        return known[1]


class StageRun:
    """One run of a job on the stage."""

    def __init__(self, stage: Stage, record: RunRecord) -> None:
        self._stage = stage
        self._record = record

    def __repr__(self) -> str:
        record = self._record
        why = f": {record.failure.type}: {record.failure.message}" if record.failure else ""
        return f"StageRun({record.job} {record.job_id}, {record.state}{why})"

    @property
    def job_id(self) -> str:
        """Its id."""
        return self._record.job_id

    @property
    def job(self) -> str:
        """The name of its job."""
        return self._record.job

    @property
    @brief
    def state(self) -> State:
        """QUEUED, STARTING, RUNNING, SUCCEEDED, FAILED, CANCELLED, TIMED_OUT or CRASHED, now."""
        return self._now().state

    @property
    @brief
    def result(self) -> Any:
        """What the handler returned.

        Raises:
            JobNotFinished: the run has not ended: `wait` first.
            JobFailed: it has ended without a result; of the classes JobCancelled, JobTimedOut and
                JobCrashed, or with the type and message of what the handler raised.
        """
        return json.loads(result_of(self._now()))

    @property
    def error(self) -> Failure | None:
        """Why it has no result: `type`, `message` and `frames` of what the handler raised, or of
        how its process ended. None: it has one, or has not ended."""
        return self._now().failure

    @property
    @brief
    def output(self) -> str:
        """What it has printed: all of it once it has ended."""
        final = self._now().state.final
        with self._stage.opened(self.job_id, self._record) as run:
            return b"".join(run.output(follow=final)).decode("utf-8", "replace")

    @brief
    def wait(self, timeout: float = WAIT) -> Self:
        """Wait until it has ended, however that is, and return it.

        Args:
            timeout: seconds.

        Raises:
            JobNotFinished: it has not ended in time.
        """
        with self._stage.opened(self.job_id, self._record) as run:
            self._record = until_ended(run, self._stage.clock(timeout))
        return self

    @brief
    def cancel(self) -> Self:
        """Cancel it, and return it when the cancellation is taken.

        Raises:
            InvokeError: nobody took it.
        """
        with self._stage.opened(self.job_id, self._record) as run:
            run.cancel()
        return self

    def _now(self) -> RunRecord:
        if not self._record.state.final:
            with self._stage.opened(self.job_id, self._record) as run:
                self._record = run.refresh(result=True)
        return self._record
