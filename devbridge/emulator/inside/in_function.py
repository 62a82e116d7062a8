"""Runs in each function of the embedded cloud, before ministack's own script, of which it becomes a
part: errors and the log are as AWS Lambda's runtime has them (`awslambdaric.bootstrap`).

Its text is put before that script. Standard library only, whatever the function has.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from typing import TextIO

_TASK_ROOT = "/var/task"
_LEVEL_AND_ID = "[%(levelname)s]\t%(asctime)s.%(msecs)dZ\t%(aws_request_id)s\t%(message)s"

devbridge_request = {"id": ""}
"""The invocation that goes on."""


def devbridge_answers() -> TextIO:
    """Where ministack reads answers from. What else is written to standard output, also by child
    processes, is in the log from now on, and never taken for an answer."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


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


def devbridge_init_error(error: Exception, module: str, name: str, code_dir: str) -> str:
    """What AWS says of a handler that cannot be loaded, as JSON."""
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


def devbridge_error(error: Exception, code_dir: str) -> str:
    """What AWS says of an exception that a handler has raised, as JSON."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # without ministack's own
    if frames and frames[0].filename == json.__file__:
        return _document("Runtime.MarshalError", f"Unable to marshal response: {error}")
    lines = traceback.format_list(frames)
    found = [line.replace(code_dir, _TASK_ROOT) for line in lines]
    return _document(type(error).__name__, str(error), found)


def _document(kind: str, message: str, frames: list[str] | None = None) -> str:
    return json.dumps(
        {
            "errorMessage": message,
            "errorType": kind,
            "requestId": devbridge_request["id"],
            "stackTrace": frames or [],
        }
    )
