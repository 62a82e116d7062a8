"""What deploy, diff, remove and dev share: what they ask, and what they print."""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from devbridge.errors import EXIT_ERROR, NotConfirmed
from devbridge.palette import ALWAYS
from devbridge.printable import continued, one_line

if TYPE_CHECKING:
    from concurrent.futures import Future

    from devbridge.cloud.session import Cloud
    from devbridge.config import Config
    from devbridge.constructs import App
    from devbridge.deploy import Progress
    from devbridge.deploy.plan import Plan
    from devbridge.types import JobTypes

CLOUD_STAYS: Final = "the embedded cloud goes on; stop it with: devbridge cloud stop"

_LOOKS: Final = {"+": ALWAYS.good, "~": ALWAYS.warn, "!": ALWAYS.replaced, "-": ALWAYS.bad}

Emphasis = Callable[[str], str]
Schemas = Mapping[str, Any]
"""JSON Schemas of the jobs' payloads, by the job's name."""


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

    lock = config.stage_dir / "daemon.lock"
    with only_one(lock, config.stage, command, lambda text: click.echo(f"  wait     {text}")):
        yield


def say_progress(progress: Progress, *, err: bool = False) -> None:
    """One step of a deployment; on stderr where stdout is for what was asked for."""
    line = continued(f"  {progress}")
    click.echo(ALWAYS.bad(line) if progress.failed else line, err=err)


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
        click.echo("nothing was changed", err=True)
        raise click.exceptions.Exit(EXIT_ERROR)


def job_types(
    app: App, config: Config, stopped: Callable[[], bool] = lambda: False
) -> Mapping[str, JobTypes]:
    """What each job takes and returns.

    A handler that cannot be imported here is a warning: it may need what only CodeBuild has.

    Args:
        stopped: whether Ctrl-C has ended the command, and the imports, too.
    """
    from devbridge.types import probe

    types = probe(app, config.python, config.env)
    for name, each in types.items():
        if each.warning and not stopped():
            _warn(name, each.warning)
    return types


@functools.cache  # `dev` asks after each save: what is known is not said again
def _warn(job: str, text: str) -> None:
    warning = ALWAYS.warning("warning:")
    click.echo(f"{warning} job {job!r}: {text}", err=True)


def known_schemas(app: App, config: Config, stopped: Callable[[], bool] = lambda: False) -> Schemas:
    """What is checked before a payload is sent. It is kept for live jobs, and the stubs for type
    checkers are written, too."""
    from devbridge.folders import write_private
    from devbridge.types import schemas, write

    types = job_types(app, config, stopped)
    found = schemas(types)
    if not stopped():
        write(app, types)
        config.make_dirs()
        write_private(config.schemas, json.dumps(found))
    return found


@contextlib.contextmanager
def payload_schemas(app: App, config: Config) -> Iterator[Future[Schemas]]:
    """`known_schemas`, asked for while the block prepares what does not depend on it."""
    from concurrent.futures import ThreadPoolExecutor

    stopped = threading.Event()
    with ThreadPoolExecutor(1, "types") as pool:
        try:
            yield pool.submit(known_schemas, app, config, stopped.is_set)
        except KeyboardInterrupt:
            stopped.set()
            raise


def ready(
    app: App,
    outputs: Mapping[str, str],
    said: str,
    *,
    options: str = "",
    bold: Emphasis = str,
) -> Iterator[str]:
    """What was deployed, and what to do next.

    Args:
        said: the line between the two: ``Ready in 1.2s: factorial.``
        options: those that a devbridge command needs to mean this stage, e.g. ``--stage prod``.
    """
    from devbridge import names
    from devbridge.constructs import Api, Job

    for key, value in outputs.items():
        if key.endswith("Url"):
            yield f"{key:<12} {bold(value)}"
    calls = []
    for api in app.of_type(Api):
        for route in api.routes:
            method, _, path = route.key.rpartition(" ")
            url = f"{outputs[names.output(api, 'Url')]}{path if path != '$default' else '/'}"
            calls.append(f"  curl {f'-X {method} ' if method not in ('', 'ANY') else ''}'{url}'")
    if not calls:
        given = f"{options} " if options else ""
        calls = [
            f"  devbridge invoke {job.name} {given}--payload '{{}}'" for job in app.of_type(Job)[:1]
        ]
    yield f"{said} Try:" if calls else said
    yield from calls


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end devbridge as Ctrl-C does: it cleans up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {n: signal.signal(n, interrupt) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
