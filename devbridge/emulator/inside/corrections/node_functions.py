"""Functions on Node runtimes run in a real node, as AWS Lambda's runtime for Node runs them.

ministack's own script takes whatever ``node`` is first on PATH, replaces the AWS SDK by stubs and
all HTTPS requests by its own, takes a default export for any handler, tells no error's type, writes
nothing of an error into the log, and ends the process after each one.

What runs instead is `inside/node/in_function.mjs`. It reads and writes descriptors of its own,
marks the end of an invocation in the log, and answers a handler's error as a result, so that its
process goes on.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
from pathlib import Path
from typing import Final

from .. import nodes
from ..host import ministack
from .workers import MARK

RUNTIMES: Final = "nodejs"
"""What the names of Node's runtimes begin with."""
_SCRIPT: Final = Path(nodes.__file__).parent / "node" / "in_function.mjs"
_AS_BEFORE_24: Final = ("--no-experimental-require-module", "--no-experimental-detect-module")
"""Lambda has these for Node 22 unless NODE_OPTIONS switches them on ("Experimental Node.js
features", AWS Lambda's developer guide)."""

_line_break = secrets.token_hex(8)
"""In place of a line break within one event of the log."""


def run_with_node() -> None:
    """Correct `core.lambda_runtime`."""
    runtime = ministack("core.lambda_runtime")
    binary_of = runtime._detect_runtime_binary

    def binary(name: str) -> tuple[str, str]:
        found: tuple[str, str] = ("/bin/sh", script(name)) if is_node(name) else binary_of(name)
        return found

    runtime._detect_runtime_binary = binary


def is_node(runtime: str) -> bool:
    """Whether a runtime is one of Node's."""
    return runtime.startswith(RUNTIMES)


def script(runtime: str) -> str:
    """What starts a function: it becomes node, in which nothing is of the developer's shell.

    Raises:
        RuntimeError: this machine has no node; its text is an error for `told`.
    """
    version = re.search(r"\d+", runtime)
    major = int(version[0]) if version else 0
    node = nodes.find(major)
    if node is None:
        what = f"{runtime}: there is no Node on this machine that is {nodes.OLDEST} or newer"
        message = f"{what}; install it, {nodes.how_to_install(major)}"
        document = {"errorType": "Runtime.InvalidRuntime", "errorMessage": message}
        raise RuntimeError(MARK + json.dumps(document))
    note = nodes.differs(runtime, major, node) or ""
    arguments = [str(_SCRIPT), MARK, _line_break, runtime, note]
    flags = _AS_BEFORE_24 if major < 24 and node.major >= 22 else ()
    tests = (
        f'case "${{NODE_OPTIONS-}}" in *{flag.replace("--no", "-")}*) ;;'
        f' *) set -- "$@" {flag} ;; esac'
        for flag in flags
    )
    return "\n".join(
        [
            "exec 3<&0 4>&1 0</dev/null 1>&2",
            # Without HOME node looks for no packages there; without a package.json of its own, the
            # app's would say what kind of modules a function's files are.
            "unset HOME",
            'printf "{}" > "${0%/*}/package.json"',
            "set --",
            *tests,
            f'exec {shlex.quote(str(node.path))} "$@" {shlex.join(arguments)}',
            "",
        ]
    )


def events(printed: str) -> list[str]:
    """What a Node function has printed, as events: one for each line, or for what `console` was
    asked to say at once."""
    lines = printed.removesuffix("\n").split("\n") if printed else []
    return [line.replace(_line_break, "\n") for line in lines]
