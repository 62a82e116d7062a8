"""A client of ``esbuild --service``: esbuild as a child process that keeps what it has parsed.

Its protocol is esbuild's own and not documented: only the versions in `TESTED` are spoken to.
esbuild ends when its stdin is closed, and so with this process, however that ends.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from devbridge.languages.node.graph import ENTRY
from devbridge.languages.node.options import flags
from devbridge.languages.node.packets import length, packet, parsed

TESTED: Final = frozenset({"0.28.0", "0.28.1", "0.28.2"})
"""The versions whose service is spoken to."""
LOADED: Final = "devbridge-loaded:"
"""What stands before the URL of a module that a replacing text imports, and that Node loads."""
_GOES: Final = 5.0
"""Seconds that esbuild gets to end by itself."""


class ServiceEnded(Exception):
    """esbuild's process has ended, or is not what it should be: start another."""


_NO_MORE: Final = (EOFError, OSError, ServiceEnded, ValueError, LookupError, TypeError)
"""It has ended, or says what its protocol does not have."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where in a file a message is."""

    file: str
    """Relative to the folder that is built in, where it is below that."""
    line: int
    """From 1."""
    column: int
    """Bytes of UTF-8 before it in its line."""
    length: int
    """Bytes."""
    text: str
    """The line."""


@dataclass(frozen=True, slots=True)
class Message:
    """An error or a warning of esbuild's."""

    text: str
    location: Location | None = None
    notes: tuple[Message, ...] = ()
    id: str = ""
    """Of a warning: ``empty-import-meta``."""
    plugin: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """A file that was built, and not written."""

    path: Path
    contents: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What a build has made."""

    errors: tuple[Message, ...] = ()
    warnings: tuple[Message, ...] = ()
    outputs: tuple[Output, ...] = ()
    """Empty if there are errors."""
    metafile: Mapping[str, Any] = field(default_factory=dict)
    """``inputs`` and ``outputs``, with paths relative to the folder that was built in."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be built."""

    root: Path
    """The working directory."""
    options: Mapping[str, Any]
    """As esbuild's JavaScript API takes them: see `devbridge.languages.node.options`."""
    entry: str
    """The text of the entry module, which imports relative to the root."""
    node_paths: tuple[str, ...] = ()
    """Folders where packages are looked for last."""
    plugins: str = ""
    """The absolute path of a JavaScript file with esbuild's plugins; not for the service."""
    plugins_changed: int = 0
    """When that file was changed, in nanoseconds since the epoch."""
    replaced: Mapping[str, str] = field(default_factory=dict)
    """Absolute file -> the JavaScript that stands for it, which may import ``LOADED`` and a URL."""


class Builds(Protocol):
    """A build that can be made again, faster."""

    def rebuild(self) -> Result:
        """Build what the files are now."""
        ...

    def dispose(self) -> None:
        """Forget what was kept for it."""
        ...


def let_end(process: subprocess.Popen[bytes]) -> None:
    """Have a process end that does when nothing more is asked; kill it if it does not."""
    assert process.stdin is not None  # noqa: S101
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_GOES)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Service:
    """esbuild as a process. Its methods may be called from any thread.

    Args:
        binary: its executable.
        version: of it.
        environ: of the process.

    Raises:
        ServiceEnded: it does not start, or is of another version.
    """

    def __init__(self, binary: Path, version: str, environ: Mapping[str, str]) -> None:
        try:
            self._process = subprocess.Popen(
                [binary, f"--service={version}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(environ),
                start_new_session=True,  # Ctrl-C is for this process, which ends that one
            )
        except OSError as error:
            raise ServiceEnded(f"{binary} does not start: {error.strerror}") from error
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._asked: dict[int, _Context] = {}
        """The builds that esbuild has questions about, by their keys."""
        self._ended = False
        try:
            said = self._taken(length(self._taken(4))).decode(errors="replace")
        except EOFError:
            said = ""
        if said != version:
            self.close()
            raise ServiceEnded(f"{binary} is not esbuild {version}: it says {said!r}")
        self._reader = threading.Thread(target=self._read, name="esbuild", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it answers still, as far as is known."""
        return not self._ended

    def context(self, request: Request) -> Builds:
        """What builds a request again and again.

        Raises:
            ServiceEnded.
            ValueError: esbuild does not take the request; says why.
        """
        key = next(self._numbers)
        context = _Context(self, key, request)
        self._asked[key] = context
        try:
            answer = self.ask({**_asked(request), "key": key, "context": True})
        except ValueError:
            del self._asked[key]
            raise
        if errors := messages(answer.get("errors")):
            del self._asked[key]
            raise ValueError(errors[0].text)
        return context

    def build(self, request: Request) -> Result:
        """Build once.

        Raises:
            ServiceEnded.
            ValueError: esbuild does not take the request; says why.
        """
        context = self.context(request)
        try:
            return context.rebuild()
        finally:
            with contextlib.suppress(ServiceEnded):
                context.dispose()

    def ask(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            ServiceEnded.
            ValueError: esbuild has refused it.
        """
        future: Future[Any] = Future()
        with self._lock:
            if self._ended:
                raise ServiceEnded("esbuild has ended")
            number = next(self._numbers)
            self._waiting[number] = future
            self._send(packet(number, value, answers=False))
        answer = future.result()
        if error := answer.get("error"):
            raise ValueError(str(error))
        return dict(answer)

    def forget(self, key: int) -> None:
        """Nothing more is asked about that build."""
        self._asked.pop(key, None)

    def close(self) -> None:
        """End it."""
        let_end(self._process)
        if (reader := getattr(self, "_reader", None)) is not None:
            reader.join()
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdout.close()

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:  # closed by the other, or by `close`
            self._ended = True
            raise ServiceEnded("esbuild has ended") from error

    def _taken(self, count: int) -> bytes:
        assert self._process.stdout is not None  # noqa: S101
        taken = self._process.stdout.read(count)
        if len(taken) < count:
            raise EOFError
        return taken

    def _read(self) -> None:
        try:
            with contextlib.suppress(*_NO_MORE):
                while True:
                    number, answers, value = parsed(self._taken(length(self._taken(4))))
                    if answers:
                        if future := self._waiting.pop(number, None):
                            future.set_result(value)
                    else:
                        answer = self._answer(value)
                        with self._lock:
                            self._send(packet(number, answer, answers=True))
        finally:  # whatever it was: nobody waits for ever
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            waiting, self._waiting = [*self._waiting.values()], {}
        # Closing stdin ends one that has not understood us, or that we have not.
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None  # noqa: S101
            self._process.stdin.close()
        for future in waiting:
            future.set_exception(ServiceEnded("esbuild has ended"))

    def _answer(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """What to say to a request of esbuild's own."""
        context = self._asked.get(value.get("key", -1))
        match value.get("command"):
            case "on-end" if context is not None:
                context.latest = _result(value)
                return {"errors": [], "warnings": []}
            case "on-start":
                return {"errors": [], "warnings": []}
            case "on-resolve":
                url = str(value["path"]).removeprefix(LOADED)
                return {"id": value["ids"][0], "path": url, "external": True}
            case "on-load" if context is not None:
                return context.loaded(str(value["path"]), value["ids"])
        return {}


class _Context:
    def __init__(self, service: Service, key: int, request: Request) -> None:
        self._service = service
        self._key = key
        self._request = request
        self._one = threading.Lock()
        self.latest: Result | None = None

    def rebuild(self) -> Result:
        with self._one:
            self.latest = None
            self._service.ask({"command": "rebuild", "key": self._key})
            if self.latest is None:
                raise ServiceEnded("esbuild has not told the result of a build")
            return self.latest

    def dispose(self) -> None:
        with self._one:
            self._service.ask({"command": "dispose", "key": self._key})
            self._service.forget(self._key)

    def loaded(self, path: str, ids: Sequence[int]) -> dict[str, Any]:
        text = self._request.replaced.get(path)
        if text is None:
            return {}
        return {"id": ids[0], "contents": text.encode(), "loader": "js"}


_QUIET: Final = ("--log-level=silent", "--log-limit=0", "--metafile")


def _asked(request: Request) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "command": "build",
        "entries": [],
        "flags": [*flags(request.options), f"--sourcefile={ENTRY}", "--loader=js", *_QUIET],
        "write": False,
        "stdinContents": request.entry.encode(),
        "stdinResolveDir": str(request.root),
        "absWorkingDir": str(request.root),
        "nodePaths": list(request.node_paths),
    }
    if request.replaced:
        resolves = [{"id": 0, "filter": f"^{LOADED}", "namespace": ""}]
        loads = [{"id": 1, "filter": _only(request.replaced), "namespace": "file"}]
        plugin = {"name": "devbridge", "onStart": False, "onEnd": False}
        asked["plugins"] = [{**plugin, "onResolve": resolves, "onLoad": loads}]
    return asked


_SPECIAL: Final = frozenset(r"\.+*?()|[]{}^$")


def _only(paths: Mapping[str, str]) -> str:
    """A regular expression of Go's that only these match."""
    quoted = ("".join(f"\\{c}" if c in _SPECIAL else c for c in path) for path in sorted(paths))
    return f"^(?:{'|'.join(quoted)})$"


def _result(value: Mapping[str, Any]) -> Result:
    return Result(
        messages(value.get("errors")),
        messages(value.get("warnings")),
        tuple(
            Output(Path(each["path"]), each["contents"]) for each in value.get("outputFiles") or ()
        ),
        json.loads(value["metafile"]) if value.get("metafile") else {},
    )


def messages(values: Any) -> tuple[Message, ...]:
    """The messages of an answer: of the service's, and of the JavaScript API as JSON."""
    return tuple(
        Message(
            str(each["text"]),
            _location(each.get("location")),
            messages(each.get("notes")),
            str(each.get("id") or ""),
            str(each.get("pluginName") or ""),
        )
        for each in values or ()
    )


def _location(value: Any) -> Location | None:
    if not value:
        return None
    return Location(
        str(value["file"]),
        int(value["line"]),
        int(value["column"]),
        int(value["length"]),
        str(value["lineText"]),
    )
