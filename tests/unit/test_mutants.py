"""The mutation tester finds a hole, sees what is tested, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.mutants import EXIT_INTERRUPTED, Fate, NotTried, steps_of, summary, try_mutants
from tests.mutations import mutants_of
from tests.waiting import eventually, gone, text_of

ROOT = Path(__file__).parent.parent.parent
MODULE = Path("house/doors.py")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A tree with one module, and the folder of its tests."""
    root = tmp_path / "root"
    (root / "house").mkdir(parents=True)
    (root / "house/__init__.py").touch()
    (root / MODULE).write_text("OPEN = 20\nWIDE = 90\n")
    (root / "tests/unit/house").mkdir(parents=True)
    return root


def write_test(house: Path, body: str) -> None:
    source = f"from house import doors\n\ndef test_it():\n    {body}\n"
    (house / "tests/unit/house/test_doors.py").write_text(source)


def changes(source: str) -> list[str]:
    return [mutant.added.strip() for mutant in mutants_of(source.encode())]


def test_a_hole_is_found_and_what_is_tested_is_killed(house: Path) -> None:
    write_test(house, "assert doors.OPEN == 20")
    said: list[str] = []
    steps = steps_of(MODULE, house)
    verdicts = try_mutants(MODULE, steps, number=5, seed=1, limit=30, say=said.append, root=house)
    assert [verdict.fate for verdict in verdicts] == [Fate.KILLED, Fate.SURVIVED]
    assert verdicts[0].by == "tests/unit/house/test_doors.py::test_it"
    assert said[1].startswith("killed      house/doors.py:1 (constant) in ")
    assert said[2] == ("survived    house/doors.py:2 (constant)\n    - WIDE = 90\n    + WIDE = 91")
    assert summary(verdicts).endswith(" s, 1 survived, 0 out of time")
    assert (house / MODULE).read_text() == "OPEN = 20\nWIDE = 90\n"


def test_a_mutant_that_ends_the_tests_with_exit_code_0_is_killed(house: Path) -> None:
    write_test(house, "import os; doors.OPEN == 20 or os._exit(0)")
    steps = steps_of(MODULE, house)
    verdicts = try_mutants(MODULE, steps, number=2, seed=1, limit=30, say=print, root=house)
    assert [verdict.fate for verdict in verdicts] == [Fate.KILLED, Fate.SURVIVED]


def test_tests_that_fail_without_a_change_are_said_and_nothing_is_tried(house: Path) -> None:
    write_test(house, "assert doors.OPEN == 30")
    steps = steps_of(MODULE, house)
    with pytest.raises(NotTried, match=r"test_doors\.py::test_it"):
        try_mutants(MODULE, steps, number=2, seed=1, limit=30, say=print, root=house)


def test_a_module_without_tests_is_said(house: Path) -> None:
    with pytest.raises(NotTried, match=r"house/doors\.py has no tests"):
        try_mutants(MODULE, [], number=2, seed=1, limit=30, say=print, root=house)


def test_an_interrupt_leaves_no_copy_and_no_process(house: Path, tmp_path: Path) -> None:
    told = tmp_path / "pids"
    write_test(
        house,
        "import os, pathlib, subprocess, sys\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE,\n"
        "                             start_new_session=True)\n"
        f"    pathlib.Path({str(told)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\n"
        "    child.wait()",
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    mutants = subprocess.Popen(
        [sys.executable, "-m", "tests.mutants", str(MODULE)],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
    )
    started = [psutil.Process(int(pid)) for pid in text_of(told).split()]
    mutants.send_signal(signal.SIGINT)
    assert mutants.wait(30) == EXIT_INTERRUPTED
    assert eventually(lambda: gone(*started))
    assert list(temporary.iterdir()) == []


def test_the_tests_of_a_module_are_its_own_file_and_then_its_room() -> None:
    own, room = steps_of(Path("devbridge/protocol/codec.py"), ROOT)
    assert own == [Path("tests/unit/protocol/test_codec.py")]
    assert {own[0], Path("tests/unit/protocol/test_fragments.py")} <= {*room}
    assert steps_of(Path("runner/aws.py"), ROOT)[0] == [Path("tests/unit/runner/test_aws.py")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", ["(a <= b)"]),
        ("a is None", ["(a is not None)"]),
        ("a not in b", ["(a in b)"]),
        ("a and b", ["(a or b)", "(b)", "(a)"]),
        ("not a", ["(a)"]),
        ("a + b", ["(a - b)"]),
        ("min(a)", ["pass", "max(a)"]),
        ("f(a, b)", ["pass", "f(b, a)"]),
        ("f(a=b)", ["pass", "f()"]),
        ("a = True", ["a = False"]),
        ("a = 'key'", ["a = 'key_'"]),
        ("a = 'a text for people'", []),
        ("a.b = c", ["pass"]),
        ("raise E", ["pass"]),
        ("def f():\n    return a", ["return None"]),
        ("while a:\n    break", ["while (not a):", "continue"]),
        ("try:\n    a\nexcept E:\n    b", ["raise"]),
        ("[a for a in b if c]", ["[a for a in b if (not c)]"]),
    ],
)
def test_what_is_changed(source: str, expected: list[str]) -> None:
    assert changes(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring"""',
        "from __future__ import annotations",
        "a: Literal['key']",
        "def f(a: int | str) -> 'key':\n    '''doc'''",
        "if TYPE_CHECKING:\n    f()",
        "@dataclass(frozen=True)\nclass A:\n    a: int",
    ],
)
def test_what_is_left_alone(source: str) -> None:
    assert changes(source) == []


def test_a_change_keeps_the_lines_around_it_also_behind_other_letters() -> None:
    source = 'x = "ä€"; y = a == b  # c\nz = 1\n'
    assert mutants_of(source.encode())[0].source.decode() == source.replace("a == b", "(a != b)")
