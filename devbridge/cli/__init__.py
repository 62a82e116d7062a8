"""The command line: click, and one module a command, imported only when that command runs.

A command lives in the module of its name and is that module's attribute of the same name.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from devbridge import __version__, interrupts
from devbridge.cli.reporting import errors_reported
from devbridge.errors import did_you_mean
from devbridge.palette import coloured
from devbridge.printable import Printer
from devbridge.progress import LINE
from devbridge.redaction import redacted

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: Final = {
    "init": "Create a working app in an empty folder.",
    "dev": "Deploy stubs, and run the jobs and functions live on this machine.",
    "console": "Look at the runs of a stage in the browser; start, replay and cancel them.",
    "invoke": "Start a job through the deployed invoker.",
    "trigger": "Send an event to a trigger of a job, the way that real events take.",
    "rerun": "Run a run's job again, with the same payload or another.",
    "jobs": "List the runs of this stage, the newest first.",
    "logs": "Print what a run, or a function, has printed.",
    "status": "Show all that is known of one run.",
    "wait": "Wait until a run has ended; the exit code tells how.",
    "result": "Print what a run returned, as JSON alone.",
    "cancel": "Cancel a run, whatever state it is in.",
    "dlq": "List, send back and delete the messages of runs that have failed for good.",
    "deploy": "Deploy the stage: its jobs and functions run in the cloud.",
    "diff": "Show what `devbridge deploy` would change.",
    "synth": "Write the template and the zips to files, for scanners and reviewers.",
    "prune": "Forget the runs that ended long ago, and delete their logs.",
    "outputs": "Print what the stage has deployed, the API's URL first.",
    "secrets": "Set, list and remove the values of the stage's secrets.",
    "bind": "Run a command with the stage's environment and credentials.",
    "types": "Make type checkers and editors know the app's jobs, payloads, results and resources.",
    "mcp": "Give coding agents the stage's runs as tools: Model Context Protocol over stdio.",
    "cloud": "Start, stop, look at, and use the embedded cloud of this folder.",
    "remove": "Remove the stage from the cloud; data is kept unless told otherwise.",
    "completion": "Print the script that completes devbridge in a shell.",
    "doctor": "Check what devbridge needs: installed, reachable, permitted.",
}
"""Each command and its line in `devbridge --help`, which is printed without importing any."""


class LazyGroup(click.Group):
    """Imports a command's module when the command is used, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order in which `devbridge --help` lists them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, from the module of its name; None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"devbridge.cli.{cmd_name}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is typed first.

        Raises:
            UsageError: there is none of that name; it says which one may be meant.
        """
        name = args[0]
        unknown = self.get_command(ctx, name) is None and not name.startswith("-")
        if unknown and not ctx.resilient_parsing:
            ctx.fail(f"no such command {name!r}{did_you_mean(name, COMMANDS)}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so: no module is imported for them."""
        from click.shell_completion import CompletionItem

        offered = [
            CompletionItem(name, help=line)
            for name, line in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*offered, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list in `devbridge --help`."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command: what it prints is fit for a terminal, and its errors are reported."""
        ctx.color = True  # not click, but the `Printer` takes colours away
        # A job's result may be a number of more digits than Python reads by default, or have half
        # of a surrogate pair, which JSON allows and no encoding has.
        sys.set_int_max_str_digits(0)
        _open_what_is_closed()
        streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = map(_printer, streams)
        try:
            with errors_reported(ctx), interrupts.Raised():
                return super().invoke(ctx)
        except Exception as error:
            if not isinstance(error, (click.ClickException, click.Abort, click.exceptions.Exit)):
                streams = sys.stdout, sys.stderr  # a defect of ours: for its traceback, too
            raise
        finally:
            LINE.detach()
            sys.stdout, sys.stderr = streams


def _open_what_is_closed() -> None:
    """Who started us may have closed some of the three: what is opened next, the ledger above all,
    would be written to in their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # until we end; and pathlib takes four milliseconds of `devbridge --help`
            opened = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115, PTH123
            setattr(sys, name, opened)


def _printer(stream: Any) -> Any:
    """What commands print to: fit for a terminal, and without credentials."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    colour = coloured(stream)
    last = LINE if LINE.attach(stream) else None
    return Printer(stream, colour=colour, redact=redacted, last=last)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: devbridge init hello && cd hello && devbridge dev --local",
)
@click.version_option(__version__, "-V", "--version", message="devbridge %(version)s")
def main() -> None:
    """Write long-running AWS jobs, run them live on your laptop, deploy them unchanged."""
