"""The Model Context Protocol on stdin and stdout: lists the tools, and calls them.

The SDK keeps stdout for itself: while it serves, what else is printed there goes to stderr.
"""

from __future__ import annotations

import functools
import logging
import threading
from typing import Any, Final

import anyio
import mcp_types
import msgspec
from anyio import to_thread
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from devbridge import __version__
from devbridge.cli.tools.answers import dumped
from devbridge.cli.tools.arguments import schema
from devbridge.cli.tools.toolbox import TOOLS, Stopped, Tool, Toolbox
from devbridge.config import Config
from devbridge.errors import DevbridgeError, did_you_mean
from devbridge.folders import explained
from devbridge.redaction import redacted

log = logging.getLogger(__name__)

INSTRUCTIONS: Final = (
    "devbridge runs an app's jobs (long-running AWS jobs) on this machine while `devbridge dev`"
    " runs in another terminal, or in the cloud where the stage is deployed. To work on a job:"
    " list_jobs for its payload's schema; edit its code; invoke it with wait: true, which runs the"
    " code as it is saved; see error.where, and read_log; edit again; rerun. dev_status says which"
    " handlers cannot be loaded."
)

Context = ServerRequestContext[Any]


def serve(config: Config) -> None:
    """Serve one stage until stdin ends."""
    anyio.run(_serve, config)


async def _serve(config: Config) -> None:
    server = made(Toolbox(config))
    async with stdio_server() as (requests, answers):
        await server.run(requests, answers, server.create_initialization_options())


def made(toolbox: Toolbox) -> Server[Any]:
    """The server, not connected yet."""

    async def tools(_context: Context, _page: object) -> mcp_types.ListToolsResult:
        return mcp_types.ListToolsResult(tools=[_told(name, tool) for name, tool in TOOLS.items()])

    async def call(_context: Context, asked: mcp_types.CallToolRequestParams) -> Result:
        stop = threading.Event()
        work = functools.partial(called, toolbox, asked.name, asked.arguments or {}, stop)
        try:
            text, failed = await to_thread.run_sync(work, abandon_on_cancel=True)
        finally:
            stop.set()
        content = mcp_types.TextContent(type="text", text=text)
        return Result(content=[content], is_error=failed)

    return Server(
        "devbridge",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=tools,
        on_call_tool=call,
    )


Result = mcp_types.CallToolResult


def _told(name: str, tool: Tool) -> mcp_types.Tool:
    return mcp_types.Tool(
        name=name,
        description=tool.description,
        input_schema=schema(tool.takes),
        annotations=mcp_types.ToolAnnotations(
            read_only_hint=tool.reads, destructive_hint=tool.ends
        ),
    )


def called(
    toolbox: Toolbox, name: str, arguments: dict[str, Any], stop: threading.Event
) -> tuple[str, bool]:
    """What a tool answers, and whether that is an error: what is wrong, and what to do."""
    try:
        tool = TOOLS.get(name)
        if tool is None:
            raise DevbridgeError(
                f"there is no tool {name!r}{did_you_mean(name, TOOLS)}",
                remedy=f"use one of: {', '.join(TOOLS)}",
            )
        answer = tool.call(toolbox, _given(name, tool, arguments), stop)
        return (answer if isinstance(answer, str) else dumped(answer)), False
    except DevbridgeError as error:
        return redacted(str(error)), True
    except Stopped:
        return "nobody waits for this any more", True
    except Exception as error:
        if isinstance(error, OSError) and (found := explained(error)):
            return redacted(str(found)), True
        log.exception("the tool %s has failed", name)
        return f"{name} has failed, by a defect of devbridge's: its traceback is on stderr", True


def _given(name: str, tool: Tool, arguments: dict[str, Any]) -> Any:
    """
    Raises:
        DevbridgeError: they are not what the tool takes.
    """
    try:
        return msgspec.convert(arguments, tool.takes, strict=False)
    except msgspec.ValidationError as error:
        known = ", ".join(tool.takes.__struct_fields__) or "nothing"
        raise DevbridgeError(
            str(error), where=f"arguments of {name}", remedy=f"it takes: {known}; see its schema"
        ) from None
