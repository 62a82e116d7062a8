"""What the commands about runs share: the option that names one, and the stage's runs."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from devbridge import printable
from devbridge.cli import completing
from devbridge.cli.common import cloud, loaded, print_json
from devbridge.cli.text import coloured
from devbridge.errors import EXIT_OK
from devbridge.palette import ALWAYS

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from pathlib import Path

    from devbridge.cloud.session import Cloud
    from devbridge.config import Config
    from devbridge.constructs import App
    from devbridge.runs.base import Run, RunRecord
    from devbridge.runs.find import StageRuns

F = TypeVar("F", bound=Callable[..., Any])

_NEWEST: Final = 50
"""Runs that are looked at for those that are under way."""
NOBODY: Final = "the run is {}, and no `devbridge dev` is here to go on with it: waiting for one"


def run_options(command: F) -> F:
    """The argument and the option that name a run."""
    job = click.option(
        "--job",
        metavar="NAME",
        shell_complete=completing.jobs,
        help="The run's job, for a whole JOB_ID that the ledger of this folder does not have.",
    )
    return click.argument("job_id", shell_complete=completing.runs)(job(command))


@contextlib.contextmanager
def stage_runs(config: Config, known: tuple[App, Cloud] | None = None) -> Iterator[StageRuns]:
    """All runs of the stage. app.py is loaded, and the cloud connected, when a run needs them.

    Args:
        known: the app and the cloud, of who has them already.

    Raises (inside the block):
        AppError: app.py cannot be loaded.
        CloudNotRunning, CredentialsError, CloudError: as `devbridge.cli.common.cloud`.
    """
    from devbridge.deploy.stage_runs import opened

    with contextlib.ExitStack() as stack:

        @functools.cache
        def app() -> App:
            return known[0] if known else loaded(config)

        @functools.cache
        def there() -> Cloud:
            if known:
                return known[1]
            app()  # an app.py that cannot be loaded is told first
            return stack.enter_context(cloud(config))

        yield stack.enter_context(opened(config, app, there, _unheard))


def _unheard(why: str) -> None:
    click.echo(why, err=True)


def under_way(config: Config, app: App, there: Cloud) -> Sequence[Run]:
    """The stage's runs in the cloud that have not ended, as far as anybody can tell: what keeps
    them going may be about to go."""
    from botocore.exceptions import BotoCoreError, ClientError

    from devbridge.errors import DevbridgeError

    try:
        with stage_runs(config, (app, there)) as runs:
            found = [run for _, run in runs.recent(_NEWEST, None, None, deployed=True)]
    except (DevbridgeError, BotoCoreError, ClientError):
        return ()
    return [run for run in found if not run.record.state.final]


def list_runs(title: str, runs: Sequence[Run]) -> None:
    """Print which runs these are, if there are any."""
    if runs:
        click.echo(f"{title}:")
    for run in runs:
        click.echo(f"  {run.record.job_id}  {run.record.state}")


def start_options(command: F) -> F:
    """`--no-check` and `--wait`, for commands that start a run."""
    check = click.option(
        "--no-check",
        is_flag=True,
        help="Send a payload that is not what the job's handler declares.",
    )
    wait = click.option(
        "--wait", is_flag=True, help="Wait for the end; the exit code is that of `devbridge wait`."
    )
    return check(wait(command))


def start_and_print(
    runs: StageRuns,
    root: Path,
    job: str,
    payload: str,
    *,
    key: str | None = None,
    checkpoint: bytes | None = None,
    at: datetime | None = None,
    wait: bool,
    json_: bool,
) -> int:
    """Start a run, print its id, and with `wait` how it has ended; returns the exit code.

    Args:
        root: the app's folder.
        key: with the same one no second run is started.
        checkpoint: another one than its beginning, where it begins.
        at: when it is to start, in UTC; None: now.

    Raises:
        UnknownJob, NotDeployed, PayloadTooLarge, InvokeError: as `StageRuns.start`.
    """
    data = payload.encode("utf-8", "surrogatepass")
    started = runs.start(job, data, key=key, checkpoint=checkpoint, at=at)
    record = started.run.record
    if not (wait and json_):
        _print_started(record, started.duplicate, json_=json_)
    if not json_:
        if runs.awaited(started.run):
            from devbridge.runs.find import NOT_YET

            click.echo(NOT_YET, err=True)
        shown = runs.mentioned(record.job_id)
        click.echo(f"see its output: devbridge logs {shown} --follow", err=True)
        sys.stdout.flush()
    return wait_and_print(runs.closest(started.run), root, None, json_=json_) if wait else EXIT_OK


def _print_started(record: RunRecord, duplicate: bool, *, json_: bool) -> None:
    from devbridge.runs.text import iso

    job_id, job, state = record.job_id, record.job, record.state
    starts = None if record.starts_at is None else iso(record.starts_at)
    if json_:
        then = {} if starts is None else {"startAt": starts}
        print_json({"id": job_id, "job": job, "state": state, "duplicate": duplicate, **then})
        return
    before = "  (the key was used before: this is its run)" if duplicate else ""
    at = "" if starts is None else f"  starts at {starts}"
    click.echo(f"{job_id}  {job}  {coloured(state)}{at}{before}")


def print_ended(record: RunRecord, root: Path, *, json_: bool) -> None:
    """Print how a run of the app in this folder has ended."""
    from devbridge.runs.text import as_json

    if json_:
        print_json(as_json(record))
        return
    from devbridge.daemon import lines

    if record.created_at is None:  # an invoker tells no times
        from devbridge.failures import in_full

        failure, returned = record.failure, lines.returned(record.result)
        why = f": {in_full(failure, root)}" if failure else ""
        click.echo(f"{coloured(record.state)}{printable.continued(why)}{returned}")
        return
    for line in lines.ended(record, root, ALWAYS):
        click.echo(line)


def wait_and_print(run: Run, root: Path, timeout: timedelta | None, *, json_: bool) -> int:
    """Wait until a run has ended, print how, and return the exit code that tells it.

    Raises:
        JobNotFinished: the time is over.
    """
    from devbridge.runs.waiting import EXIT_CODES

    try:
        record = wait_for(run, timeout)
    except KeyboardInterrupt:
        click.echo(f"the run goes on; to end it: devbridge cancel {run.record.job_id}", err=True)
        raise
    print_ended(record, root, json_=json_)
    return EXIT_CODES[record.state]


def wait_for(run: Run, timeout: timedelta | None) -> RunRecord:
    """Wait until a run has ended; what is known of it then, with its result.

    Raises:
        JobNotFinished: the time is over.
    """
    from devbridge.runs.waiting import Clock, until_ended

    clock = Clock(timeout)
    if not run.record.state.final and not run.tended():
        click.echo(NOBODY.format(run.record.state), err=True)
    return until_ended(run, clock)
