"""`devbridge dlq`: look at the messages of runs that have failed for good, send them back, or
delete them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from devbridge import printable
from devbridge.cli import completing
from devbridge.cli.common import app_options, cloud, loaded, print_json
from devbridge.cli.deploying import confirm
from devbridge.cli.runs import stage_runs
from devbridge.cli.text import ago, table
from devbridge.errors import CloudError
from devbridge.palette import ALWAYS
from devbridge.progress import task
from devbridge.words import many

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.messages.letters import Letter
    from devbridge.messages.stage import Box, Boxes

F = TypeVar("F", bound=Callable[..., Any])

LIMIT = 100
"""Messages that are listed where nothing is said."""


@click.group(
    epilog="""\b
Examples:
  devbridge dlq list                    # which dead-letter queues have messages
  devbridge dlq list orders
  devbridge dlq show orders 3f2a        # the beginning of a message's id is enough
  devbridge dlq redrive orders --all
"""
)
def dlq() -> None:
    """List, send back and delete the messages of runs that have failed for good.

    QUEUE is a job's name, for the dead letters of its triggers; or the name of a Queue that is a
    dead-letter queue, or has one.
    """


def _selection(command: F) -> F:
    """The queue, the ids of messages in it, and `--all`."""
    every = click.option("--all", "all_", is_flag=True, help="All messages of the queue.")
    ids = click.argument("ids", nargs=-1, metavar="[ID]...")
    queue = click.argument("queue", shell_complete=completing.jobs)
    return queue(ids(every(command)))


@dlq.command(
    "list",
    epilog="""\b
Examples:
  devbridge dlq list
  devbridge dlq list orders --stage prod
  devbridge dlq list orders --json | jq -r '.[].error'
""",
)
@click.argument("queue", required=False, shell_complete=completing.jobs)
@click.option(
    "--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="At most so many."
)
@click.option("--json", "json_", is_flag=True, help="Print JSON: a list.")
@app_options
def list_(config: Config, *, queue: str | None, limit: int, json_: bool) -> None:
    """List the messages of a dead-letter queue, the oldest first.

    Without QUEUE, all dead-letter queues of the stage, with how many messages each has. Looking
    hides the messages from others for a moment.
    """
    with _boxes(config) as boxes:
        if queue is None:
            _overview(boxes.overview(limit), json_=json_)
            return
        found, more = boxes.of(queue).look(limit)
    if json_:
        print_json([letter.as_json() for letter in found])
    elif found:
        now = time.time()
        head = ("ID", "WHEN", "ATTEMPTS", "RUN", "TRIGGER", "ERROR")
        click.echo(table(head, [_row(letter, now) for letter in found]))
    else:
        click.echo(f"no message is in the dead letters of {queue}")
    if more:
        click.echo("there may be more messages than were seen: --limit N", err=True)


@dlq.command(
    epilog="""\b
Examples:
  devbridge dlq show orders 3f2a
  devbridge dlq show orders 3f2a --json | jq -r .body
"""
)
@click.argument("queue", shell_complete=completing.jobs)
@click.argument("id_", metavar="ID")
@click.option("--json", "json_", is_flag=True, help="Print JSON: an object.")
@app_options
def show(config: Config, *, queue: str, id_: str, json_: bool) -> None:
    """Show one message: its body, and all that it carries."""
    with _boxes(config) as boxes:
        letter = boxes.of(queue).one(id_)
    told = letter.as_json()
    if json_:
        print_json(told)
        return
    body, attributes = told.pop("body"), told.pop("attributes")
    lines = {key: value for key, value in told.items() if value is not None}
    if records := lines.pop("records", None):
        lines |= {f"records {key}": value for key, value in records.items() if key != "kind"}
    lines |= {f"attribute {key}": value for key, value in attributes.items() if key != "devbridge"}
    width = max(map(len, lines))
    for key, value in lines.items():
        below = "\n" + " " * (width + 2)
        click.echo(f"{key:<{width}}  {below.join(printable.lines(str(value)))}")
    click.echo(f"\n{printable.shown(_readable(body))}")


def _readable(body: str) -> str:
    """JSON in lines of its own: SNS's envelope is one long line."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body


@dlq.command(
    epilog="""\b
Examples:
  devbridge dlq redrive orders 3f2a 7c9e
  devbridge dlq redrive orders --all --dry-run
  devbridge dlq redrive orders --all --stage prod
"""
)
@_selection
@click.option("--dry-run", is_flag=True, help="Only say what would be sent back, and where to.")
@click.option(
    "--json", "json_", is_flag=True, help='Print JSON: {"redriven", "to", "kept", "dryRun"}.'
)
@app_options
def redrive(
    config: Config, *, queue: str, ids: tuple[str, ...], all_: bool, dry_run: bool, json_: bool
) -> None:
    """Send messages back to where they came from: their jobs run once more.

    What was in no queue, its job's invoker is called with, or its Function. Of records of a stream
    or a table that were given up, a message has only the place: they are read from it, which keeps
    them for 24 hours unless it says otherwise; what is gone from there stays here, and is said.

    A message that is sent back twice, because this was interrupted, starts one run, unless its
    trigger has done="succeeded": then it is two messages.
    """
    _check_selection(ids, all_=all_)
    with _boxes(config) as boxes:
        box = boxes.of(queue)
        wanted = None if all_ else box.whole(ids)
        total = box.count() if wanted is None else len(wanted)
        told = _told_at_the_end(box, json_=json_, dry_run=dry_run)
        with task("redrive", queue, total) as shown, told:
            box.redrive(wanted, dry_run=dry_run, told=lambda: shown.add(1))
    done = box.moved
    if json_:
        kept = [{"id": each, "reason": why} for each, why in done.kept]
        print_json({"redriven": done.ids, "to": box.to, "kept": kept, "dryRun": dry_run})
    if done.kept:
        raise CloudError(
            f"{many(len(done.kept), 'message stays', 'messages stay')} in the dead letters",
            where=queue,
            remedy=f"see it: devbridge dlq show {queue} {done.kept[0][0][:8]}",
        )


@dlq.command(
    epilog="""\b
Examples:
  devbridge dlq purge orders 3f2a
  devbridge dlq purge orders --all --yes
"""
)
@_selection
@click.option("--dry-run", is_flag=True, help="Only say how many would be deleted.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "json_", is_flag=True, help='Print JSON: {"purged", "dryRun"}.')
@app_options
def purge(
    config: Config,
    *,
    queue: str,
    ids: tuple[str, ...],
    all_: bool,
    dry_run: bool,
    yes: bool,
    json_: bool,
) -> None:
    """Delete messages for good. Asks."""
    _check_selection(ids, all_=all_)
    with _boxes(config) as boxes:
        box = boxes.of(queue)
        wanted = None if all_ else box.whole(ids)
        total = box.count() if wanted is None else len(wanted)
        what = f"{many(total, 'message')} of the dead letters of {queue}"
        if dry_run or not total:
            if json_:
                print_json({"purged": wanted or [], "dryRun": dry_run})
            else:
                click.echo(f"would delete {what}" if dry_run else f"deleted {what}")
            return
        if not yes:
            confirm(f"delete {what} for good?", f"{what} are to go")
        with task("purge", queue, total) as shown:
            try:
                box.purge(wanted, told=lambda: shown.add(1))
            finally:
                if not json_:
                    gone = many(len(box.moved.ids), "message")
                    click.echo(f"deleted {gone} of the dead letters of {queue}")
    if json_:
        print_json({"purged": box.moved.ids, "dryRun": False})


@contextlib.contextmanager
def _boxes(config: Config) -> Iterator[Boxes]:
    """The dead-letter queues of the stage."""
    from devbridge.deploy import resources
    from devbridge.messages.stage import Boxes

    app = loaded(config)
    with cloud(config) as there, stage_runs(config, (app, there)) as runs:
        found = resources(there, app.name, config.stage)
        yield Boxes(app, there, found, config.stage, runs.named)


@contextlib.contextmanager
def _told_at_the_end(box: Box, *, json_: bool, dry_run: bool) -> Iterator[None]:
    """However it ends: what was not sent back is still where it was."""
    try:
        yield
    finally:
        if not json_:
            click.echo(box.summary(dry_run=dry_run))
            for each, why in box.moved.kept:
                click.echo(f"{each}  {ALWAYS.bad('stays')}: {why}", err=True)


def _check_selection(ids: Sequence[str], *, all_: bool) -> None:
    if bool(ids) == all_:
        raise click.UsageError("name messages by their ids, or all of them with --all")


def _overview(found: Sequence[tuple[Any, int, float | None]], *, json_: bool) -> None:
    from devbridge.runs.text import iso

    if json_:
        print_json(
            [
                {
                    "queue": place.name,
                    "of": list(place.of),
                    "messages": count,
                    "oldest": None if oldest is None else iso(oldest),
                }
                for place, count, oldest in found
            ]
        )
    elif found:
        now = time.time()
        rows = [
            (
                place.name,
                ALWAYS.bad(f"{count:,}") if count else "0",
                "-" if oldest is None else ago(now - oldest),
                ", ".join(place.of),
            )
            for place, count, oldest in found
        ]
        click.echo(table(("QUEUE", "MESSAGES", "OLDEST", "OF"), rows))
    else:
        click.echo("app.py has no dead-letter queue: nothing has triggers, no Queue a dead_letter")


def _row(letter: Letter, now: float) -> tuple[str, ...]:
    return (
        letter.id[:8],
        ago(now - letter.sent_at),
        str(letter.attempt) if letter.attempt is not None else "-",
        letter.run.rpartition(":")[2][:8] or "-",
        letter.trigger or "-",
        "; ".join(line.strip() for line in printable.lines(letter.error)),
    )
