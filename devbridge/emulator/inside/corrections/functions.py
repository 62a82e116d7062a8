"""What functions leave in CloudWatch Logs, and what their callers are told of an error.

ministack makes an event of each line of a traceback, with its own files in it, writes nothing of a
function that cannot be loaded, calls every error a HandlerError, tells whoever calls an API the
error and its traceback, reads no more of what a function prints after a byte that is no UTF-8, and
has no page of a log after the first one.
"""

from __future__ import annotations

import bisect
import contextlib
import heapq
import itertools
import json
import math
import secrets
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ..host import ministack
from . import environments, node_functions

_BEGINS: Final = (
    "_real_stdout = sys.stdout\n    sys.stdout = sys.stderr\n",
    "_real_stdout = devbridge_answers(); sys.stdout = sys.stderr; devbridge_log()\n",
)
_REQUEST: Final = (
    '_ms_ctx = _ms_msg.get("ctx") or {}\n',
    '_ms_ctx = _ms_msg.get("ctx") or {}; devbridge_request["id"] = _ms_ctx.get("request_id", "")\n',
)
_INIT_ERROR: Final = (
    '{"status": "error", "error": str(e)}',
    '{"status": "error", "error": MARK'
    " + devbridge_init_error(e, module_name, handler_name, code_dir)}",
)
_ERROR: Final = (
    '{"status": "error", "error": str(e), "trace": traceback.format_exc()}',
    '{"status": "error", "error": MARK + devbridge_error(e, code_dir), "trace": ""}',
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

_mark = secrets.token_hex()
"""Before a text that is our own; no function can know it."""
_ids = itertools.count(time.time_ns())


class _Ended(threading.local):
    """How the process has ended that this thread has waited for last."""

    code: int | None = None


_ended = _Ended()


def tell_as_lambda() -> None:
    """Correct `services.lambda_svc`, and the runtime below it."""
    lambdas, runtime = ministack("services.lambda_svc"), ministack("core.lambda_runtime")
    runtime._PYTHON_WORKER_SCRIPT = script(runtime._PYTHON_WORKER_SCRIPT)
    signal_, collect, execute, emit = (
        runtime._signal,
        runtime._collect,
        lambdas._execute_function_warm,
        lambdas._emit_lambda_logs,
    )

    def signalled(process: Any) -> None:
        let_it_end(process)
        signal_(process)

    def collected(process: Any, deadline: float) -> None:
        collect(process, deadline)
        _ended.code = getattr(process, "returncode", None)

    def executed(function: Any, event: Any, request_id: str) -> Any:
        _ended.code = None
        return told(execute(function, event, request_id), request_id)

    def emitted(
        function: Any, request_id: str, text: str, error: bool, ms: int, **source: Any
    ) -> None:
        if source.get("log_source"):
            emit(function, request_id, text, error, ms, **source)
        else:
            node = node_functions.is_node(str((function.get("config") or function).get("Runtime")))
            split = node_functions.events if node else lines
            _write(lambdas, function, messages(text, request_id, split), ms)

    read = runtime.Worker._read_stderr

    def read_all(worker: Any) -> None:
        worker._proc.stderr.reconfigure(encoding="utf-8", errors="replace")
        read(worker)

    shape = lambdas.lambda_execute_result_to_api_proxy_response

    def shaped(result: dict[str, Any]) -> Any:
        failed = result.get("error") and not result.get("throttle")
        return shape({"body": FAILED} if failed else result)

    lambdas.lambda_execute_result_to_api_proxy_response = shaped
    runtime._signal, runtime._collect = signalled, collected
    runtime.Worker._read_stderr = read_all
    lambdas._execute_function_warm = executed
    lambdas._emit_lambda_logs = emitted


def let_it_end(process: Any) -> None:
    """Give an environment that has closed its answers the time to end: how it does is told."""
    answers = getattr(process, "stdout", None)  # None, or closed, if there is nothing to look at
    if answers is None or answers.closed or not select.select([answers], [], [], 0)[0]:
        return
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ENDS)


def script(theirs: str) -> str:
    """What runs in a Python function."""
    for before, after in (_BEGINS, _REQUEST, _INIT_ERROR, _ERROR):
        if theirs.count(before) != 1:
            raise RuntimeError(f"ministack's script for functions has changed: {before}")
        theirs = theirs.replace(before, after.replace("MARK", repr(_mark)))
    own = Path(__file__).parents[1] / "in_function.py"
    return f"{own.read_text(encoding='utf-8')}\n{theirs}"


def told(result: dict[str, Any], request_id: str) -> dict[str, Any]:
    """What became of an invocation, as its caller and its log are told it."""
    if document := node_functions.error_of(result["body"]):
        return _told_of_node(result, document, request_id)
    if not result.get("error"):
        return result
    printed, said = str(result.get("log") or ""), str(result["body"].get("errorMessage", ""))
    if _mark in said:
        body = {**json.loads(said.rpartition(_mark)[2]), "requestId": request_id}
        text, printed = error_text(body), printed.partition(_mark)[0]
    elif said.startswith(_DIED):
        body = _exited(_ended.code, request_id)
        text = _exit_text(body)
        printed = printed.removesuffix(said).removesuffix("\n")
    elif said.startswith("Task timed out"):
        body = _timed_out(said, request_id)
        text = body["errorMessage"]
        printed = printed.removesuffix(said).removesuffix("\n")
    else:
        return result
    return {**result, "body": body, "log": f"{printed}{_mark}{text}"}


def _told_of_node(
    result: Mapping[str, Any], document: dict[str, Any], request_id: str
) -> dict[str, Any]:
    """The same for a Node function, which writes its own errors into the log."""
    before = document.pop("log", None)
    log = node_functions.printed(str(result.get("log") or "")) if before is None else before
    if "exit" in document:
        body = _exited(document["exit"], request_id)
        log += f"{_mark}{_exit_text(body)}"
    elif "late" in document:
        body = _timed_out(document["late"], request_id)
        log += f"{_mark}{body['errorMessage']}"
    else:
        body = document
        if "trace" not in document:  # it was never started
            log += f"{_mark}[devbridge] {document['errorMessage']}"
    return {**result, "error": True, "body": body, "log": log}


def _exited(code: int | None, request_id: str) -> dict[str, str]:
    message = f"RequestId: {request_id} Error: {_how(code)}"
    return {"errorMessage": message, "errorType": "Runtime.ExitError"}


def _timed_out(said: str, request_id: str) -> dict[str, str]:
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return {"errorType": "Sandbox.Timedout", "errorMessage": f"{now}.000Z {request_id} {said}"}


def _exit_text(body: Mapping[str, str]) -> str:
    return f"{body['errorMessage']}\n{body['errorType']}"


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
    printed, _, error = text.partition(_mark)
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


def _write(lambdas: Any, function: Mapping[str, Any], found: list[str], ms: int) -> None:
    """Append an invocation's events to the log of its function."""
    logs = ministack("services.cloudwatch_logs")
    config = function.get("config") or function
    now, request_id = int(time.time() * 1000), found[-1].rpartition(" ")[2]
    found.append(
        f"REPORT RequestId: {request_id}\tDuration: {ms} ms\tBilled Duration: {ms} ms"
        f"\tMemory Size: {config.get('MemorySize', 128)} MB"
        f"\tMax Memory Used: {lambdas._probe_peak_memory_mb(function)} MB"
    )
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
    return group, own or environments.log_stream(config, _mark[:32], now / 1000)


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
