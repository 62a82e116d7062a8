"""A command in place of a handler: what a container job runs, on the laptop.

DEVBRIDGE_COMMAND is the command, a JSON list, and DEVBRIDGE_COMMAND_DIR the folder that it runs
in. It gets its payload as in CodeBuild: as JSON text in DEVBRIDGE_PAYLOAD. Its result is null.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

from runner import results

COMMAND = "DEVBRIDGE_COMMAND"
DIRECTORY = "DEVBRIDGE_COMMAND_DIR"
MAX_PAYLOAD = 8 * 1024
"""Bytes: what is safe to put into a build's environment."""
_OURS = (COMMAND, DIRECTORY, "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "_HANDLER")
_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


class CommandFailed(Exception):
    """The command's exit code is not 0."""


class PayloadTooLarge(Exception):
    """The payload does not fit into the command's environment."""


def handler(payload: Any) -> None:
    """Run the command to its end.

    Raises:
        CommandFailed: its exit code is not 0; a signal counts 128 and its number, as in a shell.
        PayloadTooLarge: the payload is over 8 KiB.
    """
    text = results.encode(payload)
    if len(text) > MAX_PAYLOAD:
        raise PayloadTooLarge(
            f"the payload has {len(text):,} bytes; a container job takes {MAX_PAYLOAD:,}"
        )
    environment = {key: value for key, value in os.environ.items() if key not in _OURS}
    environment["DEVBRIDGE_PAYLOAD"] = text.decode()
    code = _run(json.loads(os.environ[COMMAND]), os.environ.get(DIRECTORY), environment)
    if code:
        raise CommandFailed(f"the command exited with code {code}")


def _run(command: list[str], directory: str | None, environment: dict[str, str]) -> int:
    # SIGTERM comes to the whole group: what becomes of it is the command's to decide.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        code = subprocess.run(command, cwd=directory, env=environment, check=False).returncode
    except OSError as error:
        print(f"runner: {command[0]}: {error.strerror}", file=sys.stderr)
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return 128 - code if code < 0 else code
