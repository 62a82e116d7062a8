from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from devbridge.cli import main
from devbridge.config import Config
from tests.unit.runs.books import Book


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_devbridge(shell: str) -> None:
    if shell == "bash" and not shutil.which("bash"):
        pytest.skip("click looks for bash")
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0, result.output
    assert f"_DEVBRIDGE_COMPLETE={shell}_complete" in result.stdout


def test_another_shell_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["completion", "csh"]).exit_code == 2


def test_a_shell_is_offered_jobs_and_runs_and_app_py_is_not_run(config: Config) -> None:
    (config.root / "app.py").write_text("raise SystemExit('it was run')\n")
    config.job_names.write_text('["factorial", "import-all"]')
    book = Book(config)
    book.queue("aaaa1111-0000-4000-8000-000000000001")
    book.ledger.close()
    code = "import sys\nfrom devbridge.__main__ import main\nfor _ in [0]: main()"
    environment = {
        **os.environ,
        "_DEVBRIDGE_COMPLETE": "zsh_complete",
        "COMP_WORDS": "devbridge status ",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=config.root,
        capture_output=True,
        text=True,
        check=False,
    )
    *offered, told = done.stdout.splitlines()
    assert offered == ["plain", "aaaa1111"], done.stderr
    assert re.fullmatch(r"factorial QUEUED (now|\d+ s ago)", told)
