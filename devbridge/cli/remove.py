"""`devbridge remove`: delete the stage's stack with everything in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from devbridge.cli.common import app_options, cloud
from devbridge.errors import EXIT_ERROR

if TYPE_CHECKING:
    from devbridge.cloud.session import Cloud
    from devbridge.config import Config
    from devbridge.deploy import Progress


def resources(there: Cloud, stack: str) -> list[tuple[str, str]]:
    """The type and the name of each resource that the stack has."""
    pages = there.client("cloudformation").get_paginator("list_stack_resources")
    return sorted(
        (resource["ResourceType"], resource.get("PhysicalResourceId", ""))
        for page in pages.paginate(StackName=stack)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceStatus"] != "DELETE_COMPLETE"
    )


def _say(progress: Progress) -> None:
    click.echo(f"  {progress}")


@click.command(
    epilog="""\b
Examples:
  devbridge remove --local
  devbridge remove --profile sandbox --stage try --yes
"""
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@app_options
def remove(config: Config, *, yes: bool) -> None:
    """Remove the stage from the cloud, its tables and their data too.

    Says what it will remove, and asks. The ledger and the logs of the runs stay in .devbridge/.
    """
    from devbridge.daemon.lock import only_one  # noqa: PLC0415
    from devbridge.deploy import load_app, names, outputs  # noqa: PLC0415
    from devbridge.deploy import remove as delete  # noqa: PLC0415

    app = load_app(config.root)
    stack = names.stack(app.name, config.stage)
    config.make_dirs()
    with (
        only_one(config.stage_dir / "daemon.lock", config.stage),
        cloud(config, start=True) as there,
    ):
        outputs(there, app.name, config.stage)  # raises where nothing is deployed
        place = there.endpoint_url or f"account {there.account}, region {there.region}"
        click.echo(f"to be removed: stack {stack} in {place}, with")
        for kind, name in resources(there, stack):
            kept = " and all that is in it" if kind == "AWS::DynamoDB::Table" else ""
            click.echo(f"  {kind}  {name}{kept}")
        if not yes and not click.confirm("remove all of this for good?"):
            click.echo("nothing was removed", err=True)
            click.get_current_context().exit(EXIT_ERROR)
        delete(there, app.name, config.stage, _say)
        click.echo(f"removed: app {app.name}, stage {config.stage}")
