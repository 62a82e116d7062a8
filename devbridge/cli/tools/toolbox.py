"""The tools: each does what a command does, by the same means, and answers with JSON or text."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from devbridge.cli import cancel, logs, payload, rerun, status
from devbridge.cli.common import loaded
from devbridge.cli.function_logs import function_named, printed
from devbridge.cli.runs import stage_runs
from devbridge.cli.tools import answers, arguments
from devbridge.cli.tools.answers import Json
from devbridge.cli.tools.log import part
from devbridge.config import Config
from devbridge.constructs import App, Function, Job
from devbridge.constructs.code import Code
from devbridge.daemon import handlers_file
from devbridge.errors import (
    AppError,
    DevbridgeError,
    JobNotFinished,
    NotDeployed,
    NotFound,
    did_you_mean,
)
from devbridge.payload import check
from devbridge.runs.base import Run, Started
from devbridge.runs.find import NOT_YET, StageRuns, is_deployed, resumes_at
from devbridge.runs.lock import daemon_runs
from devbridge.runs.model import State
from devbridge.runs.waiting import Clock, until_ended
from devbridge.sources.known import source_of
from runner.triggered import let_go, payload_of

NEWEST: Final = 100
"""Runs in the cloud that are looked at for the last one of each job."""
UNCHECKED: Final = "check: false"
QUOTED: Final = 'give JSON text, such as {"num": 5}; a text has its own quotes: "\\"ann\\""'

START: Final = (
    "to run jobs on this machine, start `devbridge dev --local` (no AWS account) or `devbridge dev`"
    " in another terminal"
)


class Stopped(Exception):
    """Nobody waits for the answer any more."""


class Toolbox:
    """What the tools do for one stage of an app: a method each, whose docstring the agent reads.

    Each call is in a thread of its own, and ends early once its last argument is set.

    Args:
        config: the stage's.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    # --- jobs and runs ----------------------------------------------------------------------

    def list_jobs(self, _given: arguments.ListJobs, _stop: threading.Event) -> Json:
        """List the app's jobs: handler, JSON Schema of the payload, triggers, and the last run."""
        app, known = loaded(self._config, lenient=True), self._handlers()
        jobs = app.of_type(Job)
        last, told = self._last_runs([job.name for job in jobs])
        listed = [{**self._job(app, job, known), **last.get(job.name, {})} for job in jobs]
        return {"app": app.name, **self._stage(), **told, "jobs": listed}

    def _job(self, app: App, job: Job, known: handlers_file.Handlers | None) -> Json:
        schema = check.schema(job.name, str(self._config.schemas))
        triggers = [f"{each.kind} {each.label}" for each in job.triggers]
        return {
            "name": job.name,
            **self._handler(app, job, known),
            "compute": type(job.compute).__name__,
            "payloadSchema": "any JSON, or not known" if schema is None else schema,
            **({"triggers": triggers} if triggers else {}),
        }

    def _last_runs(self, jobs: Sequence[str]) -> tuple[Mapping[str, Json], Json]:
        """The last run of each job, by its name, and why they are not known if they are not. Those
        in the cloud are asked for once, as that takes its time: the newest of all."""
        try:
            with stage_runs(self._config) as runs:
                found = (
                    runs.recent(NEWEST, None, None, deployed=True)
                    if runs.is_deployed
                    else [one for job in jobs for one in runs.recent(1, job, None, deployed=False)]
                )
        except DevbridgeError as error:
            return {}, {"lastRunsUnknown": str(error)}
        rows = [answers.row(run.record) for _, run in reversed(found)]
        return {row["job"]: {"lastRun": row} for row in rows}, {}

    def list_runs(self, given: arguments.ListRuns, _stop: threading.Event) -> Json:
        """List runs of this stage, the newest first, each with its error in a line."""
        wanted = None if given.state is None else State(given.state)
        with stage_runs(self._config) as runs:
            in_cloud = given.deployed or runs.is_deployed
            found = runs.recent(given.limit + 1, given.job, wanted, deployed=in_cloud)
            if given.job is not None and not found:
                runs.must_have(given.job)
            rows = [answers.row(run.record) for _, run in found[: given.limit]]
        more = {"note": "there are older ones: limit"} if len(found) > given.limit else {}
        return {**self._stage(deployed=in_cloud), "runs": rows, **more}

    def show_run(self, given: arguments.ShowRun, _stop: threading.Event) -> Json:
        """Show all that is known of a run: state, times, error with the app's own frames, payload,
        result, history."""
        with stage_runs(self._config) as runs:
            run = runs.find(given.run, given.job)
            record, history = run.refresh(result=True), run.history()
            told = answers.goes_on(record, tended=record.state.final or run.tended())
            return {
                **answers.run(record),
                **told,
                **_payload(run),
                "history": status.changes(history),
            }

    # --- starting and ending ----------------------------------------------------------------

    def invoke(self, given: arguments.Invoke, stop: threading.Event) -> Json:
        """Start a run of a job. While `devbridge dev` runs, it runs the code as it is saved now;
        else what is deployed. A payload that the handler would refuse is not sent."""
        text = _json(given.payload)
        if given.check:
            payload.check_accepted(self._config, given.job, text, UNCHECKED)
        with stage_runs(self._config) as runs:
            started = runs.start(given.job, _data(text), key=given.idempotency_key)
            return self._started(runs, started, given, stop)

    def rerun(self, given: arguments.Rerun, stop: threading.Event) -> Json:
        """Run a run's job again, as a new run: with the same payload, or an edited one. With the
        same, what has failed goes on at its last checkpoint if it has left one."""
        with stage_runs(self._config) as runs:
            before = runs.find(given.run, given.job)
            job, same = before.record.job, given.payload is None
            text = (
                let_go(before.payload()).decode("utf-8", "surrogatepass")
                if same
                else _json(given.payload)
            )
            if given.check:
                payload.check_accepted(self._config, job, text, UNCHECKED)
            checkpoint = resumes_at(before) if same and not given.fresh else None
            try:
                started = runs.start(job, _data(text), checkpoint=checkpoint)
            except NotDeployed as error:
                rerun.say_where(error, before.record.job_id, self._config.stage)
                raise
            begins = {} if checkpoint is None else answers.value("beginsAtCheckpoint", checkpoint)
            return {**self._started(runs, started, given, stop), **begins}

    def _started(
        self,
        runs: StageRuns,
        started: Started,
        given: arguments.Invoke | arguments.Rerun,
        stop: threading.Event,
    ) -> Json:
        duplicate = {"duplicate": True} if started.duplicate else {}
        waits = {"note": NOT_YET} if runs.awaited(started.run) else {}
        if given.wait:
            ended = _ended(runs.closest(started.run), given.timeout_seconds, stop)
            return {**ended, **duplicate, **waits}
        record = started.run.record
        return {"id": record.job_id, "job": record.job, "state": record.state, **duplicate, **waits}

    def wait(self, given: arguments.WaitFor, stop: threading.Event) -> Json:
        """Wait until a run has ended; returns it, with its result or its error."""
        with stage_runs(self._config) as runs:
            return _ended(runs.find(given.run, given.job), given.timeout_seconds, stop)

    def cancel(self, given: arguments.Cancel, _stop: threading.Event) -> Json:
        """Cancel a run, whatever state it is in: a queued one never starts, one that runs gets
        SIGTERM, and SIGKILL after the grace period."""
        with stage_runs(self._config) as runs:
            done = runs.find(given.run, given.job).cancel()
        note = cancel.what_happened(done.was, done.state, waits=done.waits)
        return {**cancel.document(done), "note": note}

    # --- logs -------------------------------------------------------------------------------

    def read_log(self, given: arguments.ReadLog, stop: threading.Event) -> str:
        """Read what a run has printed: its last lines, those from a number on, or those with a
        text."""
        with stage_runs(self._config) as runs:
            run = runs.find(given.run, given.job)
            output = _until(run.output(follow=False, everything=given.everything), stop)
            found = part(output, given.lines, find=given.find, start=given.from_line)
            record = run.record
        if not found.total:
            printers = "" if given.everything else run.printers
            return logs.why_nothing(record, printers, "everything: true")
        more = "" if record.state.final else ", and more may come"
        return f"run {record.job_id} of {record.job}, {record.state}{more}: {found.text()}"

    def read_function_log(self, given: arguments.ReadFunctionLog, stop: threading.Event) -> str:
        """Read what a Function of the app, such as the handler of an API's route, has printed."""
        app = loaded(self._config, lenient=True)
        function = function_named(app, given.function)
        if function is None:
            names = [each.name for each in app.of_type(Function)]
            raise NotFound(
                f"the app has no function {given.function!r}{did_you_mean(given.function, names)}",
                remedy=f"use one of: {', '.join(names) or 'there is none'}",
            )
        since = timedelta(minutes=given.minutes)
        output = _until(
            printed(self._config, function, since, follow=False, everything=False), stop
        )
        found = part(output, given.lines, find=given.find)
        return f"{function.name}, the last {given.minutes:g} minutes: {found.text()}"

    # --- the loop of editing and running ----------------------------------------------------

    def dev_status(self, _given: arguments.DevStatus, _stop: threading.Event) -> Json:
        """Say whether `devbridge dev` runs here, which handlers it has loaded again since it began,
        and which it cannot load: error, file and line."""
        known = self._handlers()
        told: Json = {**self._stage(), "folder": str(self._config.root)}
        if not told["devRuns"]:
            told["note"] = START
        if known is not None and known.app:
            told["appError"] = known.app
        try:
            app = loaded(self._config, lenient=True)
        except AppError as error:
            return {**told, "appError": str(error)}
        for name, kind in (("jobs", Job), ("functions", Function)):
            codes: list[Code] = [*app.of_type(kind)]
            told[name] = [{"name": each.name, **self._handler(app, each, known)} for each in codes]
        return told

    def _handlers(self) -> handlers_file.Handlers | None:
        """What is known of handlers, while `devbridge dev` runs."""
        return handlers_file.read(self._config.handlers) if self._dev_runs() else None

    def _dev_runs(self) -> bool:
        return daemon_runs(self._config)

    def _stage(self, *, deployed: bool | None = None) -> Json:
        """Which stage it is, and where its runs are."""
        in_cloud = is_deployed(self._config) if deployed is None else deployed
        runs = "deployed" if in_cloud else "live"
        return {"stage": self._config.stage, "runsAre": runs, "devRuns": self._dev_runs()}

    def _handler(self, app: App, code: Code, known: handlers_file.Handlers | None) -> Json:
        handler = getattr(code, "handler", None)
        if handler is None:
            return {}
        source = source_of(code.runtime)
        told: Json = {"file": f"{handler.module}", "function": handler.function}
        saved = None
        if source is not None:
            path = source.file(self._config.root, handler.module)
            told["file"] = path.relative_to(self._config.root).as_posix()
            with contextlib.suppress(OSError):
                saved = path.stat().st_mtime
        if missing := app.missing.get(str(handler)):
            return {**told, "handler": "missing", "error": str(missing)}
        live = getattr(code, "live", False)
        is_function = isinstance(code, Function)
        state = answers.handler(known if live else None, code.name, saved, function=is_function)
        return {**told, **state}


Call = Callable[[Toolbox, Any, threading.Event], Json | str]


@dataclass(frozen=True, slots=True)
class Tool:
    """One of them."""

    takes: type[arguments.Arguments]
    call: Call
    reads: bool = False
    """It changes nothing."""
    ends: bool = False
    """It may end what somebody still wants."""

    @property
    def description(self) -> str:
        """What it does, for the agent."""
        return " ".join((self.call.__doc__ or "").split())


TOOLS: Final[Mapping[str, Tool]] = {
    "list_jobs": Tool(arguments.ListJobs, Toolbox.list_jobs, reads=True),
    "list_runs": Tool(arguments.ListRuns, Toolbox.list_runs, reads=True),
    "show_run": Tool(arguments.ShowRun, Toolbox.show_run, reads=True),
    "invoke": Tool(arguments.Invoke, Toolbox.invoke),
    "rerun": Tool(arguments.Rerun, Toolbox.rerun),
    "wait": Tool(arguments.WaitFor, Toolbox.wait, reads=True),
    "cancel": Tool(arguments.Cancel, Toolbox.cancel, ends=True),
    "read_log": Tool(arguments.ReadLog, Toolbox.read_log, reads=True),
    "read_function_log": Tool(arguments.ReadFunctionLog, Toolbox.read_function_log, reads=True),
    "dev_status": Tool(arguments.DevStatus, Toolbox.dev_status, reads=True),
}
"""By the name that the agent calls."""


def _json(given: object) -> str:
    """A payload: JSON text or, of a client that takes it apart, the value.

    Raises:
        PayloadNotJson: it is neither.
    """
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return payload.check_json(_data(text), "payload", QUOTED)


def _data(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _payload(run: Run) -> Json:
    """What a run was given, as far as that is kept."""
    try:
        return answers.value("payload", payload_of(run.payload()))
    except NotFound as error:
        return {"payloadMissing": error.what}


def _ended(run: Run, seconds: float, stop: threading.Event) -> Json:
    """A run that has ended, or goes on after so long. If nobody goes on with it, it is not waited
    for."""

    def pause(length: float) -> None:
        if stop.wait(length):
            raise Stopped

    waits = run.record.state.final or run.tended()
    try:
        record = until_ended(run, Clock(timedelta(seconds=seconds if waits else 0), sleep=pause))
    except JobNotFinished:
        record = run.refresh()
    tended = record.state.final or run.tended()
    return {**answers.run(record), **answers.goes_on(record, tended=tended)}


def _until(chunks: Iterator[bytes], stop: threading.Event) -> Iterator[bytes]:
    """What comes until nobody wants it any more."""
    for chunk in chunks:
        if stop.is_set():
            raise Stopped
        yield chunk
