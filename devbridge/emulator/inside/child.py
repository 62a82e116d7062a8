"""Runs inside the embedded cloud's own process: ministack, tied to the life of its users.

Started as a file by the embedded cloud's interpreter, which has no devbridge: standard library and
ministack only. Each user holds a shared lock on a file, see `users`; the exclusive one, for which
this waits, comes when the last of them is gone, however it went. Then the cloud saves its state and
stops; unless it was told to stay, in its state file: then SIGTERM to its process group stops it, or
that its folder is deleted, for then nobody could find it any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback

STOP_SECONDS = 20.0
"""How long the cloud may take to save its state before it is killed: a second for each 100,000
lines that its builds have printed, at most."""
_LOOK = 2.0
"""Seconds between looks at whether a cloud that stays can still be found."""


async def _do_not_wait(_server: object) -> None:
    """Instead of `asyncio.Server.wait_closed`, see `_serve`."""


def _watch_users(state_file: str, users_file: str, temp_dir: str) -> None:
    with open(users_file, "r+b") as users:  # noqa: PTH123
        fcntl.flock(users, fcntl.LOCK_EX)
        if _stays(state_file):
            fcntl.flock(users, fcntl.LOCK_UN)
            while _stays(state_file):
                time.sleep(_LOOK)
        with contextlib.suppress(OSError):
            os.unlink(state_file)  # noqa: PTH108 - nobody attaches to a cloud that is stopping
        # To the functions too: a request that waits for one would hold up the saving of the state.
        os.killpg(0, signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        _end(temp_dir)


def _stays(state_file: str) -> bool:
    """Whether somebody has said that it shall run on without users."""
    try:
        with open(state_file, "rb") as file:  # noqa: PTH123
            state = json.load(file)
        return bool(state["detached"]) and state["pid"] == os.getpid()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _end(temp_dir: str) -> None:
    """Delete the temporary files and end the process group: the cloud and all its functions."""
    sys.stdout.flush()
    sys.stderr.flush()
    shutil.rmtree(temp_dir, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def main(state_file: str, users_file: str, temp_dir: str, key_file: str) -> None:
    """Run ministack until it is told to stop; then end with all that it has started."""
    os.umask(0o077)
    watched = (state_file, users_file, temp_dir)
    threading.Thread(target=_watch_users, args=watched, daemon=True).start()
    try:
        with open(key_file, encoding="utf-8") as keys:  # noqa: PTH123 - no pathlib here
            root = json.load(keys)
        _serve(root["access_key"], root["secret_key"])
    except BaseException:  # the group is killed, this process with it: say why before that
        traceback.print_exc()
    finally:
        _end(temp_dir)


def _serve(access_key: str, secret_key: str) -> None:
    import asyncio  # slow; who starts this imports the file for its constants

    from hypercorn.config import Config  # type: ignore[import-not-found]
    from ministack.app import main as ministack  # type: ignore[import-not-found]

    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    sys.path.append(os.path.dirname(here))  # noqa: PTH120
    importlib.import_module("inside.plug").plug_in(access_key, secret_key)

    # Since Python 3.12 it waits for every connection to end, an MQTT client's too, which hypercorn
    # only tells to end afterwards: the cloud would never come to saving its state.
    asyncio.Server.wait_closed = _do_not_wait  # type: ignore[assignment,method-assign]
    Config.graceful_timeout = 0.5
    sys.argv[1:] = []
    ministack()


if __name__ == "__main__":
    main(*sys.argv[1:])
