"""Ask the app's interpreter what its jobs take and return."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import runner
from devbridge.constructs import App, Job
from devbridge.environment import how_to_pass, inherited, isolated, withheld
from devbridge.types import probe_script
from devbridge.types.resources import placeholders
from devbridge.types.sender_schema import accepted

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Instance:
    """A class whose instances a job takes as its payload."""

    name: str
    """``jobs.factorial.Factorial``"""
    form: str
    """``dataclass``, ``attrs``, ``struct`` or ``pydantic``."""
    fields: Mapping[str, str]
    """Each field's type as Python writes it: one of JSON's scalars, or ``object``."""


@dataclass(frozen=True, slots=True)
class JobTypes:
    """What a job takes and returns."""

    payload: Json | None = None
    """JSON Schema; None for anything."""
    result: Json | None = None
    instances: tuple[Instance, ...] = ()
    accepted: Json | None = None
    """What to check before a payload is sent: a schema that refuses nothing which the handler's
    side accepts. None: nothing can be checked."""
    warning: str = ""
    """Why something could not be told."""
    loaded: bool = True
    """Its handler could be imported."""


def probe(
    app: App, python: Path, given: Sequence[str] = (), *, timeout: float = 120.0
) -> dict[str, JobTypes]:
    """What each job takes and returns, told by its handler's annotations.

    The handlers' modules are imported by `python` as a worker imports them, in processes of their
    own. What cannot be imported, or not within `timeout` seconds, gives a warning, and takes and
    returns anything.

    Args:
        given: with `--env`.
    """
    found: dict[str, JobTypes] = {}
    handlers: dict[str, tuple[str, Mapping[str, str]]] = {}
    environment = _environment(app, given)
    for job in app.of_type(Job):
        if job.handler is None:
            found[job.name] = JobTypes(result={"type": "null"})
        else:
            handlers[job.name] = (str(job.handler), dict(job.environment))
    while handlers:
        # Python reads it when it starts: one process for each value.
        path = next(iter(handlers.values()))[1].get("PYTHONPATH", "")
        asked = {name: h for name, h in handlers.items() if h[1].get("PYTHONPATH", "") == path}
        there = {**environment, **({"PYTHONPATH": path} if path else {})}
        answers, problem = _ask(app.root, python, asked, there, timeout)
        # The first one without an answer ended the process; those behind it get another.
        ended = next((name for name in asked if name not in answers), None)
        if ended is not None:
            answers[ended] = {"warning": problem}
        for name, answer in answers.items():
            found[name] = _types({**answer, "warning": _explained(answer["warning"], environment)})
            del handlers[name]
    return {job.name: found[job.name] for job in app.of_type(Job)}


def schemas(types: Mapping[str, JobTypes]) -> dict[str, Json]:
    """What `devbridge.payload.check` reads: job name -> the schema of its payloads."""
    return {job: known.accepted for job, known in types.items() if known.accepted is not None}


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
) -> tuple[dict[str, Json], str]:
    """The answers that came, and why no more came."""
    place = Path(runner.__file__).parent.parent
    problem = ""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as asked:
        asked.write(json.dumps(handlers).encode())
        asked.seek(0)
        try:
            done = subprocess.run(
                [python, "-P", probe_script.__file__, place, root],
                stdin=asked,
                stdout=out,
                stderr=subprocess.DEVNULL,
                cwd=root,
                env=environment,
                timeout=timeout,
                check=False,
            )
            if done.returncode:
                problem = f"importing it ended Python with exit code {done.returncode}"
        except subprocess.TimeoutExpired:
            problem = f"importing it takes longer than {timeout:g} s"
        except OSError as error:
            problem = f"{python} does not start: {error.strerror}"
        out.seek(0)
        lines = [json.loads(line) for line in out if line.endswith(b"\n")]
    return {line.pop("job"): line for line in lines}, problem or "importing it ended Python"
