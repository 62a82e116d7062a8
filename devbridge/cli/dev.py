"""`devbridge dev`: deploy the stubs, then run the app's jobs and functions live on this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from devbridge.cli.common import app_options
from devbridge.cli.deploying import confirm, interruptible, is_brief, warn_once
from devbridge.palette import coloured
from devbridge.printable import continued

if TYPE_CHECKING:
    from devbridge.config import Config


@click.command(
    epilog="""\b
Examples:
  devbridge dev --local              everything on this machine, no AWS account
  devbridge dev --profile sandbox    jobs and functions here, the rest on AWS

Ctrl-C stops in order: no more requests are taken, those of functions that are under way
get 3 seconds, running jobs SIGTERM and at most 10, then everything is ended. A second
Ctrl-C ends everything at once.
"""
)
@app_options
@click.option("--port", type=int, help="With --local: the embedded cloud's port (default: free).")
@click.option("--python", metavar="PATH", help="The app's interpreter (default: the active venv).")
@click.option("--concurrency", type=int, help="Runs at the same time (default: the cores).")
@click.option(
    "--grace", type=float, help="Seconds from SIGTERM to SIGKILL of a cancelled run (default: 120)."
)
@click.option(
    "--timeout",
    metavar="TIME",
    help='What an attempt may take, whatever its job says: "10s" (default: what the job says).',
)
@click.option(
    "--memory-limit",
    metavar="SIZE",
    help='What each process of a run may have: "job" (its memory_size), "2 GB", "off" (default).',
)
@click.option(
    "--on-broken",
    type=click.Choice(["fail", "wait"]),
    help="What runs do while the saved code cannot be loaded (default: fail).",
)
@click.option(
    "--offline",
    type=click.Choice(["queue", "error", "cloud"]),
    help="What the stubs do while nobody runs `devbridge dev` (default: queue for jobs, cloud for"
    " functions).",
)
@click.option(
    "--schedules",
    is_flag=True,
    default=None,
    help="Let the clock start live jobs, and call functions: in development, Schedules are off.",
)
@click.option(
    "--no-console",
    "console",
    flag_value=False,
    default=None,
    help="No console in the browser, whose link is printed else.",
)
@click.option(
    "--rerun-on-save",
    type=click.Choice(["wait", "cancel"]),
    is_flag=False,
    flag_value="wait",
    help="After a save, run the job's last payload again: once a run that goes on has ended"
    " (default), or =cancel it.",
)
@click.option(
    "--debug",
    is_flag=False,
    flag_value="true",
    metavar="[SECONDS]",
    help="Open runs and functions to debuggers. A run of Node.js waits so long for one before it"
    " begins (default: 2).",
)
@click.option(
    "--launch-json",
    is_flag=True,
    default=None,
    help="With --debug: put into .vscode/launch.json how VS Code attaches to runs.",
)
@click.option(
    "--env",
    multiple=True,
    callback=lambda _ctx, _option, given: given or None,
    metavar="NAME[=VALUE]",
    help="A variable of the shell, or this value, that jobs and functions get besides those that"
    " all get.",
)
@click.option(
    "-y", "--yes", is_flag=True, help="Do not ask before a deployed stage is taken, or data goes."
)
def dev(config: Config, *, yes: bool) -> None:
    """Deploy stubs, and run the jobs and functions live on this machine.

    Call the deployed API as usual: each request and each run appears here, with what its handler
    prints. Save the handler, and the next call runs the new code. What is under way is never
    touched by a save.

    Of the shell's variables jobs and functions get PATH, HOME, USER, LANG, LC_*, TERM, TZ, TMPDIR,
    those of proxies and CA bundles, VIRTUAL_ENV, CUDA_* and DISPLAY; others with --env, or
    App(inherit=...).
    """
    from devbridge.live.develop import develop
    from devbridge.live.voice import Voice

    voice = Voice(
        _say,
        warn=warn_once,
        confirm=confirm,
        colour=coloured(sys.stdout),
        brief=is_brief(config, sys.stdout),
    )
    with interruptible():
        develop(config, voice, yes=yes)


def _say(text: str) -> None:
    click.echo(continued(text))
