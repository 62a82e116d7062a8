"""`devbridge jobs`: the runs that the ledger knows, or CodeBuild where the stage is deployed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from devbridge.cli.common import app_options, ledger, print_json
from devbridge.cli.runs import is_deployed
from devbridge.cli.text import ago, coloured, iso, table
from devbridge.errors import CloudError
from devbridge.runs.model import State

if TYPE_CHECKING:
    from devbridge.cli.deployed import DeployedRun
    from devbridge.config import Config
    from devbridge.runs.base import RunRecord
    from devbridge.runs.ledger_reader import LedgerReader

SHORT: Final = 8
"""The characters of an id that are shown, or more where that many would not be unique."""

NOTHING_YET: Final = (
    "no job has been run here yet: start `devbridge dev --local`, then"
    " `devbridge invoke NAME --payload JSON`"
)
NOTHING_DEPLOYED_YET: Final = (
    "no job has been run at stage {0} yet: devbridge invoke NAME --payload JSON --stage {0}"
)


def short_id(book: LedgerReader, job_id: str) -> str:
    """The shortest beginning of an id, of 8 characters or more, that no other run's id has."""
    return _shortened(job_id, [entry.job_id for entry in book.find(job_id[:SHORT])])


def _shortened(job_id: str, all_ids: Sequence[str]) -> str:
    others = [other for other in all_ids if other != job_id]
    length = SHORT
    while any(other.startswith(job_id[:length]) for other in others):
        length += 1
    return job_id[:length]


def run_time(entry: RunRecord, now: float) -> float | None:
    """The seconds that a run has taken, or has been running for; None when it never started."""
    if entry.started_at is None:
        return None
    return max(0.0, (entry.ended_at or now) - entry.started_at)


def as_json(entry: RunRecord) -> dict[str, Any]:
    """A run as `--json` prints it: times in ISO 8601 (UTC), `duration` in seconds."""
    failure = entry.failure
    return {
        "id": entry.job_id,
        "job": entry.job,
        "state": entry.state.value,
        "createdAt": iso(entry.created_at),
        "startedAt": None if entry.started_at is None else iso(entry.started_at),
        "endedAt": None if entry.ended_at is None else iso(entry.ended_at),
        "duration": None
        if entry.started_at is None or entry.ended_at is None
        else round(entry.ended_at - entry.started_at, 3),
        "attempt": entry.attempt or None,
        "maxAttempts": entry.max_attempts,
        "exitCode": entry.exit.code if entry.exit else None,
        "signal": entry.exit.signal if entry.exit else None,
        "result": None if entry.result is None else json.loads(entry.result),
        "error": None if failure is None else {"type": failure.type, "message": failure.message},
        "log": entry.log or None,
    }


@click.command(
    epilog="""\b
Examples:
  devbridge jobs
  devbridge jobs --job factorial --state FAILED
  devbridge jobs --json | jq -r '.[0].id'
"""
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many."
)
@click.option("--job", metavar="NAME", help="Only the runs of this job.")
@click.option(
    "--state",
    type=click.Choice([state.value for state in State], case_sensitive=False),
    help="Only the runs in this state.",
)
@click.option(
    "--deployed",
    is_flag=True,
    help="The runs in CodeBuild, though `devbridge dev` was the last to deploy this stage.",
)
@click.option("--json", "json_", is_flag=True, help="Print JSON: a list of runs, times in UTC.")
@app_options
def jobs(
    config: Config,
    *,
    limit: int,
    job: str | None,
    state: str | None,
    deployed: bool,
    json_: bool,
) -> None:
    """List the runs of this stage, the newest first.

    They are those of `devbridge dev` in this folder; where the stage was deployed last, or dev has
    never run it here, those in CodeBuild.
    """
    wanted = State(state) if state else None
    if deployed or is_deployed(config):
        from devbridge.cli.deployed import deployed_stage

        with deployed_stage(config) as stage:
            runs = stage.recent(limit=limit, job=job, state=wanted)
            entries = [_whole(run) if json_ else run.entry for run in runs]
        ids = _build_ids(entries, short=is_deployed(config))
        nothing = NOTHING_DEPLOYED_YET.format(config.stage)
    else:
        with ledger(config) as book:
            assert book is not None  # noqa: S101 - without a ledger the stage counts as deployed
            entries = book.recent(limit=limit, job=job, state=wanted)
            ids = [short_id(book, entry.job_id) for entry in entries]
        nothing = NOTHING_YET
    if json_:
        print_json([as_json(entry) for entry in entries])
    elif entries:
        now = time.time()
        rows = [(id_, *_row(entry, now)) for id_, entry in zip(ids, entries, strict=True)]
        click.echo(table(("ID", "JOB", "STATE", "WHEN", "TOOK", "ERROR"), rows))
    else:
        click.echo("no run matches" if job or state else nothing)


def _whole(run: DeployedRun) -> RunRecord:
    """A run with its result, unless that was a large one that S3 does not have any more."""
    try:
        return run.whole()
    except CloudError as error:
        click.echo(f"{run.entry.job_id}: {error.what}", err=True)
        return run.entry


def _build_ids(builds: Sequence[RunRecord], *, short: bool) -> list[str]:
    """What names each build. Unless `short`, with its project: where `devbridge dev` was last, an
    id without one is a run's of the ledger."""
    parts = [build.job_id.rpartition(":") for build in builds]
    uuids = [uuid for _, _, uuid in parts]
    return [
        _shortened(uuid, uuids) if short else f"{project}:{_shortened(uuid, uuids)}"
        for project, _, uuid in parts
    ]


def _row(entry: RunRecord, now: float) -> tuple[str, ...]:
    from devbridge.daemon import lines

    seconds = run_time(entry, now)
    several = entry.attempt and entry.max_attempts > 1
    attempts = f" {entry.attempt}/{entry.max_attempts}" if several else ""
    return (
        entry.job,
        coloured(entry.state) + attempts,
        ago(now - entry.created_at),
        "-" if seconds is None else lines.duration(seconds),
        entry.failure.type if entry.failure else "",
    )
