"""The daemon's tasks: named, in one group, and what ends them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from devbridge.workers.rlimits import is_short

log = logging.getLogger(__name__)

Task = Callable[[], Awaitable[Any]]


def on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A connection that there was no descriptor for is taken a second later."""
    if not is_short(context.get("exception")):
        loop.default_exception_handler(context)


async def live(
    until: Mapping[str, Task],
    beside: Mapping[str, Task],
    leave: Callable[[Exception | None], Awaitable[None]],
) -> None:
    """Run all tasks until one of `until` returns, or any of them fails. Then `leave` in order, told
    what has failed, while the others still go on, and cancel what is left. Being cancelled does
    the same.

    Raises:
        Exception: what the first task that failed has raised, or else `leave`.
    """
    failed: list[Exception] = []
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(name: str, task: Task) -> None:
        try:
            await task()
        except Exception as error:
            if over.done():
                log.exception("the task %s has failed while the daemon was ending", name)
            else:
                failed.append(error)
                over.set_exception(error)
        else:
            if name in until and not over.done():
                over.set_result(None)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(run(name, task), name=name)
                for name, task in {**beside, **until}.items()
            ]
            try:
                await asyncio.wait([over])
            finally:
                await leave(failed[0] if failed else None)
                for task in tasks:
                    task.cancel()
    except ExceptionGroup as group_failed:  # only `leave` can fail inside of it
        raise group_failed.exceptions[0] from None
    over.result()
