"""The real group of commands, with one of a test's own."""

from __future__ import annotations

import click

from devbridge.cli import LazyGroup


def group_with(body: object) -> LazyGroup:
    """The real group around one command that does `body`."""

    class OneCommand(LazyGroup):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            return click.Command(cmd_name, callback=body)  # type: ignore[arg-type]

    return OneCommand("devbridge")
