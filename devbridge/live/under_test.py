"""`devbridge dev --local` for a test session: in a folder of its own, for as long as who started it
lives.

``python -m devbridge.live.under_test ROOT STATE FD``: the app's folder, the folder for all that is
kept, which is deleted at the end, and the pipe on which it tells how it goes, a JSON object a line
(`Word`). It ends in order when its standard input does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from devbridge import folders
from devbridge.cloud import last
from devbridge.config import Config, load_config
from devbridge.errors import EXIT_INTERRUPTED, EXIT_OK, DevbridgeError
from devbridge.live.develop import develop
from devbridge.live.voice import Voice
from devbridge.names import OF_TESTS

Word = Mapping[str, str]
"""``{"ready": ""}``; ``{"warning": text}``; or an error: its ``class``, ``what``, ``where``,
``remedy``."""


def configured(root: Path, state: Path) -> Config:
    """As the app's settings say, but on an embedded cloud of its own, in this interpreter.

    Raises:
        InvalidValue: a setting is not allowed.
    """
    here = {"stage": OF_TESTS, "local": True, "python": sys.executable}
    config = load_config(here, app=root)
    return replace(
        config, state=state, endpoint=None, port=None, profile=None, verbose=False, console=False
    )


def main(arguments: list[str]) -> int:
    """Run until standard input ends; the exit code, as of `devbridge dev`."""
    root, state, words = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
    os.set_blocking(words, False)  # nobody need listen

    def tell(**word: str | None) -> None:
        with contextlib.suppress(OSError):
            os.write(words, f"{json.dumps(word)}\n".encode())

    def refuse(_question: str, what: str) -> None:
        raise DevbridgeError(what)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        config = configured(root, state)
        voice = Voice(print, warn=lambda text: tell(warning=text), confirm=refuse, colour=False)
        try:
            develop(config, voice, yes=True, on_ready=lambda: tell(ready=""))
        finally:
            last.remember(config, local=False)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        told = _explained(error)
        tell(**{"class": type(told).__name__}, what=told.what, where=told.where, remedy=told.remedy)
        return told.exit_code
    finally:
        shutil.rmtree(state, ignore_errors=True)
    return EXIT_OK


def _explained(error: Exception) -> DevbridgeError:
    if isinstance(error, DevbridgeError):
        return error
    if isinstance(error, OSError) and (explained := folders.explained(error)):
        return explained
    return DevbridgeError(traceback.format_exc())


def _end_with_input() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
