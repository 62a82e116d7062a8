"""The payloads that a job may be given: those of its last runs, those that somebody has saved, and
samples. Saved ones are plain files of the app, to be shared with it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from devbridge.console import stage_model
from devbridge.console.subject import Subject
from devbridge.console.text import json_text
from devbridge.constructs import Job
from devbridge.errors import InvalidValue, NotFound, PayloadError
from devbridge.payload.check import schema
from devbridge.payload.example import example
from devbridge.payload.given import check_json
from devbridge.runs.base import Wanted
from devbridge.runs.invoker import find_job
from runner.triggered import payload_of

FOLDER: Final = ".devbridge-payloads"
"""Below the app's folder: ``JOB/NAME.json``."""
RECENT: Final = 10
LARGEST: Final = 256 * 1024
"""Bytes of a payload that is offered."""
_LOOKED: Final = 50
_WRITING: Final = threading.Lock()
"""Pages ask at the same time."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")


def payloads(subject: Subject, name: str) -> stage_model.Payloads:
    """What a job may be given.

    Raises:
        UnknownJob: there is no such job.
    """
    job = find_job(subject.app(), name)
    return stage_model.Payloads(
        list(_recent(subject, job)), list(_saved(_folder(subject, job))), _samples(subject, job)
    )


def save(subject: Subject, job: str, name: str, payload: str) -> None:
    """Keep a payload by a name, in place of one that has it.

    Raises:
        UnknownJob: there is no such job.
        InvalidValue: there are no such names.
        PayloadNotJson: it is no JSON.
    """
    path = _path(subject, job, name)
    text = check_json(payload.encode("utf-8", "surrogatepass"), "the payload", "correct it")
    with _WRITING:
        if path.is_dir():
            raise InvalidValue("a folder has that name", where=str(path), remedy="use another one")
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(text if text.endswith("\n") else f"{text}\n", "utf-8", "surrogatepass")
        new.replace(path)


def forget(subject: Subject, job: str, name: str) -> None:
    """Delete a payload that was saved.

    Raises:
        NotFound: there is none of that name.
    """
    path = _path(subject, job, name)
    with _WRITING:
        if not path.is_file():
            raise NotFound(f"no payload {name!r} of job {job!r} is saved", where=str(path))
        path.unlink()
        for folder in (path.parent, path.parent.parent):
            if not any(folder.iterdir()):
                folder.rmdir()


def _folder(subject: Subject, job: Job) -> Path:
    return subject.config.root / FOLDER / job.name


def _path(subject: Subject, job: str, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise InvalidValue(
            f"a payload cannot be called {name!r}",
            remedy="use 1 to 64 letters, digits, spaces and . _ -, a letter or a digit first",
        )
    return _folder(subject, find_job(subject.app(), job)) / f"{name}.json"


def _recent(subject: Subject, job: Job) -> Iterator[stage_model.Recent]:
    """Those of the last runs, each once."""
    seen: set[bytes] = set()
    with subject.runs() as (runs, deployed):
        try:
            found = runs.search(Wanted(job=job.name), limit=_LOOKED, deployed=deployed).runs
        except NotFound:  # nothing of the stage is deployed yet
            return
        for run in found:
            try:
                payload = payload_of(run.payload())
            except NotFound:
                continue
            if payload not in seen and len(payload) <= LARGEST:
                seen.add(payload)
                at = run.record.created_at
                yield stage_model.Recent(run.record.job_id, at, json_text(payload))
            if len(seen) == RECENT:
                return


def _saved(folder: Path) -> Iterator[stage_model.Named]:
    for path in sorted(folder.glob("*.json")):
        if not (_NAME.fullmatch(path.stem) and path.is_file()):
            continue
        if path.stat().st_size <= LARGEST:
            yield stage_model.Named(path.stem, json_text(path.read_bytes().rstrip(b"\n")))


def _samples(subject: Subject, job: Job) -> list[stage_model.Named]:
    """An example of what the handler takes, and of what each trigger listens to."""
    from devbridge.messages.chosen import content

    known = schema(job.name, str(subject.config.schemas))
    made = json.dumps(example(known or {}), ensure_ascii=False, indent=2)
    samples = [stage_model.Named("example", made)]
    for trigger in job.triggers:
        label = f"{trigger.kind} {trigger.label}"
        try:
            value = content(trigger, known, None).value
        except PayloadError:
            continue
        text = json.dumps(value, ensure_ascii=False, indent=2)
        samples.append(stage_model.Named(label, text, label))
    return samples
