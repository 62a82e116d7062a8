"""`devbridge prune`: forget the runs that ended long ago, and delete their logs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from devbridge.cli.common import app_options, print_json
from devbridge.cli.text import duration_within, size
from devbridge.runs import pruning
from devbridge.runs.text import iso
from devbridge.words import many

if TYPE_CHECKING:
    from devbridge.config import Config


@click.command(
    epilog="""\b
Examples:
  devbridge prune
  devbridge prune --older-than "30 days" --dry-run
"""
)
@click.option(
    "--older-than",
    type=duration_within(timedelta(hours=1), timedelta(days=36500)),
    metavar="TIME",
    default="14 days",
    show_default=True,
    help='How long ago a run must have ended, for example "12 hours" or "30 days".',
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--json", "json_", is_flag=True, help="Print JSON: what was removed, what is left.")
@app_options
def prune(config: Config, *, older_than: timedelta, dry_run: bool, json_: bool) -> None:
    """Forget the runs that ended long ago, and delete their logs.

    Runs that have not ended are never touched. `devbridge dev` may go on meanwhile.
    """
    done = pruning.prune(config, older_than, dry_run=dry_run)
    if json_:
        print_json(
            {
                "dryRun": dry_run,
                "before": iso(done.before),
                "runs": done.runs,
                "logs": done.logs,
                "logBytes": done.log_bytes,
                "ledgerBytes": done.ledger_bytes,
            }
        )
        return
    click.echo(
        f"{'would remove' if dry_run else 'removed'} {many(done.runs, 'run')} that ended before"
        f" {iso(done.before)}, and {many(done.logs, 'log file')} of {size(done.log_bytes)};"
        f" the ledger has {size(done.ledger_bytes)}"
    )
    if older_than < pruning.KEPT and done.runs:
        click.echo(
            f"a request with one of their idempotency keys {'would start' if dry_run else 'starts'}"
            " a new run now",
            err=True,
        )
