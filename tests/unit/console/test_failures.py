from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.console import failures
from devbridge.console.failures import AROUND, broken, failure, frame
from runner.outcome import Cause, Failure

CODE = "\n".join(f"line {number}" for number in range(1, 31))
PYTHON = 'File "jobs/a.py", line 12, in handler\n    return 1 / 0'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a.py").write_text(CODE)
    (tmp_path / "jobs" / "a.ts").write_text(CODE)
    return tmp_path


def test_a_frame_of_the_apps_own_code_has_the_lines_around_it(root: Path) -> None:
    found = frame(PYTHON, root)
    assert (found.file, found.line, found.function) == (f"{root}/jobs/a.py", 12, "handler")
    assert found.own
    assert found.text == PYTHON
    numbers = range(12 - AROUND, 12 + AROUND + 1)
    assert found.source == [(number, f"line {number}") for number in numbers]


@pytest.mark.parametrize(("line", "first", "last"), [(1, 1, 6), (30, 25, 30), (99, 0, 0)])
def test_lines_are_those_there_are(root: Path, line: int, first: int, last: int) -> None:
    found = frame(f'File "jobs/a.py", line {line}, in f', root)
    numbers = [number for number, _ in found.source]
    assert (min(numbers, default=0), max(numbers, default=0)) == (first, last)


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("at handler (jobs/a.ts:3:7)", "handler"),
        ("at jobs/a.ts:3:7", None),
        ("jobs/a.ts:3:7", None),
        ("at async Object.run (jobs/a.ts:3:7)", "async Object.run"),
    ],
)
def test_a_frame_of_node_has_its_column(root: Path, text: str, function: str | None) -> None:
    found = frame(text, root)
    assert (found.file, found.line, found.column) == (f"{root}/jobs/a.ts", 3, 7)
    assert found.function == function


@pytest.mark.parametrize("text", ["... 3 more frames ...", "", "File", "at <anonymous>", "a:1"])
def test_what_is_no_place_is_told_as_it_is(root: Path, text: str) -> None:
    found = frame(text, root)
    assert (found.text, found.file, found.own, found.source) == (text, None, False, [])


def test_code_of_others_and_what_is_not_there_any_more_has_no_lines(root: Path) -> None:
    for name in ("jobs/gone.py", "x" * 5000):
        found = frame(f'File "{name}", line 3', root)
        assert (found.file, found.line, found.own, found.source) == (None, 3, False, [])


def test_a_file_that_is_too_large_is_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "LARGEST", 3)
    assert frame(PYTHON, root).source == []


def test_an_error_has_all_that_belongs_to_it(root: Path) -> None:
    cause = Cause("caused by", "OSError", "no disk", (PYTHON,), ("a note",), 1)
    found = failure(Failure("ValueError", "bad", (PYTHON,), notes=("n",), causes=(cause,)), root)
    assert (found.type, found.message, found.notes) == ("ValueError", "bad", ["n"])
    assert [each.line for each in found.frames] == [12]
    (told,) = found.causes
    assert (told.how, told.type, told.message, told.depth) == ("caused by", "OSError", "no disk", 1)
    assert [each.own for each in told.frames] == [True]
    assert found.text.startswith("ValueError: bad\nn\n↳ File")


def test_a_handler_that_cannot_be_loaded_has_its_place(root: Path) -> None:
    (root / "jobs" / "b.py").write_text("def f():\n    return (1\n")
    told = 'File "jobs/b.py", line 2\n    return (1\n           ^'
    found = broken(Failure("SyntaxError", "'(' was never closed", (told,)), root)
    assert (found.file, found.line, found.column) == (f"{root}/jobs/b.py", 2, 12)
    assert found.text == "    return (1"
    assert "SyntaxError" in found.told


def test_an_error_without_a_place_is_told_without(root: Path) -> None:
    found = broken(Failure("ModuleNotFoundError", "No module named 'torch'"), root)
    assert (found.file, found.line, found.column, found.text) == (None, None, None, None)
