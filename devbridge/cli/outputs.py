"""`devbridge outputs`: what the stage has deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from devbridge.cli.common import app_options, cloud, loaded, print_json

if TYPE_CHECKING:
    from devbridge.config import Config


@click.command(
    epilog="""\b
Examples:
  devbridge outputs
  curl -X POST "$(devbridge outputs --json | jq -r .ApiUrl)/factorial"
"""
)
@click.option("--json", "json_", is_flag=True, help="Print JSON: an object of names and values.")
@app_options
def outputs(config: Config, *, json_: bool) -> None:
    """Print what the stage has deployed, the API's URL first."""
    from devbridge.deploy import outputs as deployed

    app = loaded(config)
    with cloud(config) as there:
        values = deployed(there, app.name, config.stage)
    if json_:
        print_json(values)
        return
    width = max(map(len, values), default=0)
    for name, value in values.items():
        click.echo(f"{name:<{width}}  {value}")
