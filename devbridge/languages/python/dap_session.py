"""One debugger's session with one process: what it asks for, and what it is told.

Messages go on as they are, but for this: nobody starts or ends a process by way of a debugger, nor
listens elsewhere. And it is seen when a worker stops, and where, and when it goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

from devbridge.languages.python.dap import Message
from devbridge.languages.python.dap_waiting import Waiting
from devbridge.workers.debugging import Debuggee
from devbridge.workers.rlimits import RUNNER

_OWN: Final = 1 << 30
"""Our own requests' numbers begin here; debuggers count from 1."""
_STEPS: Final = frozenset(("next", "stepIn", "stepOut"))
_ELSEWHERE: Final = ("host", "port", "listen", "processId")
"""Of `attach`: other ways to a process, of which one makes debugpy's adapter forget its token."""
_CANNOT: Final = (
    *("supportsTerminateRequest", "supportsRestartRequest"),
    *("supportTerminateDebuggee", "supportsTerminateDebuggee"),  # debugpy's way to write it
)


class Known(Protocol):
    """Which processes are whose."""

    @property
    def waiting(self) -> Waiting:
        """Those that wait for a debugger."""

    def debuggee(self, pid: object) -> Debuggee | None:
        """The worker that a process is, or is a child of."""

    def adopt(self, pid: int, parent: Debuggee) -> None:
        """A process is a child of a worker."""


class Session:
    """Of one connection.

    Args:
        port: where debuggers are served.
        root: the app's folder.
        send: sends a request of our own to the process.
    """

    def __init__(
        self, known: Known, port: int, root: Path, send: Callable[[Message], object]
    ) -> None:
        self._known = known
        self._port = port
        self._root = root
        self._send = send
        self._debuggee: Debuggee | None = None
        self._pid: object = None
        """Of the process that it is attached to; None: it is attached to all."""
        self._numbers = count(_OWN)
        self._looking: dict[int, bool] = {}
        """Our requests for where it has stopped, and whether that was a step."""
        self._steps = False

    def asked(self, message: Message) -> tuple[Message | None, Message | None]:
        """The debugger sends this: what to send on, and what to answer."""
        if message.get("type") != "request":
            return message, None
        command, arguments = message.get("command"), message.get("arguments")
        if not isinstance(arguments, dict):
            arguments = message["arguments"] = {}
        match command:
            case "launch":
                return None, _refused(message, "runs are begun with `devbridge invoke`")
            case "terminate" | "restart":
                return None, _refused(message, "runs are ended with `devbridge cancel`")
            case "disconnect":
                arguments["terminateDebuggee"] = False
            case "attach":
                self._attaches(arguments)
            case "configurationDone":
                self._known.waiting.go(self._pid)
            case "continue":  # a run may end before it could tell that it goes on
                self._steps = False
                self._goes_on(step=False)
            case _ if command in _STEPS:
                self._steps = True
        return message, None

    def told(self, message: Message) -> Message | None:
        """The process sends this: what to send on."""
        kind, body = message.get("type"), message.get("body")
        body = body if isinstance(body, dict) else {}
        if kind == "response" and message.get("request_seq") in self._looking:
            self._stopped_at(body, self._looking.pop(message["request_seq"]))
            return None
        match kind, message.get("event") or message.get("command"):
            case "response", "initialize":
                body.update(dict.fromkeys(_CANNOT, False))
            case "event", "stopped":
                self._stops(body)
            case "event", "continued":
                self._goes_on(step=self._steps)
            case "event", "terminated":
                self.close()
            case "event", "debugpyAttach":
                self._begets(body)
            case "request", "startDebugging":
                self._begets(message.get("arguments", {}).get("configuration", {}))
        return message

    def close(self) -> None:
        """It is over: the process goes on. Idempotent."""
        self._goes_on(step=False)
        self._known.waiting.leave(self)

    def _attaches(self, arguments: Message) -> None:
        self._pid = arguments.get("subProcessId")
        self._debuggee = self._known.debuggee(self._pid)
        self._known.waiting.take(self._pid, self)
        for name in _ELSEWHERE:
            arguments.pop(name, None)
        # Where it is told to find subprocesses.
        arguments["connect"] = {"host": "127.0.0.1", "port": self._port}
        rules = arguments.get("rules")
        ours = {"path": f"{RUNNER}/**", "include": False}
        arguments["rules"] = [*(rules if isinstance(rules, list) else ()), ours]

    def _begets(self, configuration: Message) -> None:
        """The debugger is told to attach to another process, too."""
        pid = configuration.get("subProcessId")
        found = self._known.debuggee(pid)
        if isinstance(pid, int):
            self._known.waiting.expect(pid, self)
        if found is None and self._debuggee is not None and isinstance(pid, int):
            self._known.adopt(pid, self._debuggee)
        elif found is not None:
            configuration["name"] = found.worker_id

    def _stops(self, body: Message) -> None:
        if self._debuggee is None:
            return
        self._debuggee.halt(self, True)
        number = next(self._numbers)
        self._looking[number] = body.get("reason") == "step"
        thread = {"threadId": body.get("threadId"), "startFrame": 0, "levels": 1}
        request = {"seq": number, "type": "request", "command": "stackTrace"}
        self._send({**request, "arguments": thread})

    def _stopped_at(self, body: Message, step: bool) -> None:
        if self._debuggee is not None and self in self._debuggee.reasons:
            self._debuggee.paused(_place(body, self._root), step=step)

    def _goes_on(self, *, step: bool) -> None:
        if self._debuggee is not None and self in self._debuggee.reasons:
            self._debuggee.halt(self, False)
            self._debuggee.resumed(step=step)


def _refused(request: Message, why: str) -> Message:
    return {
        "seq": 0,
        "type": "response",
        "request_seq": request.get("seq"),
        "command": request.get("command"),
        "success": False,
        "message": why,
        "body": {"error": {"id": 1, "format": why, "showUser": True}},
    }


def _place(body: Message, root: Path) -> str:
    """Of a stack's first frame: its file, which is the app's or has its whole path, and line."""
    try:
        frame: Any = body["stackFrames"][0]
        path, line = Path(frame["source"]["path"]), int(frame["line"])
    except (LookupError, TypeError, ValueError):
        return ""
    return f"{path.relative_to(root) if path.is_relative_to(root) else path}:{line}"
