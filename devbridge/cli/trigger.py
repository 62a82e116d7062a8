"""`devbridge trigger`: send what starts a job by itself, the way that real events take."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from devbridge.cli import completing
from devbridge.cli.common import app_options, cloud, loaded, print_json
from devbridge.cli.payload import check_accepted
from devbridge.constructs.triggers import KINDS
from devbridge.errors import PayloadError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devbridge.cloud.session import Cloud
    from devbridge.config import Config
    from devbridge.constructs import Job, Trigger
    from devbridge.messages.chosen import Content
    from devbridge.messages.sending import Sent

WAITS = (
    "no `devbridge dev` runs here: what was sent waits for one, as long as its queue or its stream"
    " keeps it"
)
VARIABLE = "DEVBRIDGE_TOKEN"
OFFLINE = "no `devbridge dev` runs here: the job's `offline` says what becomes of it"


@click.command(
    epilog="""\b
Examples:
  devbridge trigger thumbs                          # an example, to its only trigger
  devbridge trigger orders --kind queue --set num=5
  devbridge trigger orders --on orders --event message.json --count 10
  devbridge trigger thumbs --kind object --key photos/one.jpg
  devbridge trigger index --kind table --set new.state=paid --set event=MODIFY
  devbridge trigger alarm --kind log --event line.txt
  devbridge trigger resize --kind request --token @token.txt
  devbridge trigger thumbs --print                  # what the invoker would get; nothing is sent
"""
)
@click.argument("job", shell_complete=completing.jobs)
@click.option("--on", metavar="NAME", help="The trigger's name, of a job that has several.")
@click.option("--kind", type=click.Choice(KINDS), help="The trigger's kind, in place of its name.")
@click.option(
    "--event",
    metavar="FILE|-",
    help="What is sent: the body of a message or a request, an event or its detail, the data of a"
    " record or an object, a line of a log, a row (or what the handler gets of it).",
)
@click.option(
    "--set",
    "sets",
    metavar="KEY=VALUE",
    multiple=True,
    help="Another value at a place in it: --set items.0.price=5. JSON, or a text.",
)
@click.option("--key", help="The key of the object that is put.")
@click.option(
    "--token",
    metavar="TEXT|@FILE",
    envvar=VARIABLE,
    help='For the authorizer of a route: what follows "Bearer", or the whole header. A text is seen'
    f" by all who may list this machine's processes: better @FILE, or the variable {VARIABLE}.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="So many of them.",
)
@click.option(
    "--print",
    "print_",
    is_flag=True,
    help="Send nothing: print the event that the job's invoker would be called with.",
)
@click.option(
    "--no-check", is_flag=True, help="Send a payload that is not what the job's handler declares."
)
@click.option("--json", "json_", is_flag=True, help="Print JSON: a list of what was sent.")
@app_options
def trigger(
    config: Config,
    *,
    job: str,
    on: str | None,
    kind: str | None,
    event: str | None,
    sets: Sequence[str],
    key: str | None,
    token: str | None,
    count: int,
    print_: bool,
    no_check: bool,
    json_: bool,
) -> None:
    """Send an event to a trigger of a job, the way that real events take.

    That is a message to its queue or topic, an object to its bucket, an event to its bus, a record
    to its stream, a row that is put, changed (--set event=MODIFY) or deleted (REMOVE) in its table,
    a line in the log, a request to its route or load balancer: what hears of it is tried, too. What
    a schedule sends is put into the job's own queue.

    Without --event, an example is made: of the type of the job's payload, and such that the
    trigger's filter lets it pass. JOB is the job's name in app.py.
    """
    from devbridge.messages.chosen import choose, content, payload
    from devbridge.messages.kinds import is_checked, waits
    from devbridge.payload.check import schema
    from devbridge.runs.invoker import find_job
    from devbridge.runs.lock import daemon_runs

    found = find_job(loaded(config), job)
    chosen = choose(found, on, kind)
    known = schema(found.name, str(config.schemas))
    given = None if event is None else _read(event)
    shown = _shown(chosen, token)
    sent = content(chosen, known, given, [_pair(each) for each in sets], key, shown)
    if not no_check and is_checked(chosen):
        check_accepted(config, found.name, _text(payload(chosen, sent)))
    if print_:
        _print_raw(found, config.stage, chosen, sent, count)
        return
    with cloud(config) as there:
        live = _is_live(there, config.stage, found)
        done = []
        for each in _sent(there, config.stage, found, chosen, sent, count, live=live):
            done.append(each)
            if not json_:
                _tell(each)
    if json_:
        print_json([each.as_json() for each in done])
    else:
        for note in _notes(found, done[0]):
            click.echo(note, err=True)
    if live and not daemon_runs(config):
        click.echo(WAITS if waits(chosen) else OFFLINE, err=True)


def _sent(
    there: Cloud, stage: str, job: Job, chosen: Trigger, sent: Content, count: int, *, live: bool
) -> Iterator[Sent]:
    from devbridge.deploy import resources
    from devbridge.messages.kinds import send
    from devbridge.messages.sending import Sender
    from devbridge.progress import task

    sender = Sender(there, job, stage, resources(there, job.app.name, stage), live=live)
    with task("trigger", str(chosen), count if count > 1 else 0) as shown:
        for _ in range(count):
            yield send(sender, chosen, sent)
            shown.add(1)


def _is_live(there: Cloud, stage: str, job: Job) -> bool:
    """Whether `devbridge dev` runs it."""
    from devbridge.deploy import stage_mode

    return job.live and stage_mode(there, job.app.name, stage) == "dev"


def _tell(sent: Sent) -> None:
    run = f", starts run {sent.run}" if sent.run else ""
    click.echo(f"sent {sent.what} {sent.id} to {sent.to}{run}")


def _notes(job: Job, sent: Sent) -> Iterator[str]:
    """What is to be known beside what was sent."""
    if sent.note:
        yield sent.note
    if not sent.run:
        yield f"which run it starts is not known here, see: devbridge jobs --job {job.name}"


def _print_raw(job: Job, stage: str, chosen: Trigger, sent: Content, count: int) -> None:
    from devbridge.messages.kinds import raw
    from devbridge.messages.samples import Sample

    print_json(raw([Sample(job, stage, chosen, sent) for _ in range(count)]))


def _shown(chosen: Trigger, token: str | None) -> str | None:
    """The token that the authorizer is shown."""
    context = click.get_current_context()
    if context.get_parameter_source("token") is ParameterSource.ENVIRONMENT:
        # The variable may be there for other triggers.
        return token if chosen.kind in ("request", "load-balancer") else None
    if token is None or not token.startswith("@"):
        return token
    return _read(token[1:], "token").decode("utf-8", "replace").strip()


def _read(given: str, what: str = "event") -> bytes:
    if given == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(given).read_bytes()
    except OSError as error:
        raise PayloadError(
            f"the {what}'s file cannot be read: {error.strerror or error}",
            where=given,
            remedy="name a file that is there, or - for standard input",
        ) from error


def _pair(given: str) -> tuple[str, Any]:
    from devbridge.messages.chosen import set_value

    try:
        return set_value(given)
    except ValueError:
        raise click.BadParameter(f"{given!r} is not KEY=VALUE", param_hint="--set") from None


def _text(value: Any) -> str:
    import json

    return json.dumps(value)
