"""How a command that ends early is told: one message on stderr, and its exit code.

`devbridge --help` imports this, and next to nothing else of ours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import Final

import click

from devbridge import printable
from devbridge.errors import EXIT_INTERRUPTED, DevbridgeError
from devbridge.palette import ALWAYS

EXIT_BROKEN_PIPE: Final = 128 + signal.SIGPIPE
"""What the shell makes of a program whose reader went away (`devbridge jobs | head -1`)."""
VERBOSE: Final = "devbridge.cli.verbose"
"""What the root context has in its `meta` where tracebacks are wanted, too."""


@contextlib.contextmanager
def errors_reported(ctx: click.Context) -> Iterator[None]:
    """Turn what ends a command early into one message on stderr and its exit code."""
    try:
        yield
        print(end="", flush=True)  # there need not be a stdout
    except DevbridgeError as error:
        _report(ctx, error, str(error))
        ctx.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        ctx.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        _discard_output()
        ctx.exit(EXIT_BROKEN_PIPE)
    except OSError as error:
        from devbridge.folders import explained

        if (told := explained(error)) is None:
            raise
        if isinstance(error, printable.OutputError):
            _discard_output()
        _report(ctx, error, str(told))
        ctx.exit(told.exit_code)


def _report(ctx: click.Context, error: Exception, text: str) -> None:
    if ctx.find_root().meta.get(VERBOSE):
        import traceback

        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    click.echo(f"{ALWAYS.error('error:')} {printable.continued(text)}", err=True)


def _discard_output() -> None:
    # the interpreter flushes stdout once more when it ends, and would complain
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
