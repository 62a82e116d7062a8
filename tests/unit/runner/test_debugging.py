from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import debugpy
import pytest

from runner import debugging, loading
from runner.client import RuntimeClient
from runner.debugging import Debugger, halted_by, taken

FOLDER = str(Path(debugpy.__file__).parent)


class Client:
    """A Runtime API that answers in order."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = [*answers]
        self.reports: list[object] = []

    def debugger(self, report: dict[str, Any]) -> dict[str, Any]:
        self.reports.append(report)
        return self.answers.pop(0) if self.answers else {}


def attach(debugger: Debugger, client: Client) -> None:
    debugger.attach(cast(RuntimeClient, client))


def test_what_the_environment_says_of_debuggers_is_not_the_handlers() -> None:
    environ = {"DEVBRIDGE_DEBUGGER": "note", "DEVBRIDGE_DEBUGPY": "folder", "A": "1"}
    assert taken(environ) is not None
    assert environ == {"A": "1"}
    assert taken(environ) is None
    assert taken({"DEVBRIDGE_DEBUGGER": "note"}) is None


def test_for_how_long_it_was_halted_is_in_a_file(tmp_path: Path) -> None:
    note = tmp_path / "halted"
    halted = halted_by(Debugger(str(note), ""))
    assert (halted(), halted_by(None)()) == (0, 0)
    note.write_text("1500 0")
    assert halted() == 1500
    note.write_text(f"1500 {time.time() * 1000 - 60_000:.0f}")
    assert 61_000 < halted() < 121_000
    note.write_text("")
    assert halted() == 0


def test_where_nobody_serves_debuggers_it_goes_on_at_once() -> None:
    client = Client()
    debugger = Debugger("", "")
    attach(debugger, client)
    attach(debugger, client)
    assert client.reports == [{"pid": os.getpid()}]


@pytest.mark.parametrize("error", [OSError("refused"), SystemExit(1)])
def test_a_debugger_that_cannot_be_had_keeps_nothing_from_running(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def connect(*_: object) -> None:
        raise error

    client = Client({"port": 1, "token": "t", "parent": 2})
    debugger = Debugger("", "")
    monkeypatch.setattr(debugger, "_connect", connect)
    attach(debugger, client)
    problem = f"{type(error).__name__}: {error}"
    assert client.reports[1:] == [{"connected": False, "problem": problem}]
    debugger.raised(ValueError("handled"))


def test_a_debugpy_that_cannot_be_imported_is_told_once_there_is_a_run(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("raise RuntimeError('broken')")
    code = f"""
        import json, sys
        from runner.debugging import Debugger
        class Client:
            def debugger(self, report): print(json.dumps(report))
        debugger = Debugger("", {str(tmp_path)!r})
        debugger.load()
        debugger.attach(Client())
        assert "debugpy" not in sys.modules
    """
    assert run(code) == {"connected": False, "problem": "RuntimeError: broken"}


def test_debugpy_is_no_import_of_the_handlers_and_leaves_the_environment_as_it_is() -> None:
    code = f"""
        import json, os, sys, threading
        from runner import debugging, loading
        before, path = dict(os.environ), list(sys.path)
        debugging.load({FOLDER!r})
        debugging.load({FOLDER!r})
        assert threading.active_count() == 1, threading.enumerate()
        assert dict(os.environ) == before
        assert sys.path == path
        assert "pydevd" in sys.modules
        print(json.dumps(loading.modules("/app")["thirdParty"]))
    """
    assert not [name for name in run(code) if "pydev" in name or "debugpy" in name]


def run(code: str) -> Any:
    lines = [line.removeprefix(" " * 8) for line in code.splitlines()]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def test_what_is_not_debugpys_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debugging, "_own", ["/lib/debugpy/"])
    assert debugging.is_own("/lib/debugpy/server/api.py")
    assert not debugging.is_own("/lib/debugpy_more.py")
    monkeypatch.setattr(debugging, "_own", [])
    assert not debugging.is_own("/lib/debugpy/server/api.py")
    assert loading.modules("/app")
