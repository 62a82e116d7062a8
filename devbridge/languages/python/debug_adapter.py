"""debugpy's adapter for one session: run by the app's interpreter, which need not have devbridge.

``python -P debug_adapter.py FOLDER DESCRIPTOR``: debugpy's folder, and a Unix socket, at whose
other end the daemon is. Over it come a line of JSON, ``{"token": SECRET}``;
then descriptors, each the connection of a debugger; and its end, which is the end of all of this.
Back goes ``{"port": PORT, "anchor": PID}``: where workers connect to, and whose subprocesses they
are to say that they are. No debugger can come another way, and no worker without the token.

The anchor is a process that only waits: what a debugger is attached to while nothing runs.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
import threading
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

ANCHOR_DEADLINE = 60.0


def main() -> None:
    """Serve debuggers, or be the anchor."""
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    folder, number = sys.argv[1], int(sys.argv[2])
    _load(folder)
    if sys.argv[3:] == ["anchor"]:
        _wait(number)
    else:
        _serve(folder, socket.socket(fileno=number))


def _load(folder: str) -> None:
    """Import debugpy from its folder, wherever modules are found otherwise."""
    file = os.path.join(folder, "__init__.py")  # noqa: PTH118 - as is the worker's
    spec: Any = spec_from_file_location("debugpy", file, submodule_search_locations=[folder])
    sys.modules["debugpy"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["debugpy"])


def _serve(folder: str, daemon: socket.socket) -> None:
    adapter: Any = importlib.import_module("debugpy.adapter")
    clients: Any = importlib.import_module("debugpy.adapter.clients")
    servers: Any = importlib.import_module("debugpy.adapter.servers")
    token = json.loads(daemon.makefile("rb").readline())["token"]
    adapter.access_token = token  # which workers have to know
    clients.listener = None  # they come from the daemon
    _, port = servers.serve("127.0.0.1", 0)
    anchor = subprocess.Popen(
        [sys.executable, "-P", __file__, folder, str(port), "anchor"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert anchor.stdin is not None  # noqa: S101 - narrows the type
        anchor.stdin.write(f"{token}\n".encode())
        anchor.stdin.flush()
        threading.Thread(target=_end_with, args=(anchor,), daemon=True).start()
        found = servers.wait_for_connection(None, lambda it: it.pid == anchor.pid, ANCHOR_DEADLINE)
        if found is None:
            sys.exit("debugpy's anchor has not come")
        daemon.sendall(json.dumps({"port": port, "anchor": anchor.pid}).encode() + b"\n")
        _take(daemon, clients.Client)
    finally:
        anchor.kill()
        anchor.wait()
        os._exit(0)


def _take(daemon: socket.socket, client: Any) -> None:
    """Serve what the daemon hands over, until it ends."""
    while True:
        data, descriptors, *_ = socket.recv_fds(daemon, 1, 16)
        for descriptor in descriptors:
            threading.Thread(
                target=client, args=(socket.socket(fileno=descriptor),), daemon=True
            ).start()
        if not data:
            return


def _end_with(anchor: subprocess.Popen[bytes]) -> None:
    """Without it, nobody could attach any more: end, so that the daemon hears of it."""
    anchor.wait()
    os._exit(1)


def _wait(port: int) -> None:
    import debugpy

    token = sys.stdin.readline().strip()
    ending: Any = threading.Thread(target=_end_with_parent, daemon=True)
    ending.is_pydev_daemon_thread = ending.pydev_do_not_trace = True  # no debugger sees it
    ending.start()
    debugpy.connect(("127.0.0.1", port), access_token=token)  # returns with the first debugger
    threading.Event().wait()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
