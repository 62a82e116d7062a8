from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.daemon.handlers_file import Handlers, HandlersFile, read
from devbridge.daemon.told import AppBroken, Broken, Deployed, Reloaded, Said, Told
from runner.outcome import Failure

ERROR = Failure("SyntaxError", "invalid syntax", ('File "jobs/a.py", line 3\n    return (',))
DOCUMENT = {
    "type": "SyntaxError",
    "message": "invalid syntax",
    "frames": ['File "jobs/a.py", line 3\n    return ('],
}


class File:
    """A listener, at times that count from 1 on, and what others read."""

    def __init__(self, path: Path) -> None:
        self.path, self.time = path, 0.0
        self.listener = HandlersFile(path, self.now)

    def now(self) -> float:
        self.time += 1
        return self.time

    def __call__(self, *events: Told) -> Handlers:
        for event in events:
            self.listener.on(event)
        known = read(self.path)
        assert known is not None
        return known


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "handlers.json")


def test_nothing_is_said_of_handlers_that_are_as_they_were(file: File) -> None:
    assert file(Said("hello"), Deployed(("a",))) == Handlers(since=1.0)
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_loaded_is_there_until_it_was_loaded_again(file: File) -> None:
    assert file(Broken("a", ERROR, "w1")).jobs == {"a": DOCUMENT}
    known = file(Reloaded("a", 0.1))
    assert (known.jobs, known.reloaded) == ({}, {"a": 2.0})


def test_a_function_is_not_taken_for_a_job_of_its_name(file: File) -> None:
    known = file(Broken("a", ERROR, "w1", function=True))
    assert (known.jobs, known.functions) == ({}, {"a": DOCUMENT})
    assert file(Reloaded("a", 0.1)).functions == {"a": DOCUMENT}
    known = file(Reloaded("a", 0.1, function=True))
    assert (known.functions, known.reloaded) == ({}, {"a": 2.0, "a()": 3.0})


@pytest.mark.parametrize("function", [False, True])
def test_what_is_no_more_is_forgotten(file: File, function: bool) -> None:
    file(*(Broken(name, ERROR, "w", function=function) for name in ("a", "b")))
    known = file(Deployed(("b",), ("b",)))
    assert [*(known.functions if function else known.jobs)] == ["b"]


def test_an_app_that_cannot_be_deployed_says_why_until_it_can(file: File) -> None:
    assert file(AppBroken("two Apps")).app == "two Apps"
    assert file(Deployed(())).app == ""


def test_another_devbridge_dev_begins_anew(file: File) -> None:
    file(Broken("a", ERROR, "w1"))
    assert File(file.path)() == Handlers(since=1.0)


def test_halves_of_surrogates_in_an_error_survive(file: File) -> None:
    assert file(Broken("a", Failure("E", "\ud83d"), "w1")).jobs["a"]["message"] == "\ud83d"


@pytest.mark.parametrize("text", [None, "", "[]", "{", '{"since": "x"}'])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "handlers.json"
    if text is not None:
        path.write_text(text)
    assert read(path) is None


def test_a_folder_that_has_gone_harms_nobody(tmp_path: Path) -> None:
    HandlersFile(tmp_path / "gone" / "handlers.json").on(Reloaded("a", 0.1))
    assert not (tmp_path / "gone").exists()
