"""Ask the app's interpreter what its jobs take and return."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import runner
from devbridge.constructs import App, Job
from devbridge.environment import how_to_pass, inherited, isolated, withheld
from devbridge.languages.python import probe_script
from devbridge.types.model import Instance, JobTypes, Slow
from devbridge.types.resources import placeholders
from devbridge.types.sender_schema import accepted
from runner import stuck

Json = dict[str, Any]
_LOOK: Final = 0.1
"""Seconds between two looks at whether that is so."""


def probe(
    app: App,
    python: Path,
    given: Sequence[str] = (),
    *,
    jobs: Iterable[Job] | None = None,
    timeout: float = 120.0,
    slow: Callable[[Slow], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, JobTypes]:
    """What each job takes and returns, told by its handler's annotations.

    The handlers' modules are imported by `python` as a worker imports them, in processes of their
    own. What cannot be imported, or not within `timeout` seconds, gives a warning, and takes and
    returns anything.

    Args:
        given: with `--env`.
        jobs: of the app; all that have a handler, if none are named.
        slow: is told of a handler that takes long, again and again.
        stopped: asked often; when it says so, what is being imported is killed, and jobs that
            nothing is known of yet take and return anything.
    """
    found: dict[str, JobTypes] = {}
    handlers: dict[str, tuple[str, Mapping[str, str]]] = {}
    environment = _environment(app, given)
    asked_of = [job for job in (app.of_type(Job) if jobs is None else jobs) if job.handler]
    for job in asked_of:
        handlers[job.name] = (str(job.handler), dict(job.environment))
    while handlers:
        # Python reads it when it starts: one process for each value.
        path = next(iter(handlers.values()))[1].get("PYTHONPATH", "")
        asked = {name: h for name, h in handlers.items() if h[1].get("PYTHONPATH", "") == path}
        there = {**environment, **({"PYTHONPATH": path} if path else {})}
        answers, problem = _ask(app.root, python, asked, there, timeout, slow, stopped)
        if stopped():
            return {job.name: found.get(job.name, JobTypes()) for job in asked_of}
        # The first one without an answer ended the process; those behind it get another.
        ended = next((name for name in asked if name not in answers), None)
        if ended is not None:
            answers[ended] = {"warning": problem}
        for name, answer in answers.items():
            found[name] = _types({**answer, "warning": _explained(answer["warning"], environment)})
            del handlers[name]
    return {job.name: found[job.name] for job in asked_of}


def _explained(warning: str, environment: Mapping[str, str]) -> str:
    """A warning with the way to give a variable that was looked up, where the shell has it."""
    missing = re.search(r"\bKeyError: '(\w+)'$", warning)
    if missing and missing[1] in withheld(os.environ, environment):
        return f"{warning}; your shell has it, and jobs do not get it: {how_to_pass(missing[1])}"
    return warning


def _types(answer: Json) -> JobTypes:
    payload, by = answer.get("payload"), answer.get("checked")
    return JobTypes(
        payload,
        answer.get("result"),
        tuple(Instance(i["class"], i["form"], i["fields"]) for i in answer.get("instances", ())),
        accepted(payload, by) if payload is not None and by else None,
        answer["warning"],
        "payload" in answer,
    )


def _environment(app: App, given: Sequence[str]) -> dict[str, str]:
    """A worker's environment without credentials; what is bound has names that stand for none."""
    return {
        **inherited(os.environ, app.shell, given),
        **placeholders(app),
        **isolated("us-east-1"),
        "LAMBDA_TASK_ROOT": str(app.root),
    }


def _ask(
    root: Path,
    python: Path,
    handlers: Mapping[str, tuple[str, Mapping[str, str]]],
    environment: Mapping[str, str],
    timeout: float,
    slow: Callable[[Slow], None],
    stopped: Callable[[], bool],
) -> tuple[dict[str, Json], str]:
    """The answers that came, and why no more came."""
    place = Path(runner.__file__).parent.parent
    names = [handler for handler, _ in handlers.values()]
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as asked,
        tempfile.TemporaryDirectory() as folder,
    ):
        note = Path(folder, "note")
        asked.write(json.dumps(handlers).encode())
        asked.seek(0)
        try:
            # A session of its own: Ctrl-C is not for it, and it can be killed with what it started.
            process = subprocess.Popen(
                [python, "-P", probe_script.__file__, place, root, note],
                stdin=asked,
                stdout=out,
                stderr=subprocess.DEVNULL,
                cwd=root,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            return {}, f"{python} does not start: {error.strerror}"
        try:
            waited = _Waiting(names, slow, lambda: stuck.place(str(note), str(root)))
            problem = waited.for_(process, out.fileno(), timeout, stopped)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        out.seek(0)
        lines = [json.loads(line) for line in out if line.endswith(b"\n")]
    return {line.pop("job"): line for line in lines}, problem or "importing it ended Python"


class _Waiting:
    """Waits for the answers about some handlers, one after the other."""

    def __init__(
        self, handlers: Sequence[str], slow: Callable[[Slow], None], place: Callable[[], str]
    ) -> None:
        self._handlers = handlers
        self._slow = slow
        self._place = place
        self._answered = 0
        self._began = time.monotonic()
        """When the import of the first handler without an answer has."""
        self._told = 0

    def for_(
        self,
        process: subprocess.Popen[bytes],
        out: int,
        timeout: float,
        stopped: Callable[[], bool],
    ) -> str:
        """Until the process has ended, or shall end; why it gave no more answers, if it is known.

        Args:
            out: the file that it writes a line to for each handler.
        """
        until = time.monotonic() + timeout
        while not stopped():
            try:
                code = process.wait(_LOOK)
            except subprocess.TimeoutExpired:
                # Its position is the process's own: nobody else may move it.
                answered = os.pread(out, os.fstat(out).st_size, 0).count(b"\n")
                now = time.monotonic()
                if now > until:
                    return f"importing it takes longer than {timeout:g} s"
                self._look(answered, now)
            else:
                return f"importing it ended Python with exit code {code}" if code else ""
        return ""

    def _look(self, answered: int, now: float) -> None:
        if answered != self._answered:
            self._answered, self._began, self._told = answered, now, 0
        seconds = now - self._began
        if answered == len(self._handlers) or self._told == len(stuck.NOTICES):
            return
        if seconds >= stuck.NOTICES[self._told]:
            # Where it was is noted once.
            at = "" if self._told else self._place()
            file = f"{self._handlers[answered].rpartition('.')[0]}.py"
            self._slow(Slow(f"importing {file}", seconds, at))
            self._told += 1
