"""The process of a test session's stage: started, listened to, ended with all that it has made."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Final

from devbridge import errors
from devbridge.config import Config
from devbridge.errors import DevbridgeError

COMMAND = (sys.executable, "-P", "-m", "devbridge.live.under_test")
STOP_SECONDS: Final = 30.0
_TAIL: Final = 12
"""Lines of its log in an error."""


class StageProcess:
    """`devbridge.live.under_test`, which lives until `stop`, or until this process has ended."""

    def __init__(self, config: Config) -> None:
        """
        Args:
            config: with the session's own folder, which the process deletes at its end.
        """
        self._state = config.state_dir
        self._log = self._state / "dev.log"
        reader, writer = os.pipe()
        self._words: IO[str] = os.fdopen(reader, encoding="utf-8")
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [*COMMAND, str(config.root), str(self._state), str(writer)],
                    stdin=subprocess.PIPE,  # that it is closed, or this process gone, ends it
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=config.root,
                    pass_fds=(writer,),
                    start_new_session=True,  # Ctrl-C is for pytest
                )
        except BaseException:
            self._words.close()
            raise
        finally:
            os.close(writer)

    def wait_until_ready(self, warn: Callable[[str], None]) -> None:
        """Return when the stage takes runs.

        Args:
            warn: is told of what is wrong and goes on.

        Raises:
            DevbridgeError: of the class and with the words of the one that has ended it.
        """
        if not self._is_ready(warn):
            raise self._ended("the stage of the tests ended while it was starting")

    def check(self) -> None:
        """
        Raises:
            DevbridgeError: it has ended by itself.
        """
        if self._process.poll() is not None:
            if not self._words.closed:
                self._is_ready(lambda _: None)
            raise self._ended("the stage of the tests has ended by itself")

    def stop(self) -> None:
        """End it, and all that it has started; delete its folder. Idempotent."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        finally:
            # What it has started ends by itself once it is gone.
            self._process.kill()
            self._process.wait()
            self._words.close()
            shutil.rmtree(self._state, ignore_errors=True)

    def _is_ready(self, warn: Callable[[str], None]) -> bool:
        """Listen until it says that it is ready, or has ended, or why it does.

        Raises:
            DevbridgeError: as it has told.
        """
        for line in self._words:
            word = json.loads(line)
            if "warning" in word:
                warn(word["warning"])
            elif "ready" in word:
                return True
            else:
                kind = getattr(errors, word["class"], DevbridgeError)
                raise kind(word["what"], where=word["where"], remedy=word["remedy"])
        return False

    def _ended(self, what: str) -> DevbridgeError:
        self._process.wait()
        try:
            lines = self._log.read_text("utf-8", "replace").splitlines()[-_TAIL:]
        except OSError:  # it has deleted its folder in order
            lines = []
        return DevbridgeError(
            "\n".join([what + (", after:" if lines else ""), *lines]),
            where=f"process {self._process.pid}, exit code {self._process.returncode}",
            remedy="run the tests again; `devbridge dev --local` shows more of a failing start",
        )
