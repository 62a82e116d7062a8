from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.emulator.inside.codebuild.shell import Shell, how
from tests.waiting import eventually, gone, text_of


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    (tmp_path / "own dir").mkdir()
    output = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    made = Shell(
        tmp_path / "own dir",
        cwd=tmp_path,
        environment={"PATH": os.environ["PATH"], "A": "it's", "not a name": "x"},
        output=output,
        exported=("A", "B"),
    )
    yield made
    made.close()
    os.close(output)


def started(shell: Shell, command: str, mark: Path) -> tuple[threading.Thread, list[int]]:
    """Run the command in a thread, until it has made the mark."""
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(shell.run(command)))
    thread.start()
    text_of(mark)
    return thread, codes


@pytest.mark.parametrize("command", ["export B=2; cd sub", "B=2\ncd sub\nexit 0"])
def test_variables_and_the_directory_are_taken_over(
    shell: Shell, tmp_path: Path, command: str
) -> None:
    (tmp_path / "sub").mkdir()
    assert shell.run(command) == 0
    assert shell.exported == {"A": "it's", "B": "2"}
    assert shell.run('pwd; echo "$A$B"') == 0
    assert (tmp_path / "out").read_text() == f"{tmp_path}/sub\nit's2\n"


def test_after_a_directory_that_was_deleted_commands_run_in_the_first_one(
    shell: Shell, tmp_path: Path
) -> None:
    assert shell.run("mkdir d; cd d; rmdir ../d") == 0
    assert shell.run("pwd") == 0
    assert (tmp_path / "out").read_text() == f"{tmp_path}\n"


def test_a_command_with_a_trap_of_its_own_is_taken_over_as_any_other(
    shell: Shell, tmp_path: Path
) -> None:
    assert shell.run("trap 'echo bye' EXIT; export B=2; cd /; (exit 3)") == 3
    assert shell.exported["B"] == "2"
    assert shell.run("pwd") == 0
    assert (tmp_path / "out").read_text() == "bye\n/\n"


def test_exit_codes_and_signals_are_told() -> None:
    assert how(3) == "exit status 3"
    assert how(-9) == "signal: killed"


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(
    shell: Shell, tmp_path: Path
) -> None:
    mark = tmp_path / "pid"
    thread, codes = started(shell, f"trap '' TERM; echo $$ > '{mark}'; sleep 1000", mark)
    shell.terminate(0.1)
    thread.join(20)
    assert codes == [-9]
    assert shell.run("true") < 0  # nothing runs any more
    shell.close()
    eventually(lambda: gone(int(mark.read_text())))


def test_the_grace_is_for_the_whole_group_not_for_its_first_process(
    shell: Shell, tmp_path: Path
) -> None:
    mark, ended = tmp_path / "pid", tmp_path / "ended"
    inner = tmp_path / "inner.sh"
    inner.write_text(
        f"trap 'sleep 0.2; touch {ended}; exit' TERM; echo $$ > {mark}\n"
        "while :; do sleep 0.02; done\n"
    )
    thread, codes = started(shell, f"sh {inner}; echo never", mark)
    shell.terminate(20)
    shell.close()
    thread.join(20)
    assert codes == [-15]
    assert ended.exists()


def test_nothing_outlives_who_holds_the_guard(shell: Shell, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    command = f"trap '' TERM; echo $$ > '{mark}'; sleep 1000"
    thread, codes = started(shell, command, mark)
    os.close(shell.group._hold)  # as the death of the cloud does
    thread.join(20)
    shell.group._hold = os.open(os.devnull, os.O_RDONLY)
    assert codes == [-9]


def test_what_runs_in_the_background_ends_with_close(shell: Shell, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    assert shell.run(f"sleep 1000 & echo $! > '{pid}'") == 0
    shell.close()
    eventually(lambda: gone(int(pid.read_text())))
    shell.close()
