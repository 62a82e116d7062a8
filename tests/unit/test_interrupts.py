"""Ctrl-C at each moment of a command's life: real processes, stopped where they import things."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devbridge import interrupts
from devbridge.errors import EXIT_INTERRUPTED

SITE = """
import atexit, os, sys, time
WHERE = os.environ["STOPS_AT"]

def stop():
    os.write(int(os.environ["TELLS"]), b"here")
    time.sleep(60)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == WHERE:
            stop()

sys.meta_path.insert(0, Finder())
if WHERE == "the end":
    atexit.register(stop)
"""
ROOT = Path(__file__).parents[2]
MODULE, _, FUNCTION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"][
    "devbridge"
].partition(":")
SCRIPT = f"import re, sys\nfrom {MODULE} import {FUNCTION}\nsys.exit({FUNCTION}())"
"""What pip installs."""


def interrupted(folder: Path, where: str, *command: str) -> tuple[int, str]:
    """Exit code and stderr of a command that gets SIGINT where it imports that module."""
    (folder / "sitecustomize.py").write_text(SITE)
    (folder / "app.py").write_text('from devbridge import App\napp = App("demo")\n')
    read, write = os.pipe()
    environment = {**os.environ, "PYTHONPATH": str(folder), "STOPS_AT": where, "TELLS": str(write)}
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        pass_fds=(write,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    with process, os.fdopen(read, "rb") as told:
        assert told.read(4) == b"here", process.communicate()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
    return process.returncode, error


@pytest.mark.parametrize(
    ("where", "command"),
    [
        ("click", ("-m", "devbridge")),
        ("click", ("-c", SCRIPT)),
        ("devbridge.cli.prune", ("-c", SCRIPT)),
        ("devbridge.words", ("-c", SCRIPT)),
        ("the end", ("-c", SCRIPT)),
    ],
)
def test_ctrl_c_is_one_word_and_the_usual_exit_code_whenever_it_comes(
    tmp_path: Path, where: str, command: tuple[str, ...]
) -> None:
    answer = interrupted(tmp_path, where, *command, "prune", "--stage", "s")
    assert answer == (EXIT_INTERRUPTED, "interrupted\n")


def test_before_that_nothing_is_imported_that_takes_time() -> None:
    code = (
        "import os, signal, sys; before = set(sys.modules); import devbridge.__main__\n"
        "print(*sorted(sys.modules.keys() - before))"
    )
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    own = ["devbridge", "devbridge.__main__", "devbridge.interrupts"]
    assert done.stdout.split() == ["__future__", *own]


@pytest.fixture
def handler() -> Iterator[Callable[[Any], Any]]:
    """Sets the handler of SIGINT, and says which there is then; afterwards it is as before."""
    before = signal.getsignal(signal.SIGINT)

    def set_and_start(new: Any) -> Any:
        signal.signal(signal.SIGINT, new)
        interrupts.end_at_once()
        return signal.getsignal(signal.SIGINT)

    yield set_and_start
    signal.signal(signal.SIGINT, before)


def test_while_a_command_runs_it_is_an_exception(handler: Callable[[Any], Any]) -> None:
    at_once = handler(signal.default_int_handler)
    assert at_once is not signal.default_int_handler
    with pytest.raises(KeyboardInterrupt), interrupts.Raised():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is at_once


@pytest.mark.parametrize("other", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_signal_that_is_ignored_or_anothers_stays_so(
    handler: Callable[[Any], Any], other: Any
) -> None:
    assert handler(other) is other
    with interrupts.Raised():
        assert signal.getsignal(signal.SIGINT) is other
    assert signal.getsignal(signal.SIGINT) is other


def test_what_is_ignored_is_not_heeded() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert interrupts.heeded(signal.SIGTERM, signal.SIGHUP) == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)
