"""One run, wherever it is: in this folder's ledger, in CodeBuild, or with another daemon."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from devbridge.cli.common import cloud, ledger
from devbridge.cli.text import iso
from devbridge.errors import NotDeployed, NotFound, UnknownJob, UnknownRun
from devbridge.protocol.codec import is_id

if TYPE_CHECKING:
    from pathlib import Path

    from devbridge.cli.deployed import DeployedRun, DeployedStage
    from devbridge.cloud.session import Cloud
    from devbridge.config import Config
    from devbridge.constructs import App, Job
    from devbridge.runs.base import RunRecord
    from devbridge.runs.ledger_reader import LedgerReader

F = TypeVar("F", bound=Callable[..., Any])

Ask = Callable[[str], dict[str, Any]]
"""Asks the run's invoker one thing ("cancel", "status", "result") and returns its answer."""

NOBODY: Final = "the run is {}, and no `devbridge dev` is here to go on with it: waiting for one"


@dataclass(frozen=True, slots=True)
class Found:
    """A run that was named on the command line. At most one of `entry` and `build` is there;
    without either, only a daemon elsewhere knows it."""

    job_id: str
    job: str
    entry: RunRecord | None = None
    """What the ledger has of it."""
    build: DeployedRun | None = None


def run_options(command: F) -> F:
    """The argument and the option that name a run."""
    job = click.option(
        "--job",
        metavar="NAME",
        help="The run's job, for a whole JOB_ID that the ledger of this folder does not have.",
    )
    return click.argument("job_id")(job(command))


# --- where the stage's runs are -----------------------------------------------------------------


def mark_deployed(config: Config) -> None:
    """Note that the stage's jobs run in CodeBuild now: `devbridge deploy` has deployed them."""
    config.make_dirs()
    _marker(config).touch(mode=0o600)


def mark_dev(config: Config) -> None:
    """Note that the stage's jobs run in `devbridge dev` now."""
    _marker(config).unlink(missing_ok=True)


def is_deployed(config: Config) -> bool:
    """Whether the stage's runs are CodeBuild's, as far as this folder knows: it was deployed from
    here last, or no `devbridge dev` has ever run it here."""
    return _marker(config).exists() or not config.ledger.exists()


def _marker(config: Config) -> Path:
    return config.stage_dir / "deployed"


# --- which run ----------------------------------------------------------------------------------


@contextlib.contextmanager
def found_run(
    config: Config, given: str, job: str | None = None
) -> Iterator[tuple[Found, LedgerReader | None]]:
    """The run that was named by its id or the beginning of it, and the ledger to go on reading.

    The id of a build is always a build's. Any other is the ledger's, if that has it; else, where
    the stage is deployed, a build's.

    Raises:
        UnknownRun: there is no such run, or there are several.
        NotFound: it is a run of another job.
    """
    from devbridge.runs.codebuild import is_build_id

    with contextlib.ExitStack() as stack:
        book = stack.enter_context(ledger(config))
        run = None
        if is_build_id(given):
            from devbridge.cli.deployed import deployed_stage

            run = _of_build(stack.enter_context(deployed_stage(config)).named(given))
        elif book is not None:
            run = _in_ledger(book, given)
        if run is None and (":" in given or is_deployed(config)):
            from devbridge.cli.deployed import deployed_stage

            run = _among_builds(stack.enter_context(deployed_stage(config)), given, job)
        if run is None:
            run = _elsewhere(given, job)
        elif job not in (None, run.job):
            raise NotFound(
                f"the run {run.job_id} is one of job {run.job!r}, not of {job!r}",
                remedy="leave --job out",
            )
        yield run, book


def _in_ledger(book: LedgerReader, given: str) -> Found | None:
    entry = _only_one(book.find(given.lower()) if given else [], given)
    return None if entry is None else Found(entry.job_id, entry.job, entry)


def _among_builds(stage: DeployedStage, given: str, job: str | None) -> Found | None:
    # A project's name has upper case where its job's has.
    runs = stage.beginning(given if ":" in given else given.lower(), job) if given else []
    _only_one([run.entry for run in runs], given)
    return _of_build(runs[0]) if runs else None


def _of_build(build: DeployedRun) -> Found:
    return Found(build.entry.job_id, build.entry.job, build=build)


def _only_one(found: Sequence[RunRecord], given: str) -> RunRecord | None:
    """As git finds a commit.

    Raises:
        UnknownRun: there is more than one.
    """
    if len(found) < 2:
        return found[0] if found else None
    listed = "\n".join(
        f"    {entry.job_id}  {entry.job}  {entry.state}  {iso(entry.created_at)}"
        for entry in found
    )
    raise UnknownRun(
        f"{len(found)} runs have an id that begins with {given!r}:\n{listed}",
        remedy="give more of the id",
    )


def _elsewhere(given: str, job: str | None) -> Found:
    """A run that is to be asked for with its whole id and its job.

    Raises:
        UnknownRun: it is not named so.
    """
    whole = given.lower()
    if job is not None and is_id(whole):
        return Found(whole, job)
    raise UnknownRun(
        f"no run has an id that begins with {given!r}",
        remedy="if it runs elsewhere, name its job: --job NAME"
        if is_id(whole)
        else "see `devbridge jobs`",
    )


# --- the invoker --------------------------------------------------------------------------------


def find_job(app: App, name: str) -> Job:
    """The app's job of that name.

    Raises:
        UnknownJob: there is none; the error lists those there are.
    """
    from devbridge.constructs import Job

    jobs = {job.name: job for job in app.of_type(Job)}
    if name in jobs:
        return jobs[name]
    close = difflib.get_close_matches(name, jobs, n=1)
    raise UnknownJob(
        f"the app {app.name!r} has no job {name!r}"
        + (f"; did you mean {close[0]!r}?" if close else ""),
        where=str(app.where),
        remedy=f"use one of its jobs: {', '.join(sorted(jobs)) or 'it has none'}",
    )


def ask_invoker(
    there: Cloud, job: Job, stage: str, action: str, payload: str = "null", **fields: str
) -> dict[str, Any]:
    """Send one question to the job's invoker and return its answer.

    Raises:
        NotDeployed: the stage has no such invoker.
        PayloadTooLarge: the payload is over Lambda's limit.
        UnknownRun: no such run is known.
        InvokeError: the invoker was reached, and failed or refused.
    """
    from devbridge import names
    from devbridge.job import ask

    function = names.invoker(job, stage)
    client = there.client("lambda")
    try:
        return ask(client, function, job.name, action, payload, **fields)
    except client.exceptions.ResourceNotFoundException as error:
        from devbridge.deploy import check_naming

        check_naming(there, job.app.name, stage)
        raise NotDeployed(
            f"the job {job.name!r} is not deployed at stage {stage!r}",
            where=f"function {function}",
            remedy="deploy it: devbridge dev or devbridge deploy, or name the right --stage",
        ) from error


@contextlib.contextmanager
def invoker(config: Config, run: Found) -> Iterator[Ask]:
    """Asks the invoker of the run's job.

    Raises:
        UnknownJob: the app has no such job.
        NotDeployed, UnknownRun, InvokeError: as `ask_invoker`.
    """
    from devbridge.constructs.load import load_app

    job = find_job(load_app(config.root, config.stage), run.job)
    with cloud(config) as there:
        yield lambda action: ask_invoker(there, job, config.stage, action, jobId=run.job_id)


def answer_as_json(answer: dict[str, Any]) -> dict[str, Any]:
    """A run's status from the invoker, with the names that `devbridge jobs --json` has."""
    return {
        "id": answer["jobId"],
        "job": answer["job"],
        "state": answer["state"],
        "attempt": answer["attempt"] or None,
        "maxAttempts": answer["maxAttempts"],
        "result": answer.get("result"),
        "error": answer.get("failure"),
    }
