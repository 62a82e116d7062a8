"""`devbridge mcp`: the runs of a stage as tools for coding agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from devbridge import interrupts
from devbridge.cli.common import app_options
from devbridge.errors import ToolMissing

if TYPE_CHECKING:
    from devbridge.config import Config

_REMEDY: Final = "pip install 'devbridge[mcp]', into the environment that has this devbridge"


@click.command(
    epilog="""\b
Examples:
  devbridge mcp --app ~/work/shop                # what an agent's client is told to run
  devbridge mcp --app ~/work/shop --stage prod   # the runs of a deployed stage
"""
)
@app_options
def mcp(config: Config) -> None:
    """Give coding agents the stage's runs as tools: Model Context Protocol over stdio.

    An agent's client starts it, and ends it by closing stdin. Its tools list jobs and runs, invoke,
    rerun, wait, cancel, read logs, and say which handlers `devbridge dev` has loaded. It needs the
    extra: pip install 'devbridge[mcp]'.
    """
    try:
        import mcp.server.stdio  # noqa: F401
        import mcp_types  # noqa: F401 - version 1 has none
    except ImportError as error:
        raise ToolMissing(
            f"the SDK of the Model Context Protocol, mcp 2, cannot be imported: {error}",
            remedy=_REMEDY,
        ) from error
    from devbridge.cli.tools.server import serve

    interrupts.end_at_once()  # a thread waits for stdin, and could not be ended in order
    serve(config)
