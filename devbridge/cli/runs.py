"""One run, whether this folder's ledger knows it or only the daemon behind the invoker does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from devbridge.cli.common import cloud, ledger
from devbridge.cli.invoke import ask_invoker, find_job
from devbridge.cli.logs import find_run
from devbridge.errors import NotFound, UnknownRun
from devbridge.protocol.codec import is_id

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.daemon.ledger import Entry, Ledger

F = TypeVar("F", bound=Callable[..., Any])

Ask = Callable[[str], dict[str, Any]]
"""Asks the run's invoker one thing ("cancel", "status", "result") and returns its answer."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run that was named on the command line."""

    job_id: str
    job: str
    entry: Entry | None
    """What the ledger has of it."""


def run_options(command: F) -> F:
    """The argument and the option that name a run."""
    job = click.option(
        "--job",
        metavar="NAME",
        help="The run's job, for a whole JOB_ID that the ledger of this folder does not have.",
    )
    return click.argument("job_id")(job(command))


def find(book: Ledger | None, given: str, job: str | None) -> Found:
    """The run with that id, or with an id that begins so.

    Raises:
        UnknownRun: the ledger does not have it, or has several, and it is not a whole id with a
            job's name either.
    """
    try:
        if book is None:
            raise UnknownRun(
                "no job has been run here yet",
                remedy="start `devbridge dev`, then `devbridge invoke NAME`",
            )
        entry = find_run(book, given)
    except UnknownRun as error:
        whole = given.lower()
        if not is_id(whole):
            raise
        if job is None:
            raise UnknownRun(
                error.what, remedy="if it runs elsewhere, name its job: --job NAME"
            ) from None
        return Found(whole, job, None)
    if job not in (None, entry.job):
        raise NotFound(
            f"the run {entry.job_id} is one of job {entry.job!r}, not of {job!r}",
            remedy="leave --job out",
        )
    return Found(entry.job_id, entry.job, entry)


@contextlib.contextmanager
def found_run(config: Config, given: str, job: str | None) -> Iterator[tuple[Found, Ledger | None]]:
    """The run that was named, and the ledger to go on reading.

    Raises:
        UnknownRun: see `find`.
    """
    with ledger(config) as book:
        yield find(book, given, job), book


@contextlib.contextmanager
def invoker(config: Config, run: Found) -> Iterator[Ask]:
    """Asks the invoker of the run's job.

    Raises:
        UnknownJob: the app has no such job.
        NotDeployed, UnknownRun, InvokeError: as `devbridge.cli.invoke.ask_invoker`.
    """
    from devbridge.deploy.load import load_app  # noqa: PLC0415

    job = find_job(load_app(config.root), run.job)
    with cloud(config) as there:
        yield lambda action: ask_invoker(there, job, config.stage, action, jobId=run.job_id)


def answer_as_json(answer: dict[str, Any]) -> dict[str, Any]:
    """A run's status from the invoker, with the names that `devbridge jobs --json` has."""
    return {
        "id": answer["jobId"],
        "job": answer["job"],
        "state": answer["state"],
        "attempt": answer["attempt"],
        "maxAttempts": answer["maxAttempts"],
        "result": answer.get("result"),
        "error": answer.get("failure"),
    }
