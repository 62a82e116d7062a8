"""A live function: its handler is imported once, then called for one request after the other.

As AWS's own runtime for Python does it (`awslambdaric.bootstrap`): what the handler raises is the
request's error, a ``sys.exit`` ends the process, the root logger writes Lambda's lines. What the
developer's terminal is told beyond Lambda's own words is in ``devbridge`` of an error's document.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from runner import debugging, failure, loading, lookups, marshalling, memory, preloaded, stuck
from runner.client import RuntimeClient
from runner.function_context import LambdaContext
from runner.marshalling import Fault
from runner.reads import Reads

OWN = "devbridge"
"""The entry of an error's document that only the daemon reads: see `runner.failure`."""
EXIT_FAILED = 1
_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"

_request = ""
"""The id of the request that is handled."""


def serve(client: RuntimeClient, root: str) -> int:
    """Handle requests until this process is ended; its exit code, should it end by itself.

    Raises:
        RuntimeApiGone: the daemon has ended.
    """
    global _request  # noqa: PLW0603 - the process has one
    reads = Reads(record=os.environ.pop("DEVBRIDGE_RECORD", "") != "")
    debugger = debugging.taken(os.environ)
    try:
        with stuck.noted(os.environ.pop(stuck.NOTE, "")), reads:
            _set_up_logging()
            handler = _load(os.environ["_HANDLER"], root)
    except BaseException as error:
        _flush()
        client.report_modules({**loading.modules(root), **reads.report()})
        lookups.missed_import(error.__cause__ or error)
        if not isinstance(error, Exception):
            return exit_code(error)
        client.fail_init(_not_loaded(error, root))
        return EXIT_FAILED
    imported = {**loading.modules(root), **reads.report()}
    if debugger is not None:
        debugger.load()
    known = preloaded.trouble(), len(sys.modules)
    pid = os.getpid()
    headers, body = client.report_modules_and_next(imported)
    while True:
        _request = headers["lambda-runtime-aws-request-id"]
        _set_trace(headers.get("lambda-runtime-trace-id"))
        fault = result = None
        if debugger is not None:
            debugger.attach(client)
        try:
            try:
                result = _handled(handler, headers, body, debugging.halted_by(debugger))
            except Exception as error:
                if debugger is not None:
                    debugger.raised(error)
                fault = _raised(error, root)
        except BaseException as error:  # also of one that cannot be told, as its __str__ raises
            _leave_if_forked(pid)
            return exit_code(error)
        _leave_if_forked(pid)
        _flush()
        now = preloaded.trouble(), len(sys.modules)
        if result is not None and now == known:
            headers, body = client.respond_and_next(_request, result)
            continue
        if result is not None:
            client.respond(_request, result)
        else:
            client.fail(_request, fault or {})
        if now != known:  # what is imported within a request is watched, too
            known = now
            client.report_modules(loading.modules(root))
        headers, body = client.next()


def _handled(
    handler: Any, headers: Mapping[str, str], body: bytes, halted: Callable[[], float]
) -> bytes:
    """
    Args:
        halted: tells the milliseconds for which no time has passed, until now.

    Raises:
        Fault: the request or the answer is nothing that Lambda takes.
        BaseException: whatever the handler raises.
    """
    before = halted()
    context = LambdaContext(headers, lambda: halted() - before)
    event = marshalling.event(body)
    return marshalling.answer(handler(event, context))


def _load(handler: str, root: str) -> Any:
    """What ``path/of/file.function`` names.

    Raises:
        Fault: what Lambda says where that cannot be found, imported or compiled.
        BaseException: whatever the module's own code raises.
    """
    path, dot, name = handler.rpartition(".")
    if not dot:
        what = f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", what)
    if path.split(".")[0] in sys.builtin_module_names:
        what = f"Cannot use built-in module {path} as a handler module"
        raise Fault("Runtime.BuiltInModuleConflict", what)
    try:
        module = loading.imported(path, root)
    except (ImportError, failure.HandlerNotFound) as error:
        what = f"Unable to import module '{path}': {error}"
        raise Fault("Runtime.ImportModuleError", what) from error
    except SyntaxError as error:
        what = f"Syntax error in module '{path}': {error}"
        trace = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise Fault("Runtime.UserCodeSyntaxError", what, [trace]) from error
    try:
        return getattr(module, name)
    except AttributeError:
        what = f"Handler '{name}' missing on module '{path}'"
        raise Fault("Runtime.HandlerNotFound", what) from None


# --- errors -------------------------------------------------------------------------------------


def _raised(error: Exception, root: str) -> dict[str, Any]:
    """The document of a request's error."""
    told = memory.explain(error, failure.describe(error, root))
    if isinstance(error, Fault):
        return _document(error.kind, error.message, error.trace, {**told, "errorType": error.kind})
    return _document(type(error).__name__, str(error), _stack(error), told)


def _not_loaded(error: Exception, root: str) -> dict[str, Any]:
    """The document of what keeps the handler from being loaded: its message says where that is."""
    cause = error.__cause__ if isinstance(error, Fault) and error.__cause__ else error
    told = memory.explain(error, failure.describe(cause, root))
    if isinstance(cause, Fault):
        return _document(cause.kind, cause.message, cause.trace, {**told, "errorType": cause.kind})
    if isinstance(cause, SyntaxError) and isinstance(error, Fault):  # which says it itself
        return _document(error.kind, error.message, error.trace, told)
    kind = error.kind if isinstance(error, Fault) else type(error).__name__
    trace = error.trace if isinstance(error, Fault) else _stack(error)
    return _document(kind, f"{error}{_place(told['stackTrace'])}", trace, told)


def _document(kind: str, message: str, trace: list[str], told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "errorMessage": message,
        "errorType": kind,
        "requestId": _request,
        "stackTrace": trace,
        OWN: told,
    }


def _stack(error: BaseException) -> list[str]:
    """The whole traceback from the handler on."""
    frames = [
        (f.filename, f.lineno, f.name, f.line) for f in traceback.extract_tb(error.__traceback__)
    ]
    own = next((n for n, frame in enumerate(frames) if not _is_ours(frame[0])), 0)
    return traceback.format_list(frames[own:])  # type: ignore[arg-type]


def _is_ours(filename: str) -> bool:
    return filename.startswith((_HERE, "<frozen importlib")) or filename.endswith(
        os.path.join("importlib", "__init__.py")
    )


def _place(frames: list[str]) -> str:
    """Where in the app it is, in words: the innermost frame's file and line."""
    if not frames:
        return ""
    quoted, _, rest = frames[-1].splitlines()[0].removeprefix('File "').partition('", line ')
    return f" ({quoted}, line {rest.partition(',')[0]})" if rest else ""


def exit_code(error: BaseException) -> int:
    """The exit code of a process that ends with this, which is said as Python says it."""
    if not isinstance(error, SystemExit):
        with contextlib.suppress(OSError, ValueError):
            print(*failure.trace(error), sep="\n", file=sys.stderr)
        return EXIT_FAILED
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    with contextlib.suppress(OSError, ValueError):
        print(error.code, file=sys.stderr)
    return EXIT_FAILED


# --- the process --------------------------------------------------------------------------------


def _set_up_logging() -> None:
    """The root logger writes Lambda's lines, from WARNING on."""
    import logging
    import time

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            sys.stdout.write(self.format(record))

    class Filter(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            record.aws_request_id = _request
            record.tenant_id = None
            return True

    # Its own, not the class's: what a zygote has preloaded must be as it was.
    formatter = logging.Formatter(_FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = Handler()
    handler.setFormatter(formatter)
    handler.addFilter(Filter())
    logging.getLogger().addHandler(handler)


def _set_trace(header: str | None) -> None:
    if header is not None:
        os.environ["_X_AMZN_TRACE_ID"] = header
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def _leave_if_forked(pid: int) -> None:
    # A handler that forked and let the child return must not answer twice.
    if os.getpid() != pid:
        _flush()
        os._exit(0)


def _flush() -> None:
    """Send what was printed on its way before the answer."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # it may be the user's own, or closed
            stream.flush()
