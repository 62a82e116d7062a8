"""`devbridge console`: the runs of a stage in the browser."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from devbridge.cli.common import app_options, cloud, loaded
from devbridge.cli.deploying import interruptible

if TYPE_CHECKING:
    from devbridge.config import Config

T = TypeVar("T")


@click.command(
    epilog="""\b
Examples:
  devbridge console                  # of your own stage, whether `devbridge dev` runs or not
  devbridge console --stage prod     # of a deployed one
  devbridge console --no-browser     # only print the link
"""
)
@click.option("--no-browser", is_flag=True, help="Print the link, and open nothing.")
@app_options
def console(config: Config, *, no_browser: bool) -> None:
    """Look at the runs of a stage in the browser; start, replay and cancel them.

    Where `devbridge dev` runs, its own console is opened. Else there is one until Ctrl-C, on
    loopback only. The link opens it once: for another browser, ask for another one.
    """
    from devbridge.console.alone import serve, there_is
    from devbridge.console.subject import Subject

    def opened(link: str) -> None:
        click.echo(f"Console  {link}")
        if not no_browser:
            click.launch(link)

    if (link := there_is(config)) is not None:
        opened(link)
        return
    with contextlib.ExitStack() as stack, interruptible():
        app = once(lambda: loaded(config, lenient=True))
        there = once(lambda: stack.enter_context(cloud(config)))
        config.make_dirs()
        now = time.time()
        subject = Subject(config=config, app=app, cloud=there, live=False, since=now)
        serve(subject, opened)


def once(make: Callable[[], T]) -> Callable[[], T]:
    """Makes something when it is first asked for, whichever thread that is."""
    made = functools.cache(make)
    lock = threading.Lock()

    def get() -> T:
        with lock:
            return made()

    return get
