"""What runs a job's handler: this interpreter, or Node for a ``DEVBRIDGE_RUNTIME`` of nodejs.

`devbridge.languages` decides the same for the laptop; here there is the environment only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress

from runner import memory
from runner.debugging import DEBUGGER
from runner.outcome import Failure

RUNTIME = "DEVBRIDGE_RUNTIME"
"""The variable with the job's runtime, as Lambda names it: ``nodejs24.x``. Python has none."""
NODE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node")
_MEMORY = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
_HEAP = re.compile(r"--max[-_]old[-_]space[-_]size")
_MODULES = "node_modules"


def is_node(environment: Mapping[str, str]) -> bool:
    """Whether the handler is Node's. A container's command is no handler."""
    runtime = environment.get(RUNTIME, "")
    return runtime.startswith("nodejs") and "DEVBRIDGE_COMMAND" not in environment


def command(environment: Mapping[str, str]) -> list[str]:
    """What follows ``die-with PID`` to start a worker with this environment."""
    if not is_node(environment):
        return []
    return ["exec", *node_command(_found(environment) or "node", "worker.mjs", environment)]


def node_command(node: str, script: str, environment: Mapping[str, str]) -> list[str]:
    """How Node runs a script of `runner/node`.

    V8 takes a heap of 2 to 4 GB, whatever there is: it may have the job's memory limit, or, as in
    Lambda, nine tenths of the job's memory. Who has said in NODE_OPTIONS how much gets that.
    """
    limit = int(environment.get(memory.VARIABLE) or 0) >> 20
    if not limit:
        with suppress(ValueError):
            limit = int(environment.get(_MEMORY) or 0) * 9 // 10
    said = _HEAP.search(environment.get("NODE_OPTIONS", ""))
    heap = [f"--max-old-space-size={limit}"] if limit and not said else []
    # Else any user of this machine may ask the inspector for the path that it answers at.
    secret = ["--inspect-publish-uid=stderr"] if DEBUGGER in environment else []
    return [node, *heap, *secret, os.path.join(NODE, script)]


def problem(environment: Mapping[str, str]) -> Failure | None:
    """Why no worker can be started, if so."""
    if not is_node(environment) or _found(environment):
        return None
    return Failure("NodeMissing", f"there is no node on PATH to run {environment[RUNTIME]}")


def remark(environment: Mapping[str, str]) -> str:
    """What is to be said before the first worker: that another Node runs it; else nothing."""
    node = _found(environment) if is_node(environment) else None
    if node is None:
        return ""
    import subprocess  # a container's command needs none

    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version, runtime = done.stdout.strip(), environment[RUNTIME]
    if runtime.partition(".")[0] == f"nodejs{version[1:].partition('.')[0]}":
        return ""
    return f"{node} {version or 'of unknown version'} runs the job, which was made for {runtime}"


def link_packages(root: str, packages: str) -> None:
    """Node finds what is installed in a folder above a file: link the job's packages there.

    Args:
        root: the app's folder.
        packages: the folder with ``node_modules``, if the job has such; else "".
    """
    installed = os.path.join(packages, _MODULES)
    here = os.path.join(root, _MODULES)
    if packages and os.path.isdir(installed) and not os.path.lexists(here):
        os.symlink(os.path.abspath(installed), here)


def _found(environment: Mapping[str, str]) -> str | None:
    import shutil  # not needed where Python runs

    return shutil.which("node", path=environment.get("PATH"))
