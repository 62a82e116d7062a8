"""`devbridge synth`: what a deployment would deploy, as files; no cloud is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from devbridge.cli.common import app_options, loaded
from devbridge.cli.deploying import steps, types_of

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.names import Mode

_ACCOUNT = re.compile(r"[0-9]{12}")
_MAKES: Final[Mapping[str, str]] = {"dev": "dev", "deployed": "deploy"}


@click.command(
    epilog="""\b
Examples:
  devbridge synth --stage prod | cfn-lint -
  devbridge synth --stage prod --out build/synth --zips
  checkov --framework cloudformation --file build/synth/template.json
  devbridge synth --dev --out build/dev      a stage of `devbridge dev`, with its stubs

The same app makes the same bytes. The account's number is made up unless --account names it, the
region is us-east-1 unless --region does. Without --zips the template names each zip by what it is
of, and says of each job that it has packages; with --zips all is as `devbridge deploy` makes it.
"""
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write to this folder: new, empty, or of an earlier call (default: print the template).",
)
@click.option("--zips", is_flag=True, help="Write what is in the zips, too; needs --out.")
@click.option("--dev", is_flag=True, help="As `devbridge dev` deploys it, not `devbridge deploy`.")
@click.option("--account", metavar="NUMBER", help="The account's number (default: 123456789012).")
@click.option("--python", metavar="PATH", help="The app's interpreter (default: the active venv).")
@app_options
def synth(config: Config, *, out: Path | None, zips: bool, dev: bool, account: str | None) -> None:
    """Write the template and the zips to files, for scanners and reviewers.

    Nothing is deployed, and neither credentials nor a network are needed; but with --zips pip
    downloads the wheels of compiled packages for AWS's platform, unless its cache has them or
    --local is given. With --zips the jobs' handlers are imported to know their payloads.
    """
    from devbridge.deploy import Request, offline, synthesize
    from devbridge.interpreter import verify_interpreter
    from devbridge.types import schemas

    if zips and out is None:
        raise click.UsageError("--zips needs --out DIR: the folder for what is in the zips")
    if account is not None and not _ACCOUNT.fullmatch(account):
        raise click.UsageError(f"--account {account!r} is not a number of 12 digits")
    app = loaded(config)
    verify_interpreter(config.python)
    nowhere = offline.Nowhere(
        config.region or offline.REGION, account or offline.ACCOUNT, local=config.local
    )
    mode: Mode = "dev" if dev else "deployed"
    assets = None
    if zips:
        types = schemas(types_of(app, config))
        said = steps(config, err=True)
        template, assets = synthesize(
            Request.of(config, app, nowhere, mode, schemas=types, on_progress=said)
        )
    else:
        template = offline.template_only(Request.of(config, app, nowhere, mode))
    if out is None:
        click.echo(offline.pretty(template), nl=False)
        return
    offline.write(out, app.name, template, assets)
    click.echo(f"app {app.name}, stage {config.stage}, as devbridge {_MAKES[mode]} makes it")
    click.echo(f"wrote {out / offline.TEMPLATE}")
    if assets is not None:
        click.echo(f"wrote {out / offline.ZIPS}, {len({a.label for a in assets})} zips unpacked")
