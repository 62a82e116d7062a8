from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devbridge.daemon.runtime_api import WorkerAddress
from devbridge.errors import InterpreterError
from devbridge.runs.model import Exit
from devbridge.workers.base import FreshLauncher, WorkerSpec, exit_of

ADDRESS = WorkerAddress("127.0.0.1:5/token", "http://127.0.0.1:5/credentials/w1", "token")


def test_an_address_does_not_print_its_token() -> None:
    assert "credentials_token" not in repr(ADDRESS)


def test_a_wait_status_is_a_code_or_a_signal() -> None:
    assert exit_of(3 << 8) == Exit(code=3)
    assert exit_of(signal.SIGKILL) == Exit(signal=signal.SIGKILL)


async def test_an_interpreter_that_does_not_exist_is_named(tmp_path: Path) -> None:
    spec = WorkerSpec("w1", tmp_path, "a.handler", tmp_path / "python", {})
    with pytest.raises(InterpreterError) as raised:
        await FreshLauncher().launch(spec, 1)
    assert raised.value.where == str(tmp_path / "python")


def test_the_runner_needs_only_the_standard_library() -> None:
    """And it does not open devbridge's own environment to the handlers that it runs."""
    code = (
        "import runpy, sys; before = set(sys.path)\n"
        "import runner.worker, runner.zygote, runner.__main__\n"
        "outside = {m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names\n"
        "print(sorted(outside - {'runner', '__main__'}))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(root)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
