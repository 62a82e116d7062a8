"""A client of ``driver.mjs``: the project's own esbuild, whatever its version, with its plugins."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from devbridge.languages.node.esbuild import (
    Builds,
    Output,
    Request,
    Result,
    ServiceEnded,
    let_end,
    messages,
)
from devbridge.languages.node.graph import ENTRY

_SCRIPT: Final = Path(__file__).with_name("driver.mjs")


class Driver:
    """node, with the JavaScript API of a project's esbuild. One request at a time.

    Args:
        node: the executable.
        package: the folder of the npm package ``esbuild``.
        environ: of the process.

    Raises:
        ServiceEnded: it does not start.
    """

    def __init__(self, node: Path, package: Path, environ: Mapping[str, str]) -> None:
        try:
            self._process = subprocess.Popen(
                [node, _SCRIPT, package],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(environ),
                start_new_session=True,
            )
        except OSError as error:
            raise ServiceEnded(f"{node} does not start: {error.strerror}") from error
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._ended = False

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it answers still, as far as is known."""
        return not self._ended and self._process.poll() is None

    def context(self, request: Request) -> Builds:
        """What builds a request again and again; what is to be replaced is not.

        Raises:
            ServiceEnded.
            ValueError: esbuild, or the file of plugins, does not take it; says why.
        """
        key = next(self._numbers)
        options = {
            **request.options,
            "absWorkingDir": str(request.root),
            "nodePaths": list(request.node_paths),
            "stdin": {
                "contents": request.entry,
                "resolveDir": str(request.root),
                "sourcefile": ENTRY,
                "loader": "js",
            },
            "write": False,
            "metafile": True,
            "logLevel": "silent",
            "logLimit": 0,
        }
        plugins = {"plugins": request.plugins, "changed": request.plugins_changed}
        answer = self.ask({"command": "context", "key": key, "options": options, **plugins})
        if errors := messages(answer.get("errors")):
            raise ValueError(errors[0].text)
        return _Context(self, key)

    def ask(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            ServiceEnded.
            ValueError: it has failed; says why.
        """
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        with self._lock:
            try:
                line = json.dumps({"id": next(self._numbers), **value})
                self._process.stdin.write(f"{line}\n".encode())
                self._process.stdin.flush()
                answered = self._process.stdout.readline()
            except (OSError, ValueError) as error:
                self._ended = True
                raise ServiceEnded("the project's esbuild has ended") from error
        if not answered:
            self._ended = True
            raise ServiceEnded("the project's esbuild has ended")
        answer: dict[str, Any] = json.loads(answered)
        if error_text := answer.get("error"):
            raise ValueError(str(error_text))
        return answer

    def close(self) -> None:
        """End it."""
        let_end(self._process)
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdout.close()


class _Context:
    def __init__(self, driver: Driver, key: int) -> None:
        self._driver = driver
        self._key = key

    def rebuild(self) -> Result:
        answer = self._driver.ask({"command": "rebuild", "key": self._key})
        return Result(
            messages(answer.get("errors")),
            messages(answer.get("warnings")),
            tuple(
                Output(Path(each["path"]), base64.b64decode(each["contents"]))
                for each in answer.get("outputs") or ()
            ),
            answer.get("metafile") or {},
        )

    def dispose(self) -> None:
        self._driver.ask({"command": "dispose", "key": self._key})
