"""Runs in each function of the embedded cloud, before ministack's own script, of which it becomes a
part: errors and the log are as AWS Lambda's runtime has them (`awslambdaric.bootstrap`).

Its text is put before that script. Standard library only, whatever the function has.
"""

from __future__ import annotations

import contextlib
import decimal
import importlib.abc
import importlib.machinery
import json
import logging
import math
import os
import re
import select
import sys
import time
import traceback
import types
from typing import Any

_TASK_ROOT = "/var/task"
_LEVEL_AND_ID = "[%(levelname)s]\t%(asctime)s.%(msecs)dZ\t%(aws_request_id)s\t%(message)s"

devbridge_request = {"id": ""}
"""The invocation that goes on."""


class DevbridgeAnswers:
    """Where ministack reads answers from: each one comes after all that was printed before it, and
    a mark. What else is written to standard output, also by child processes, is in the log from now
    on, and never taken for an answer."""

    def __init__(self, mark: str) -> None:
        self._file = os.fdopen(os.dup(1), "w")
        self._mark = f"{mark}\n".encode()
        self._log = os.dup(2)
        os.dup2(2, 1)

    def write(self, answer: str) -> None:
        """End the log, and write an answer."""
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            with contextlib.suppress(Exception):  # whatever a function has put in its place
                stream.flush()  # type: ignore[union-attr]
        left = self._mark
        while left:
            try:
                left = left[os.write(self._log, left) :]
            except BlockingIOError:  # a child has made it so for all who have it
                select.select([], [self._log], [])
        self._file.write(answer)

    def flush(self) -> None:
        """Send it."""
        self._file.flush()


class FaultException(Exception):
    """`awslambdaric.lambda_runtime_exception` has it: an error of which is told what it says."""

    def __init__(self, exception_type: str, msg: str, trace: list[str] | None = None) -> None:
        super().__init__(msg)
        self.exception_type = exception_type
        self.msg = msg
        self.trace = trace


class DevbridgeRuntime(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Lambda's managed runtimes have `awslambdaric`; here it is found where nobody else has it."""

    _MODULES = ("awslambdaric", "awslambdaric.lambda_runtime_exception")

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if name not in self._MODULES:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=name == self._MODULES[0])

    def exec_module(self, module: types.ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        if module.__name__ == self._MODULES[1]:
            vars(module)["FaultException"] = FaultException


def devbridge_log() -> None:
    """Have what is logged in the log, as on AWS: by the root logger, from WARNING on."""

    def with_id(record: logging.LogRecord) -> bool:
        record.aws_request_id = devbridge_request["id"]
        return True

    formatter = logging.Formatter(_LEVEL_AND_ID, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)  # what ministack reads
    handler.setFormatter(formatter)
    handler.addFilter(with_id)
    logging.getLogger().addHandler(handler)


class DevbridgeNotJson(Exception):
    """What a handler has returned is none."""


_NUMBER = os.urandom(16).hex()


def devbridge_result(result: object) -> str:
    """The answer with what a handler has returned, which may have `Decimal` and bytes in it, as on
    AWS.

    Raises:
        DevbridgeNotJson: it has something else that JSON has not.
    """
    try:
        text = json.dumps(result, default=_as_json)
    except Exception as error:
        raise DevbridgeNotJson(f"Unable to marshal response: {error}") from error
    numbers = re.sub(f'"{_NUMBER}(.*?)"', r"\1", text) if _NUMBER in text else text
    return f'{{"status": "ok", "result": {numbers}}}'


def _as_json(value: Any) -> object:
    if isinstance(value, decimal.Decimal):
        return math.nan if value.is_nan() else f"{_NUMBER}{value}"
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def devbridge_failed(error: Exception, code_dir: str, mark: str) -> str:
    """The answer with an error. The process goes on, as on AWS: to ministack this is a result."""
    return json.dumps({"status": "ok", "result": {mark: devbridge_error(error, code_dir)}})


def devbridge_init_error(error: Exception, module: str, name: str, code_dir: str) -> dict[str, Any]:
    """What AWS says of a handler that cannot be loaded."""
    module, told = module.replace(".", "/"), error.__traceback__
    if isinstance(error, ImportError):
        return _document(
            "Runtime.ImportModuleError", f"Unable to import module '{module}': {error}"
        )
    if isinstance(error, SyntaxError):
        file = str(error.filename).replace(code_dir, _TASK_ROOT)
        frame = f'  File "{file}" Line {error.lineno}\n    {error.text}'
        what = f"Syntax error in module '{module}': {error}"
        return _document("Runtime.UserCodeSyntaxError", what, [frame])
    if isinstance(error, AttributeError) and told is not None and told.tb_next is None:
        what = f"Handler '{name}' missing on module '{module}'"
        return _document("Runtime.HandlerNotFound", what)
    return devbridge_error(error, code_dir)


def devbridge_error(error: Exception, code_dir: str) -> dict[str, Any]:
    """What AWS says of an exception that a handler has raised."""
    if isinstance(error, DevbridgeNotJson):
        return _document("Runtime.MarshalError", str(error))
    if isinstance(error, FaultException):
        return _document(error.exception_type, error.msg, error.trace)
    frames = traceback.extract_tb(error.__traceback__)[1:]  # without ministack's own
    lines = traceback.format_list(frames)
    found = [line.replace(code_dir, _TASK_ROOT) for line in lines]
    return _document(type(error).__name__, str(error), found)


def _document(kind: str, message: str, frames: list[str] | None = None) -> dict[str, Any]:
    return {
        "errorMessage": message,
        "errorType": kind,
        "requestId": devbridge_request["id"],
        "stackTrace": frames or [],
    }
