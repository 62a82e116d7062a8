"""`devbridge diff`: what a deployment would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from devbridge.cli.common import app_options, loaded, print_json
from devbridge.cli.deploying import show_plan, steps, target, types_of
from devbridge.errors import EXIT_ERROR, EXIT_OK

if TYPE_CHECKING:
    from devbridge.config import Config


@click.command(
    epilog="""\b
Examples:
  devbridge diff --stage prod
  devbridge diff --stage prod --json | jq -r '.changes[] | select(.data) | .construct'
  devbridge diff --local --exit-code      in scripts: 1 if there is something to deploy

Each line is a change: + added, ~ changed, ! replaced, - removed; who may do what comes last.
"""
)
@click.option("--json", "json_", is_flag=True, help="Print JSON: the stack and its changes.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there are changes.")
@click.option("--python", metavar="PATH", help="The app's interpreter (default: the active venv).")
@app_options
def diff(config: Config, *, json_: bool, exit_code: bool) -> None:
    """Show what `devbridge deploy` would change.

    Nothing is changed. The jobs' handlers are imported to know their payloads.
    """
    from devbridge.deploy import Request
    from devbridge.deploy import diff as compare
    from devbridge.deploy.plan_text import as_json
    from devbridge.interpreter import verify_interpreter
    from devbridge.types import schemas

    app = loaded(config)
    verify_interpreter(config.python)
    types = types_of(app, config)
    with target(config) as there:
        said = steps(config, err=True)
        plan = compare(
            Request.of(config, app, there, "deployed", schemas=schemas(types), on_progress=said)
        )
    if json_:
        print_json(as_json(plan))
    elif plan:
        show_plan(plan)
    else:
        click.echo("nothing to deploy: the stage is up to date")
    click.get_current_context().exit(EXIT_ERROR if exit_code and plan else EXIT_OK)
