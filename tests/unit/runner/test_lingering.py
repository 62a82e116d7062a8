from __future__ import annotations

import multiprocessing.process
import sys
import threading
from collections.abc import Iterator

import pytest

from runner import lingering


@pytest.fixture
def thread() -> Iterator[threading.Thread]:
    """One that goes on until the test is over."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="uploader")
    thread.start()
    yield thread
    end.set()
    thread.join()


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program has no threads and no children."""
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.main_thread()])
    monkeypatch.setattr(multiprocessing.process, "_children", set())


def test_threads_that_are_no_daemons_are_named(thread: threading.Thread) -> None:
    assert f"its thread {thread.name!r}" in lingering.left()


@pytest.mark.usefixtures("nothing")
def test_a_daemon_thread_and_a_daemon_process_keep_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = threading.Thread(target=print, daemon=True)
    monkeypatch.setattr(threading, "enumerate", lambda: [daemon])
    child = multiprocessing.Process(daemon=True)
    monkeypatch.setattr(multiprocessing.process, "_children", {child})
    assert lingering.left() == ["what it has registered with atexit"]


@pytest.mark.usefixtures("nothing")
def test_children_of_multiprocessing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    child = multiprocessing.Process(name="resizer")
    monkeypatch.setattr(multiprocessing.process, "_children", {child})
    assert lingering.left() == ["its process 'resizer' (PID None)"]


@pytest.mark.usefixtures("nothing")
def test_where_neither_module_was_imported_it_is_what_atexit_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "threading")
    monkeypatch.delitem(sys.modules, "multiprocessing.process")
    assert lingering.left() == ["what it has registered with atexit"]


def test_it_is_told_when_the_process_is_still_there_after_a_moment(
    monkeypatch: pytest.MonkeyPatch, thread: threading.Thread
) -> None:
    told, done = list[object](), threading.Event()

    class Client:
        def __init__(self, address: str) -> None:
            told.append(address)

        def report_lingering(self, left: list[str]) -> None:
            told.append(left)

        def close(self) -> None:
            done.set()

    monkeypatch.setattr(lingering, "RuntimeClient", Client)
    monkeypatch.setattr(lingering, "_sleep", told.append)
    lingering.watch("api")
    assert done.wait(5)
    assert told[:2] == [lingering.NOTICE, "api"]
    assert f"its thread {thread.name!r}" in str(told[2])


def test_a_system_without_a_thread_to_give_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(lingering, "_start", refuse)
    lingering.watch("api")


def test_an_api_that_is_gone_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: str) -> None:
        raise OSError("gone")

    monkeypatch.setattr(lingering, "RuntimeClient", gone)
    monkeypatch.setattr(lingering, "_sleep", lambda _: None)
    lingering._tell("api")
