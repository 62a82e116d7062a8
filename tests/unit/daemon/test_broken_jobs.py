from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from devbridge.daemon.broken_jobs import BrokenJobs
from devbridge.palette import Style
from runner.outcome import Failure
from tests.unit.daemon.screens import Screen

SHARED = 'File "shared.py", line 2\n    def work(:'
ERROR = "SyntaxError: invalid syntax"


def error(job: str, message: str = "invalid syntax") -> Failure:
    frame = f'File "jobs/{job}.py", line 1, in <module>\n    import shared'
    return Failure("SyntaxError", message, (frame, SHARED), trace=(job,))


class Desk:
    """Jobs that break, and the screen."""

    def __init__(self) -> None:
        self.screen = Screen()
        terminal = self.screen.terminal

        def hold(texts: Sequence[str], hang: int) -> int:
            return terminal.hold(texts, hang=hang)

        self.jobs = BrokenJobs(terminal, Path("/app"), Style(False), hold)
        self.release = terminal.release

    def close(self) -> list[str]:
        return self.screen.close().decode().splitlines()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def test_an_error_is_said_with_its_frames(desk: Desk) -> None:
    desk.jobs.broke("a", error("a"))
    assert desk.close() == [
        f"Error  a cannot be loaded: {ERROR}",
        '↳ File "jobs/a.py", line 1, in <module>',
        "      import shared",
        '↳ File "shared.py", line 2',
        "      def work(:",
    ]


def test_jobs_that_have_it_at_the_same_time_are_told_of_together(desk: Desk) -> None:
    for job in "abc":
        desk.jobs.broke(job, error(job))
    assert desk.close() == [
        f"Error  a, b, c cannot be loaded: {ERROR}",
        '↳ File "shared.py", line 2',
        "      def work(:",
    ]


def test_one_that_has_it_later_is_told_of_in_a_line(desk: Desk) -> None:
    desk.jobs.broke("a", error("a"))
    desk.release()
    desk.jobs.broke("b", error("b"))
    desk.jobs.broke("c", error("c"))
    assert desk.close()[5:] == [f"Error  b, c cannot be loaded, either: {ERROR}"]


def test_the_same_error_after_a_save_is_a_line(desk: Desk) -> None:
    for job in "ab":
        desk.jobs.broke(job, error(job))
    desk.release()
    for job in "ab":
        desk.jobs.broke(job, error(job))
    assert desk.close()[3:] == [f"Error  a, b still cannot be loaded: {ERROR}"]


def test_another_error_is_said_whole(desk: Desk) -> None:
    desk.jobs.broke("a", error("a"))
    desk.jobs.broke("a", error("a", "never closed"))
    assert desk.close()[5] == "Error  a cannot be loaded: SyntaxError: never closed"


def test_other_errors_of_other_jobs_are_said_apart(desk: Desk) -> None:
    desk.jobs.broke("a", error("a"))
    desk.jobs.broke("b", error("b", "never closed"))
    assert [line for line in desk.close() if "Error " in line] == [
        f"Error  a cannot be loaded: {ERROR}",
        "Error  b cannot be loaded: SyntaxError: never closed",
    ]


def test_a_job_that_was_loaded_meanwhile_has_news(desk: Desk) -> None:
    desk.jobs.broke("a", error("a"))
    desk.release()
    desk.jobs.loaded("a")
    assert not desk.jobs.has_said("a", error("a"))
    desk.jobs.broke("a", error("a"))
    assert len(desk.close()) == 10


def test_what_was_said_is_known(desk: Desk) -> None:
    desk.jobs.broke("a", error("a"))
    assert desk.jobs.has_said("a", error("a"))
    assert not desk.jobs.has_said("a", error("a", "never closed"))
    assert not desk.jobs.has_said("a", None)
    assert not desk.jobs.has_said("b", error("b"))
