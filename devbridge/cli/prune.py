"""`devbridge prune`: forget the runs that ended long ago, and delete their logs."""

from __future__ import annotations

import contextlib
import glob
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from devbridge.cli.common import app_options, print_json
from devbridge.cli.text import duration_within, iso, size
from devbridge.errors import AlreadyRunning
from devbridge.runs.ledger import Ledger
from devbridge.runs.lock import only_one

if TYPE_CHECKING:
    from devbridge.config import Config

KEPT: Final = timedelta(days=14)
"""For this long a run, and with it its idempotency key, is remembered at least."""

WORTH_COMPACTING: Final = 1 << 20
"""Unused bytes of the ledger for which it is written anew, if they are also a quarter of it."""


class Logs:
    """Deletes the logs of runs, with what their rotation has left, and counts."""

    def __init__(self, folder: Path, *, dry_run: bool) -> None:
        self._folder = folder
        self._dry_run = dry_run
        self.count = 0
        self.bytes = 0

    def delete(self, path: Path) -> None:
        """Delete the log that was once written as `path`: the app's folder may have moved."""
        for file in self._folder.glob(glob.escape(path.name) + "*"):
            with contextlib.suppress(FileNotFoundError):
                count = file.stat().st_size
                if not self._dry_run:
                    file.unlink()
                self.count += 1
                self.bytes += count


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
    before = time.time() - older_than.total_seconds()
    logs = Logs(config.logs_dir, dry_run=dry_run)
    runs = left = 0
    if config.ledger.exists():
        with Ledger.open(config.ledger) as book:
            if dry_run:
                old = book.ended_before(before)
                for _, log in old:
                    logs.delete(Path(log))
                runs = len(old)
            else:
                runs = book.prune(before, delete_log=logs.delete)
                _compact(config, book)
            left = book.free()[1]
    if json_:
        print_json(
            {
                "dryRun": dry_run,
                "before": iso(before),
                "runs": runs,
                "logs": logs.count,
                "logBytes": logs.bytes,
                "ledgerBytes": left,
            }
        )
        return
    click.echo(
        f"{'would remove' if dry_run else 'removed'} {runs} runs that ended before {iso(before)},"
        f" and {logs.count} log files of {size(logs.bytes)}; the ledger has {size(left)}"
    )
    if older_than < KEPT and runs:
        click.echo(
            f"a request with one of their idempotency keys {'would start' if dry_run else 'starts'}"
            " a new run now",
            err=True,
        )


def forget_old_runs(config: Config, book: Ledger) -> None:
    """What `devbridge dev` does by itself when it starts: keep what must be kept, and no more."""
    logs = Logs(config.logs_dir, dry_run=False)
    book.prune(time.time() - KEPT.total_seconds(), delete_log=logs.delete)


def _compact(config: Config, book: Ledger) -> None:
    """Make the file smaller when that pays, and no daemon could be kept from writing by it."""
    unused, all_ = book.free()
    if unused < WORTH_COMPACTING or unused * 4 < all_:
        return
    with (
        contextlib.suppress(AlreadyRunning),
        only_one(config.stage_dir / "daemon.lock", config.stage, "prune"),
    ):
        book.compact()
