"""A debugger that speaks the Debug Adapter Protocol, as an editor does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

DEADLINE = 60.0
"""Seconds to wait for an answer or an event; generous, because the machine may be busy."""
Breakpoints = Mapping[Path, Sequence[int]]
Message = dict[str, Any]


class Debugger:
    """One session: with devbridge, or with one process of it.

    Args:
        configuration: what `attach` is asked with: an entry of launch.json, or what an editor was
            told of a process.
    """

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        where = configuration["connect"]
        self.configuration = configuration
        self._socket = socket.create_connection((where["host"], where["port"]), timeout=DEADLINE)
        self._seq = 0
        self.heard: list[Message] = []
        self._taken: list[Message] = []
        self.closed = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Hang up, without a word."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._reader.join(DEADLINE)

    def attach(
        self, breakpoints: Breakpoints | None = None, exceptions: Sequence[str] = ()
    ) -> None:
        """Attach, as an editor with these breakpoints."""
        self(
            "initialize",
            clientID="tests",
            adapterID="debugpy",
            pathFormat="path",
            linesStartAt1=True,
            columnsStartAt1=True,
        )
        attached = self.ask("attach", dict(self.configuration))
        self.event("initialized")
        for file, lines in (breakpoints or {}).items():
            self.set_breakpoints(file, *lines)
        self("setExceptionBreakpoints", filters=list(exceptions))
        self("configurationDone")
        self._answer(attached)

    def set_breakpoints(self, file: Path, *lines: int) -> list[Message]:
        found: list[Message] = self(
            "setBreakpoints",
            source={"path": str(file)},
            breakpoints=[{"line": line} for line in lines],
        )["breakpoints"]
        return found

    def __call__(self, command: str, **arguments: Any) -> Message:
        """Ask, and return the answer's body."""
        return self._answer(self.ask(command, arguments))

    def fails(self, command: str, **arguments: Any) -> str:
        """Ask for what is refused, and return why."""
        seq = self.ask(command, arguments)
        answer = self._wait(lambda it: it.get("request_seq") == seq, command)
        assert not answer["success"], answer
        return str(answer["message"])

    def event(self, name: str) -> Message:
        """The body of the first event of this name that was not returned yet."""
        found = self._wait(lambda it: it.get("event") == name, name)
        return found.get("body") or {}

    def stopped(self) -> Stop:
        """Where it has stopped."""
        return Stop(self, self.event("stopped"))

    def next_process(self) -> Debugger:
        """A session with the process that this one is told of."""
        return Debugger(self.event("debugpyAttach"))

    def wait_closed(self) -> None:
        """Return when the other end has hung up."""
        with self._news:
            assert self._news.wait_for(lambda: self.closed, DEADLINE), self.heard

    def ask(self, command: str, arguments: Mapping[str, Any]) -> int:
        """Ask, and return the number by which the answer is known."""
        self._seq += 1
        message = {
            "seq": self._seq,
            "type": "request",
            "command": command,
            "arguments": arguments,
        }
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return self._seq

    def _answer(self, seq: int) -> Message:
        answer = self._wait(lambda it: it.get("request_seq") == seq, f"the answer to {seq}")
        assert answer["success"], answer
        return answer.get("body") or {}

    def _wait(self, wanted: Callable[[Message], bool], what: str) -> Message:
        found: list[Message] = []

        def there() -> bool:
            found.extend([it for it in self.heard if wanted(it) and it not in self._taken][:1])
            return bool(found)

        with self._news:
            self._news.wait_for(lambda: there() or self.closed, DEADLINE)
            assert found or there(), f"no {what}; heard: {self.heard}"
            self._taken.append(found[0])
        return found[0]

    def _read(self) -> None:
        file = self._socket.makefile("rb")
        try:
            while header := file.readline():
                size = int(header.removeprefix(b"Content-Length: "))
                assert file.readline() == b"\r\n"
                message = json.loads(file.read(size))
                with self._news:
                    self.heard.append(message)
                    self._news.notify_all()
        except (OSError, ValueError):
            pass
        with self._news:
            self.closed = True
            self._news.notify_all()


class Stop:
    """A process has stopped."""

    def __init__(self, debugger: Debugger, event: Message) -> None:
        self.debugger = debugger
        self.reason = event["reason"]
        self.thread = event["threadId"]
        frames = debugger("stackTrace", threadId=self.thread, levels=20)["stackFrames"]
        self.frames: list[Message] = frames

    @property
    def place(self) -> tuple[Path, int]:
        """The file and the line."""
        frame = self.frames[0]
        return Path(frame["source"]["path"]), frame["line"]

    @property
    def locals(self) -> dict[str, str]:
        """The local variables, as they are shown."""
        scopes = self.debugger("scopes", frameId=self.frames[0]["id"])["scopes"]
        number = scopes[0]["variablesReference"]
        found = self.debugger("variables", variablesReference=number)["variables"]
        return {each["name"]: each["value"] for each in found}

    def evaluate(self, expression: str) -> str:
        """What an expression is there, as it is shown."""
        frame = self.frames[0]["id"]
        answer = self.debugger("evaluate", expression=expression, frameId=frame, context="repl")
        return str(answer["result"])

    def go_on(self) -> None:
        """Let it run."""
        self.debugger("continue", threadId=self.thread)

    def step(self, how: str = "next") -> Stop:
        """Take a step, and return where it has stopped then."""
        self.debugger(how, threadId=self.thread)
        return self.debugger.stopped()


@contextmanager
def debugging(
    configuration: Mapping[str, Any],
    breakpoints: Breakpoints | None = None,
    exceptions: Sequence[str] = (),
) -> Iterator[Debugger]:
    """A debugger that is attached; it hangs up in the end."""
    debugger = Debugger(configuration)
    try:
        debugger.attach(breakpoints, exceptions)
        yield debugger
    finally:
        debugger.close()
