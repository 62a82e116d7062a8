"""What deploy, diff, remove and dev share: what they ask, and what they print."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, TextIO

import click

from devbridge.cli.common import say_slow
from devbridge.errors import EXIT_ERROR, NotConfirmed
from devbridge.interrupts import heeded
from devbridge.palette import ALWAYS
from devbridge.printable import continued, one_line
from devbridge.progress import LINE

if TYPE_CHECKING:
    from devbridge.cloud.session import Cloud
    from devbridge.config import Config
    from devbridge.constructs import App
    from devbridge.deploy.plan import Plan
    from devbridge.live.steps import Steps
    from devbridge.types import JobTypes

_LOOKS: Final = {"+": ALWAYS.good, "~": ALWAYS.warn, "!": ALWAYS.replaced, "-": ALWAYS.bad}


@contextlib.contextmanager
def target(config: Config) -> Iterator[Cloud]:
    """The cloud that a deployment means: an embedded one only with `--local`.

    If none runs then, one is started and stopped again.
    """
    from devbridge.cli.common import cloud
    from devbridge.cloud.session import connect

    if config.local:
        with cloud(config, start=True) as there:
            yield there
    else:
        yield connect(config, config.endpoint)


@contextlib.contextmanager
def only_this(config: Config, command: str) -> Iterator[None]:
    """While the block runs, no other command of this folder changes or runs the stage.

    A deployment or removal that is under way is waited for.

    Raises:
        AlreadyRunning: `devbridge dev` runs it.
    """
    from devbridge.runs.lock import only_one

    lock = config.lock
    with only_one(lock, config.stage, command, lambda text: click.echo(f"  wait     {text}")):
        yield


def steps(config: Config, *, err: bool = False) -> Steps:
    """Says a deployment's steps: on a terminal, and without `--verbose`, only their summary.

    Args:
        err: on stderr, where stdout is for what was asked for.
    """
    from devbridge.live.left_out import LeftOut
    from devbridge.live.steps import Steps

    brief = is_brief(config, sys.stderr if err else sys.stdout)
    return Steps(
        lambda text: click.echo(continued(text), err=err),
        ALWAYS,
        "summary" if brief else "all",
        left=LeftOut(config.left_out) if brief and not err else None,
    )


def is_brief(config: Config, stream: TextIO) -> bool:
    """Whether a terminal's last line shows how far what takes time has come, so that its steps
    need not stay on `stream`."""
    return LINE.shows and stream.isatty() and not config.verbose


def types_of(app: App, config: Config) -> Mapping[str, JobTypes]:
    """What each job takes and returns; handlers are imported for it. A signal ends that at once."""
    from devbridge.live.schemas import job_types

    with interruptible():
        return job_types(app, config, warn_once, say_slow)


def show_plan(plan: Plan) -> None:
    """Print the plan, one line a change, coloured by what happens."""
    from devbridge.deploy.plan_text import lines

    for line in lines(plan):
        look = _LOOKS.get(line[0], str)
        click.echo(look(one_line(line)))


def has_terminal() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin is not None and sys.stdin.isatty()


def confirm(question: str, what: str) -> None:
    """Return if the answer is yes.

    Args:
        what: what is not done without an answer, for the error: ``the deployment replaces data``.

    Raises:
        NotConfirmed: there is no terminal to ask on.
        click.exceptions.Exit: the answer is no.
    """
    if not has_terminal():
        raise NotConfirmed(
            f"{what}, and there is no terminal to ask on",
            remedy="nothing was changed; if it is meant so, give --yes",
        )
    if not click.confirm(question):
        LINE.entered()
        click.echo("nothing was changed", err=True)
        raise click.exceptions.Exit(EXIT_ERROR)
    LINE.entered()


@functools.cache  # who asks again after each save is told again
def warn_once(text: str) -> None:
    """Say on stderr what is wrong and goes on; each text once."""
    click.echo(f"{ALWAYS.warning('warning:')} {text}", err=True)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end devbridge as Ctrl-C does: it cleans up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {n: signal.signal(n, interrupt) for n in heeded(signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
