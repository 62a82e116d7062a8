from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.failures import details, in_full
from runner.outcome import Cause, Failure

FRAME = 'File "jobs/a.py", line 3, in f\n    return 1 / 0'


def test_an_error_without_more_has_no_further_lines() -> None:
    assert details(Failure("KeyError", "'x'", trace=("Traceback",))) == []


def test_notes_come_first_then_the_frames_then_what_belongs_to_it() -> None:
    cause = Cause("caused by", "KeyError", "'real'", (FRAME,), ("in row 7",))
    failure = Failure("RuntimeError", "cannot load", (FRAME,), (), ("of table t",), (cause,))
    assert in_full(failure).split("\n") == [
        "RuntimeError: cannot load",
        "of table t",
        '↳ File "jobs/a.py", line 3, in f',
        "      return 1 / 0",
        "caused by KeyError: 'real'",
        "in row 7",
        '↳ File "jobs/a.py", line 3, in f',
        "      return 1 / 0",
    ]


def test_a_frame_of_endless_recursion_is_shown_once() -> None:
    one, other = 'File "a.py", line 1, in f', 'File "b.py", line 2, in g'
    frames = (one, *[FRAME] * 3, other, *[FRAME] * 1200)
    shown = ['↳ File "jobs/a.py", line 3, in f', "      return 1 / 0"]
    assert details(Failure("RecursionError", "too deep", frames)) == [
        f"↳ {one}",
        *shown * 3,
        f"↳ {other}",
        *shown,
        "  [repeated 1,199 more times]",
    ]


def test_the_members_of_a_group_are_indented_and_what_is_left_out_is_counted() -> None:
    causes = (
        Cause("1 of 14:", "OSError", "two\nlines", (FRAME,), depth=1),
        Cause("and 12 more", depth=1),
        Cause("during handling of", "ValueError", "outer"),
    )
    assert details(Failure("ExceptionGroup", "many", causes=causes)) == [
        "  1 of 14: OSError: two",
        "  lines",
        '  ↳ File "jobs/a.py", line 3, in f',
        "        return 1 / 0",
        "  and 12 more",
        "during handling of ValueError: outer",
    ]


def test_nothing_in_an_error_commands_the_terminal() -> None:
    cause = Cause("caused by", "E", "\x1b[2J", ("\x1b[3J",), ("\x1b[4J",))
    assert "\x1b" not in in_full(Failure("E", "m", causes=(cause,), notes=("\x1b[5J",)))[4:]


def test_the_file_of_a_frame_is_named_as_the_shell_names_it_if_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "app"
    (root / "jobs").mkdir(parents=True)
    (root / "jobs" / "a.py").touch()
    frames = (FRAME, 'File "jobs/gone.py", line 1', "... 3 more ...")
    failure = Failure("E", "m", frames, causes=(Cause("caused by", "E", "n", (FRAME,)),))
    assert details(failure, root) == [
        '↳ File "app/jobs/a.py", line 3, in f',
        "      return 1 / 0",
        '↳ File "jobs/gone.py", line 1',
        "↳ ... 3 more ...",
        "caused by E: n",
        '↳ File "app/jobs/a.py", line 3, in f',
        "      return 1 / 0",
    ]
    monkeypatch.chdir("/var")
    assert in_full(failure, root).split("\n")[1] == f'↳ File "{root}/jobs/a.py", line 3, in f'


@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        ('File "jobs/a.py", line 3, in f', 'File "app/jobs/a.py", line 3, in f'),
        ("at f (jobs/a.py:3:11)", "at f (app/jobs/a.py:3:11)"),
        ("jobs/a.py:3:11", "app/jobs/a.py:3:11"),
        ("at f (node:internal:1:2)", "at f (node:internal:1:2)"),
    ],
)
def test_a_frames_file_is_named_as_the_shells_user_names_it(
    frame: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app" / "jobs").mkdir(parents=True)
    (tmp_path / "app" / "jobs" / "a.py").touch()
    monkeypatch.chdir(tmp_path)
    (line,) = details(Failure("E", "", (frame,)), tmp_path / "app")
    assert line == f"↳ {shown}"


@pytest.mark.parametrize(
    "frame",
    [
        "at f ({}:3:1)\n    return 1 / 0",
        "at new Thing ({}:3:1)",
        "at async f [as g] ({}:3:1)",
        "at {}:3:1",
    ],
)
def test_the_file_of_a_frame_in_another_language_is_named_so_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app/jobs").mkdir(parents=True)
    (tmp_path / "app/jobs/a.ts").touch()
    shown, *_ = details(Failure("E", "m", (frame.format("jobs/a.ts"),)), tmp_path / "app")
    assert shown == f"↳ {frame.format('app/jobs/a.ts').partition(chr(10))[0]}"
    shown, *_ = details(Failure("E", "m", (frame.format("jobs/b.ts"),)), tmp_path / "app")
    assert "app" not in shown
