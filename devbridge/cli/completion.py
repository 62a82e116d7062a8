"""`devbridge completion`: what makes a shell complete devbridge's commands, jobs and runs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog="""\b
Put the line of your shell into its start-up file:
  bash  ~/.bashrc   eval "$(devbridge completion bash)"
  zsh   ~/.zshrc    eval "$(devbridge completion zsh)"
  fish  ~/.config/fish/config.fish   devbridge completion fish | source
"""
)
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes devbridge in a shell.

    Tab then offers commands, options, the names of jobs and stages, and the ids of the newest live
    runs, each with its job and state. It reads what devbridge keeps in `.devbridge`, and never runs
    app.py.
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click has these three
    root = click.get_current_context().find_root().command
    click.echo(found(root, {}, "devbridge", "_DEVBRIDGE_COMPLETE").source())
