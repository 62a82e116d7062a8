"""What functions leave in CloudWatch Logs, and what their callers are told of an error.

ministack makes an event of each line of a traceback, with its own files in it, tells whoever asks
for the end of an invocation's log what was printed and no more, writes nothing of a
function that cannot be loaded, calls every error a HandlerError, ends a function's process after
it, tells whoever calls an API the error and its traceback, and has no page of a log after the first
one.
"""

from __future__ import annotations

import bisect
import contextlib
import heapq
import itertools
import math
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ..host import ministack
from . import environments, node_functions, workers
from .workers import MARK

_BEGINS: Final = (
    "_real_stdout = sys.stdout\n    sys.stdout = sys.stderr\n",
    "_real_stdout = DevbridgeAnswers(MARK); sys.stdout = sys.stderr; devbridge_log()\n"
    "    sys.meta_path.append(DevbridgeRuntime())\n",
)
_REQUEST: Final = (
    '_ms_ctx = _ms_msg.get("ctx") or {}\n',
    '_ms_ctx = _ms_msg.get("ctx") or {}; devbridge_request["id"] = _ms_ctx.get("request_id", "")\n',
)
_INIT_ERROR: Final = (
    '{"status": "error", "error": str(e)}',
    '{"status": "error", "error": MARK'
    " + json.dumps(devbridge_init_error(e, module_name, handler_name, code_dir))}",
)
_RESULT: Final = ('json.dumps({"status": "ok", "result": result})', "devbridge_result(result)")
_ERROR: Final = (
    'json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()})',
    "devbridge_failed(e, code_dir, MARK)",
)
ENDS: Final = 1.0
"""Seconds for a process that has closed its streams to be gone."""
FAILED: Final = {
    "statusCode": 500,
    "headers": {"Content-Type": "application/json"},
    "body": '{"message":"Internal Server Error"}',
}
"""What an HTTP API answers when its function has failed: nothing of the error, and no paths."""
_DIED: Final = ("Worker process died", "Worker process exited immediately.")
_PAGE: Final = 10_000
"""Events that FilterLogEvents gives at once, at most."""
_NEW_STREAM: Final = {
    "uploadSequenceToken": "1",
    "firstEventTimestamp": None,
    "lastEventTimestamp": None,
    "lastIngestionTime": None,
}

_ids = itertools.count(time.time_ns())


class _Last(threading.local):
    """What this thread has seen last."""

    code: int | None = None
    """How the process has ended that it has waited for."""
    log: str = ""
    """Of an invocation."""


_last = _Last()


def tell_as_lambda() -> None:
    """Correct `services.lambda_svc`, and the runtime below it."""
    lambdas, runtime = ministack("services.lambda_svc"), ministack("core.lambda_runtime")
    runtime._PYTHON_WORKER_SCRIPT = script(runtime._PYTHON_WORKER_SCRIPT)
    signal_, collect = runtime._signal, runtime._collect
    execute, emit, dispatch = (
        lambdas._execute_function_warm,
        lambdas._emit_lambda_logs,
        lambdas._execute_function_dispatch,
    )

    def signalled(process: Any) -> None:
        let_it_end(process)
        signal_(process)

    def collected(process: Any, deadline: float) -> None:
        collect(process, deadline)
        _last.code = getattr(process, "returncode", None)

    def executed(function: Any, event: Any, request_id: str) -> Any:
        _last.code = None
        return told(execute(function, event, request_id), request_id)

    def emitted(
        function: Any, request_id: str, text: str, error: bool, ms: int, **source: Any
    ) -> None:
        if source.get("log_source"):
            emit(function, request_id, text, error, ms, **source)
        else:
            node = node_functions.is_node(str((function.get("config") or function).get("Runtime")))
            split = node_functions.events if node else lines
            found = [*messages(text, request_id, split), _report(lambdas, function, request_id, ms)]
            _last.log = "".join(f"{event}\n" for event in found)
            _write(lambdas, function, found)

    def dispatched(*arguments: Any) -> Any:
        _last.log = ""
        result = dispatch(*arguments)
        return {**result, "log": _last.log} if _last.log else result

    shape = lambdas.lambda_execute_result_to_api_proxy_response

    def shaped(result: dict[str, Any]) -> Any:
        failed = result.get("error") and not result.get("throttle")
        return shape({"body": FAILED} if failed else result)

    lambdas.lambda_execute_result_to_api_proxy_response = shaped
    runtime._signal, runtime._collect = signalled, collected
    lambdas._execute_function_warm = executed
    lambdas._emit_lambda_logs, lambdas._execute_function_dispatch = emitted, dispatched


def let_it_end(process: Any) -> None:
    """Give an environment that has closed its answers the time to end: how it does is told."""
    answers = getattr(process, "stdout", None)  # None, or closed, if there is nothing to look at
    if answers is None or answers.closed or not select.select([answers], [], [], 0)[0]:
        return
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ENDS)


def script(theirs: str) -> str:
    """What runs in a Python function."""
    for before, after in (_BEGINS, _REQUEST, _INIT_ERROR, _RESULT, _ERROR):
        if theirs.count(before) != 1:
            raise RuntimeError(f"ministack's script for functions has changed: {before}")
        theirs = theirs.replace(before, after.replace("MARK", repr(MARK)))
    own = Path(__file__).parents[1] / "in_function.py"
    return f"{own.read_text(encoding='utf-8')}\n{theirs}"


def told(result: dict[str, Any], request_id: str) -> dict[str, Any]:
    """What became of an invocation, as its caller and its log are told it."""
    log, said = str(result.get("log") or ""), ""
    if document := workers.error_of(result["body"]):
        before = document.pop("log", None)
        log = workers.printed(log) if before is None else before
    elif not result.get("error"):
        return result
    else:
        said = str(result["body"].get("errorMessage", ""))
        log = log.removesuffix(said).removesuffix("\n")
        if said.startswith(_DIED):
            document = {"exit": _last.code}
        elif said.startswith("Task timed out"):
            document = {"late": said}
        else:
            return result
    body, text = _body_and_text(document, request_id)
    return {**result, "error": True, "body": body, "log": f"{log}{MARK}{text}" if text else log}


def _body_and_text(document: dict[str, Any], request_id: str) -> tuple[dict[str, Any], str]:
    """What the caller of a function that has failed is told, and what its log has of that beside
    what the function has written itself."""
    if "exit" in document:
        body = _exited(document["exit"], request_id)
        return body, f"{body['errorMessage']}\n{body['errorType']}"
    if "late" in document:
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        what = f"RequestId: {request_id} Error: {document['late']}"
        body = {"errorType": "Sandbox.Timedout", "errorMessage": what}
        return body, f"{now}.000Z {request_id} {document['late']}"
    if "stackTrace" in document:
        return {**document, "requestId": request_id}, error_text(document)
    if "trace" in document:  # Node writes its errors down itself
        return document, ""
    return document, f"[devbridge] {document['errorMessage']}"  # it was never started


def _exited(code: int | None, request_id: str) -> dict[str, str]:
    message = f"RequestId: {request_id} Error: {_how(code)}"
    return {"errorMessage": message, "errorType": "Runtime.ExitError"}


def error_text(document: Mapping[str, Any]) -> str:
    """An error as the log has it: one event, whose lines begin with no-break spaces."""
    lines = [
        "\u00a0" * (len(line) - len(line.lstrip(" "))) + line.lstrip(" ")
        for frame in document["stackTrace"]
        for line in frame.splitlines()
    ]
    first = f"[ERROR] {document['errorType']}"
    if document["errorMessage"]:
        first += f": {document['errorMessage']}"
    return "\n".join([first, "Traceback (most recent call last):", *lines])


def lines(printed: str) -> list[str]:
    """An event is a line, and a line ends with a newline: not with what else Unicode has."""
    return [line.removesuffix("\r") for line in printed.removesuffix("\n").split("\n") if printed]


def messages(text: str, request_id: str, split: Callable[[str], list[str]] = lines) -> list[str]:
    """The events of an invocation, without the last one.

    Args:
        split: makes events of what was printed.
    """
    printed, _, error = text.partition(MARK)
    found = [f"START RequestId: {request_id} Version: $LATEST", *split(printed)]
    return [*found, *([error] if error else []), f"END RequestId: {request_id}"]


def _how(code: int | None) -> str:
    """How an environment has ended, in AWS's words."""
    if not code:
        return "Runtime exited without providing a reason"
    if code < 0:
        name = signal.strsignal(-code) or str(-code)
        return f"Runtime exited with error: signal: {name.lower()}"
    return f"Runtime exited with error: exit status {code}"


def _report(lambdas: Any, function: Mapping[str, Any], request_id: str, ms: int) -> str:
    """The last event of an invocation."""
    size = (function.get("config") or function).get("MemorySize", 128)
    return (
        f"REPORT RequestId: {request_id}\tDuration: {ms} ms\tBilled Duration: {ms} ms"
        f"\tMemory Size: {size} MB"
        f"\tMax Memory Used: {lambdas._probe_peak_memory_mb(function)} MB"
    )


def _write(lambdas: Any, function: Mapping[str, Any], found: list[str]) -> None:
    """Append an invocation's events to the log of its function."""
    logs = ministack("services.cloudwatch_logs")
    config, now = function.get("config") or function, int(time.time() * 1000)
    events = [{"timestamp": now, "message": line, "ingestionTime": now} for line in found]
    if environments.log_group(config) not in logs._log_groups and (
        config["FunctionName"] not in lambdas._functions
    ):
        return  # it was removed while it ran, with its log: that is not to come back
    group, stream = _place(logs, config, now)
    with logs._log_events_lock:
        there = logs._log_groups[group]["streams"]
        there.setdefault(stream, {**_NEW_STREAM, "events": [], "creationTime": now})
    logs._append_log_events(there[stream], events)
    logs._fanout_to_subscription_filters(group, stream, events)


def _place(logs: Any, config: Mapping[str, Any], now: int) -> tuple[str, str]:
    """A function's log group, which is made if it is not there, and its environment's stream."""
    group = environments.log_group(config)
    if group not in logs._log_groups:
        logs._log_groups[group] = {
            "arn": logs._make_group_arn(group),
            "creationTime": now,
            "retentionInDays": None,
            "tags": {},
            "subscriptionFilters": {},
            "streams": {},
        }
    own = environments.last_stream()
    return group, own or environments.log_stream(config, MARK[:32], now / 1000)


def page_logs() -> None:
    """Correct `services.cloudwatch_logs`: each event has an id, and what is more than a page
    follows."""
    logs = ministack("services.cloudwatch_logs")

    def filter_log_events(data: Mapping[str, Any]) -> Any:
        name = logs._resolve_log_group_name(data)
        if name not in logs._log_groups:
            what = f"The specified log group does not exist: {name}"
            return logs.error_response_json("ResourceNotFoundException", what, 400)
        matches = logs._compile_filter_pattern(data.get("filterPattern", ""))
        found = _events(logs._log_groups[name]["streams"], data, logs._log_events_lock)
        chosen = [event for event in found if matches(event.get("message", ""))]
        begin, limit = int(data.get("nextToken") or 0), min(data.get("limit", _PAGE), _PAGE)
        end = begin + limit
        more = {"nextToken": str(end)} if end < len(chosen) else {}
        return logs.json_response({"events": chosen[begin:end], "searchedLogStreams": [], **more})

    logs._filter_log_events = filter_log_events


def _events(
    streams: Mapping[str, Any], data: Mapping[str, Any], lock: threading.Lock
) -> Iterator[dict[str, Any]]:
    """The events that a request is about, the oldest first."""
    prefix = data.get("logStreamNamePrefix", "")
    names = data.get("logStreamNames") or [name for name in streams if name.startswith(prefix)]
    first, last = data.get("startTime", 0), data.get("endTime", math.inf)
    found: list[list[dict[str, Any]]] = []
    with lock:
        for name in names:
            events = streams.get(name, {}).get("events", ())
            chosen = events[bisect.bisect_left(events, first, key=_timestamp) :]
            for event in chosen:
                event.setdefault("eventId", f"{next(_ids):056d}")
            found.append([{**event, "logStreamName": name} for event in chosen])
    merged = heapq.merge(*found, key=_timestamp)
    return itertools.takewhile(lambda event: _timestamp(event) <= last, merged)


def _timestamp(event: Mapping[str, Any]) -> int:
    return int(event["timestamp"])
