"""One invocation: import the handler, wait for the payload, run, answer, end. (A live function's
worker handles one after the other instead: `runner.function`.)

Exit codes: 0 when the answer was posted, result or error; 1 when the handler could not be loaded or
the Runtime API went away; a handler's ``sys.exit(n)`` is reported and its code kept; 130 after a
KeyboardInterrupt. Anything else is the handler's own doing (``os._exit``, a signal), and leaves the
invocation without an answer, which is how the daemon recognises a crash.

After the answer the process ends as any Python program does (see `runner.ending`): non-daemon
threads are waited for, ``atexit`` functions run, open files are flushed. (Lambda would freeze it
instead.) How long it may take is bounded by who started it, not here; `runner.lingering` tells why
it takes long.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from json import loads
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from runner import (
    calling,
    debugging,
    failure,
    lingering,
    loading,
    lookups,
    memory,
    preloaded,
    results,
    stuck,
    triggered,
)
from runner.checkpoints import Checkpoints, Interrupted
from runner.client import RuntimeApiGone, RuntimeClient
from runner.context import Context
from runner.reads import Reads

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def main() -> int:
    """Run the one invocation that the environment describes, or all of a function's; the process's
    exit code."""
    root = os.path.abspath(os.environ["LAMBDA_TASK_ROOT"])
    client = RuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"])
    lookups.watch(root, os.environ["AWS_LAMBDA_RUNTIME_API"])
    _prepare_streams()
    memory.set_memory()
    try:
        if os.environ.pop("DEVBRIDGE_FUNCTION", ""):
            from runner import function  # most are jobs'

            return function.serve(client, root)
        return _run(client, root)
    except RuntimeApiGone as error:
        with contextlib.suppress(OSError, ValueError):
            print(f"runner: {error}", file=sys.stderr)
        return EXIT_FAILED
    finally:
        client.close()


def _run(client: RuntimeClient, root: str) -> int:
    reads = Reads(record=os.environ.pop("DEVBRIDGE_RECORD", "") != "")
    debugger = debugging.taken(os.environ)
    try:
        _fetch_secrets()
        with stuck.noted(os.environ.pop(stuck.NOTE, "")), reads:
            handler = _load(root)
        taken = calling.arguments(handler)
    except BaseException as error:
        memory.lift_memory()
        _flush()
        client.report_modules({**loading.modules(root), **reads.report()})
        lookups.missed_import(error)
        client.fail_init(memory.explain(error, failure.describe(error, root)))
        return _exit_code(error) or EXIT_FAILED
    imported = {**loading.modules(root), **reads.report()}
    if debugger is not None:
        debugger.load()
    known = preloaded.trouble(), frozenset(sys.modules)
    headers, body = client.report_modules_and_next(imported)

    request_id = headers["lambda-runtime-aws-request-id"]
    pid = os.getpid()
    # Of its own connection: another thread may use it.
    checkpoints = Checkpoints(lambda: RuntimeClient(client.address), headers, os.environ)
    if debugger is not None:
        debugger.attach(client)
    halted = debugging.halted_by(debugger)
    try:
        result = answer(handler, taken, headers, body, checkpoints, halted)
    except BaseException as error:
        _leave_if_forked(pid)
        if debugger is not None:
            debugger.raised(error)
        memory.lift_memory()
        checkpoints.store()
        checkpoints.close()
        _flush()
        _report(client, root, known)
        if isinstance(error, Interrupted):
            client.interrupted()
        else:
            client.fail(request_id, memory.explain(error, failure.describe(error, root)))
        lingering.watch(client.address)
        return _exit_code(error)
    _leave_if_forked(pid)
    checkpoints.close()
    memory.lift_memory()
    _flush()
    _report(client, root, known)
    client.respond(request_id, result)
    lingering.watch(client.address)
    return 0


def _report(client: RuntimeClient, root: str, known: tuple[object, frozenset[str]]) -> None:
    """Tell that what was preloaded is not what this process would have imported, or that the run
    has imported more than Python's own modules, if that is new."""
    trouble, before = known
    imported = {name.partition(".")[0] for name in sys.modules.keys() - before}
    if preloaded.trouble() != trouble or imported - sys.stdlib_module_names:
        client.report_modules(loading.modules(root))


def _fetch_secrets() -> None:
    """What `environment` of the job has of secrets: on a host, somebody else has fetched it."""
    if "DEVBRIDGE_SECRETS" in os.environ:
        from runner.host import secrets  # few jobs have any

        secrets.take(os.environ)


def _load(root: str) -> loading.Handler:
    if "DEVBRIDGE_COMMAND" in os.environ:
        from runner import command  # only container jobs have one

        return command.handler
    return loading.load(os.environ["_HANDLER"], root)


def answer(
    handler: loading.Handler,
    taken: int,
    headers: Mapping[str, str],
    body: bytes,
    checkpoints: Checkpoints,
    halted: Callable[[], float] = float,
) -> bytes:
    """The JSON text of what the handler returns for one invocation, in this process.

    Args:
        taken: how many arguments it takes: `calling.arguments`.
        headers: the Runtime API's, in lower case.
        halted: tells the milliseconds for which the run's time has not passed, until now.

    Raises:
        ResultNotJson: the result has no JSON form.
        Interrupted: somebody else is to go on at the last checkpoint.
        BaseException: whatever the handler raises.
    """
    found = triggered.triggered(body)
    if found is not None:
        body = found.payload
    payload = getattr(handler, "__devbridge_read__", loads)(body) if body else None
    context = Context(headers, os.environ, checkpoints, found, halted)
    os.environ.update(context.variables())
    result = _call(handler, (payload, context)[:taken], checkpoints)
    checkpoints.raise_if_interrupted()
    return results.encode(result)


def _call(handler: loading.Handler, arguments: tuple[Any, ...], checkpoints: Checkpoints) -> Any:
    result = handler(*arguments)
    if isinstance(result, CoroutineType | AsyncGeneratorType):
        import asyncio  # slow to import, and most handlers are plain functions

        result = asyncio.run(_awaited(result, checkpoints))
    return checkpoints.drive(result) if isinstance(result, GeneratorType) else result


async def _awaited(
    result: CoroutineType[Any, Any, Any] | AsyncGeneratorType[Any, None], checkpoints: Checkpoints
) -> Any:
    value = await result if isinstance(result, CoroutineType) else result
    if isinstance(value, AsyncGeneratorType):
        await checkpoints.drive_async(value)
        return None
    return value


def _leave_if_forked(pid: int) -> None:
    # A handler that forked and let the child return must not answer twice.
    if os.getpid() != pid:
        _flush()
        os._exit(0)


def _exit_code(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        return EXIT_FAILED
    return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else 0


def _prepare_streams() -> None:
    import faulthandler

    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(  # type: ignore[union-attr]
                encoding="utf-8", errors="backslashreplace", line_buffering=True
            )
    with contextlib.suppress(AttributeError, OSError, ValueError, RuntimeError):
        faulthandler.enable()  # a segmentation fault then says where


def _flush() -> None:
    """Send what was printed on its way before the answer; a closed stream must not hide it."""
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except Exception:  # it may be the user's own, or closed
            # Python would try again when it ends, and turn the failure into exit code 120.
            setattr(sys, name, None)
