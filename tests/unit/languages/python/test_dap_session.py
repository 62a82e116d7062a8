from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from devbridge.languages.python.dap import Message
from devbridge.languages.python.dap_session import Session
from devbridge.languages.python.dap_waiting import Waiting
from devbridge.workers.debugging import Debuggee
from devbridge.workers.rlimits import RUNNER

ROOT = Path("/app")
PID = 42


class Room:
    """What a session knows and does, and what is told of its worker."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.sent: list[Message] = []
        self.worker = Debuggee("count-1", self)
        self.processes: dict[object, Debuggee] = {PID: self.worker}
        self.released: list[int] = []
        self.waiting = Waiting(lambda pid, _late: self.released.append(pid))

    def debuggee(self, pid: object) -> Debuggee | None:
        return self.processes.get(pid)

    def adopt(self, pid: int, parent: Debuggee) -> None:
        self.processes[pid] = parent

    def worker_mutes(self, worker_id: str, beginnings: Sequence[str]) -> None: ...

    def worker_debugs(self, worker_id: str, url: str) -> None: ...

    def worker_halted(self, worker_id: str, halted: bool) -> None:
        self.told.append(halted)

    def worker_paused(self, worker_id: str, where: str | None) -> None:
        self.told.append(where)


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def session(room: Room) -> Session:
    """One that is attached to the worker."""
    made = Session(room, 7, ROOT, room.sent.append)
    made.asked(request("attach", subProcessId=PID))
    return made


def request(command: str, **arguments: Any) -> Message:
    return {"seq": 1, "type": "request", "command": command, "arguments": arguments}


def event(kind: str, **body: Any) -> Message:
    return {"seq": 1, "type": "event", "event": kind, "body": body}


def stop(session: Session, room: Room, path: str, reason: str = "breakpoint") -> None:
    """The process stops, and answers where."""
    assert session.told(event("stopped", reason=reason, threadId=3)) is not None
    asked = room.sent.pop()
    assert asked["command"] == "stackTrace"
    assert asked["arguments"]["threadId"] == 3
    frames = [{"source": {"path": path}, "line": 12}, {"source": {}, "line": 1}]
    answer = {"type": "response", "request_seq": asked["seq"], "body": {"stackFrames": frames}}
    assert session.told(answer) is None  # a debugger has not asked for it


def test_a_worker_is_halted_while_it_is_stopped_and_it_is_told_where(
    session: Session, room: Room
) -> None:
    stop(session, room, "/app/jobs/x.py")
    assert room.told == [True, "jobs/x.py:12"]
    session.asked(request("continue", threadId=3))
    assert room.told[2:] == [False, None]
    session.told(event("continued", threadId=3))
    assert len(room.told) == 4


async def test_of_steps_only_the_time_is_told(session: Session, room: Room) -> None:
    stop(session, room, "/lib/y.py")
    session.asked(request("next", threadId=3))
    session.told(event("continued", threadId=3))
    stop(session, room, "/app/jobs/x.py", "step")
    assert room.told == [True, "/lib/y.py:12", False, True]
    session.told(event("terminated"))
    assert room.told[4:] == [False, None]
    session.close()
    assert len(room.told) == 6


def test_a_place_that_is_not_known_is_none(session: Session, room: Room) -> None:
    session.told(event("stopped", reason="pause", threadId=3))
    session.told({"type": "response", "request_seq": room.sent[0]["seq"], "success": False})
    assert room.told == [True, ""]


def test_a_place_that_comes_too_late_is_not_told(session: Session, room: Room) -> None:
    session.told(event("stopped", reason="pause", threadId=3))
    session.told(event("continued"))
    session.told({"type": "response", "request_seq": room.sent[0]["seq"], "success": False})
    assert room.told == [True, False]


def test_what_the_anchor_does_concerns_nobody(room: Room) -> None:
    session = Session(room, 7, ROOT, room.sent.append)
    session.asked(request("attach"))
    for each in ("stopped", "continued", "terminated"):
        assert session.told(event(each, threadId=1))
    assert (room.told, room.sent) == ([], [])


def test_a_debugger_is_attached_here_and_nowhere_else(room: Room) -> None:
    session = Session(room, 7, ROOT, room.sent.append)
    given = {"listen": {"port": 1}, "host": "x", "port": 2, "processId": 3, "justMyCode": False}
    onward, answer = session.asked(request("attach", **given, rules=[{"module": "x"}]))
    assert answer is None
    assert onward is not None
    assert onward["arguments"] == {
        "justMyCode": False,
        "connect": {"host": "127.0.0.1", "port": 7},
        "rules": [{"module": "x"}, {"path": f"{RUNNER}/**", "include": False}],
    }


@pytest.mark.parametrize("command", ["launch", "terminate", "restart"])
def test_a_debugger_begins_and_ends_no_run(session: Session, command: str) -> None:
    onward, answer = session.asked(request(command))
    assert onward is None
    assert answer is not None
    assert (answer["success"], answer["request_seq"], answer["command"]) == (False, 1, command)
    assert "devbridge" in answer["message"]
    kept, _ = session.asked(request("disconnect", terminateDebuggee=True))
    assert kept is not None
    assert kept["arguments"]["terminateDebuggee"] is False
    able = {"supportsTerminateRequest": True, "supportsConditionalBreakpoints": True}
    told = session.told({"type": "response", "command": "initialize", "body": able})
    assert told is not None
    assert told["body"]["supportsTerminateRequest"] is False
    assert told["body"]["supportsConditionalBreakpoints"] is True


async def test_workers_have_their_names_and_their_children_are_halted_with_them(
    session: Session, room: Room
) -> None:
    configuration = {"subProcessId": PID, "name": "Subprocess 42"}
    assert session.told(event("debugpyAttach", **configuration))
    told = session.told(
        {
            "type": "request",
            "command": "startDebugging",
            "arguments": {"configuration": configuration},
        }
    )
    assert told is not None
    assert told["arguments"]["configuration"]["name"] == "count-1"
    session.told(event("debugpyAttach", subProcessId=99, name="Subprocess 99"))
    child = Session(room, 7, ROOT, room.sent.append)
    child.asked(request("attach", subProcessId=99))
    stop(child, room, "/app/z.py")
    assert room.told == [True, "z.py:12"]


def test_what_else_is_said_goes_on_as_it_is(session: Session) -> None:
    for message in (
        {"seq": 2, "type": "request", "command": "threads"},
        {"seq": 2, "type": "response", "request_seq": 9, "command": "startDebugging"},
    ):
        onward, answer = session.asked({**message})
        assert answer is None
        assert onward is not None
        assert onward.items() >= message.items()
        assert session.told({**message}) == message


async def test_a_run_that_its_debugger_was_told_of_does_not_wait_for_it_once_it_is_gone(
    room: Room,
) -> None:
    told = Session(room, 7, ROOT, room.sent.append)
    told.told(event("debugpyAttach", subProcessId=PID))
    told.close()
    assert room.released == [PID]


async def test_nor_for_one_that_goes_before_it_has_set_its_breakpoints(
    session: Session, room: Room
) -> None:
    session.told(event("debugpyAttach", subProcessId=PID + 1))
    child = Session(room, 7, ROOT, room.sent.append)
    child.asked(request("attach", subProcessId=PID + 1))
    child.close()
    assert room.released == [PID + 1]
    session.told(event("debugpyAttach", subProcessId=PID + 2))
    other = Session(room, 7, ROOT, room.sent.append)
    other.asked(request("attach", subProcessId=PID + 2))
    other.asked(request("configurationDone"))
    other.close()
    session.close()
    assert room.released == [PID + 1]
