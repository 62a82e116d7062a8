"""`devbridge remove`: delete the stage; what it retains stays, unless that shall go, too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import click

from devbridge.cli.common import app_options, cloud, loaded
from devbridge.cli.deploying import confirm, interruptible, only_this, steps
from devbridge.cli.runs import list_runs, under_way
from runner.outcome import QUEUED, SCHEDULED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from devbridge.config import Config
    from devbridge.deploy.remove import Inventory, Resource
    from devbridge.runs.base import Run

_AT_ONCE: Final = 8


@click.command(
    epilog="""\b
Examples:
  devbridge remove --local
  devbridge remove --profile sandbox --stage try --yes
  devbridge remove --stage prod --delete-data     what the stage retains goes, too
"""
)
@click.option(
    "--delete-data",
    is_flag=True,
    help="Also delete what the stage retains: tables, buckets, queues, the values of secrets.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@app_options
def remove(config: Config, *, delete_data: bool, yes: bool) -> None:
    """Remove the stage from the cloud; data is kept unless told otherwise.

    Says what it will remove and what it will keep, and asks. A stage of `devbridge dev` keeps
    the values of its secrets and what has removal="retain"; a deployed one its tables, buckets and
    queues, too. Runs that are under way in the cloud are cancelled. The ledger and the logs of the
    runs stay in .devbridge/.
    """
    from devbridge.constructs import Job
    from devbridge.deploy import outputs
    from devbridge.deploy.remove import inventory
    from devbridge.deploy.remove import remove as delete
    from devbridge.packing.container import delete_repository
    from devbridge.runs.find import mark_dev

    app = loaded(config)
    config.make_dirs()
    with (
        interruptible(),
        only_this(config, "remove"),
        cloud(config, start=True) as there,
    ):
        found = inventory(there, app.name, config.stage, left=delete_data)
        if not (found.stack_id or (found and delete_data)):
            outputs(there, app.name, config.stage)  # raises: nothing is deployed
        place = there.endpoint_url or f"account {there.account}, region {there.region}"
        _announce(found, place, delete_data=delete_data)
        begun = under_way(config, app, there) if found.stack_id else ()
        list_runs("to be cancelled, for it is under way", begun)
        if not yes:
            confirm(
                "remove all of this for good?", f"app {app.name}, stage {config.stage} is to go"
            )
        _cancel(begun)
        said = steps(config)
        removed = delete(there, app.name, config.stage, said, delete_data=delete_data)
        if any(job.container for job in app.of_type(Job)):
            delete_repository(there, app.name, config.stage)
        said.end()
        mark_dev(config)
        click.echo(f"removed: app {app.name}, stage {config.stage}")
        if removed and (removed.kept or removed.secrets):
            click.echo(f"kept in {place}:")
            _list(removed.kept, removed.secrets)
            if not delete_data:
                local = " --local" if config.local else ""
                click.echo(
                    f"to delete it: devbridge remove --stage {config.stage}{local} --delete-data"
                )


def _cancel(begun: Sequence[Run]) -> None:
    """Cancel runs: those that wait first, or they would get the turns of the others."""
    waits = [run for run in begun if run.record.state in (QUEUED, SCHEDULED)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for runs in (waits, [run for run in begun if run not in waits]):
            for line in filter(None, pool.map(_cancelled, runs)):
                click.echo(line, err=True)


def _cancelled(run: Run) -> str:
    """Cancel a run; in words, why that could not be done."""
    from botocore.exceptions import BotoCoreError, ClientError

    from devbridge.errors import DevbridgeError

    try:
        run.cancel()
    except (DevbridgeError, BotoCoreError, ClientError) as error:
        return f"warning: {run.record.job_id} could not be cancelled: {error}"
    return ""


def _announce(found: Inventory, place: str, *, delete_data: bool) -> None:
    going = [each for each in found.resources if delete_data or not each.kept]
    stack = f"stack {found.stack_id.split('/')[1]}" if found.stack_id else "what was retained"
    click.echo(f"to be removed: {stack} in {place}, with")
    _list(going, found.secrets if delete_data else (), note="  and all that is in it")
    if not delete_data and (found.kept or found.secrets):
        click.echo("to be kept:")
        _list(found.kept, found.secrets)


def _list(resources: Iterable[Resource], secrets: Iterable[str], note: str = "") -> None:
    for each in resources:
        label = "" if each.label == each.name else f"  {each.label}"
        click.echo(f"  {each.type}  {each.name}{label}{note if each.data else ''}")
    for name in secrets:
        click.echo(f"  AWS::SSM::Parameter  the value of secret {name!r}")
