from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from devbridge.cli import COMMANDS, main
from devbridge.config import Config

JOB = """
from devbridge.job import job_handler

@job_handler("double")
def handler(payload: int) -> str: ...
"""


@pytest.fixture
def root(config: Config, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an app with a job."""
    monkeypatch.setitem(COMMANDS, "types", "")
    monkeypatch.setenv("DEVBRIDGE_PYTHON", sys.executable)
    (config.root / "app.py").write_text(
        "from devbridge import App, Job\n\n"
        'app = App("demo")\n'
        'Job(app, "double", handler="double.handler")\n'
    )
    (config.root / "double.py").write_text(JOB)
    return config.root


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["types", *arguments])


def test_it_writes_the_stubs_and_says_which(root: Path) -> None:
    folder = root / "typings" / "devbridge"
    first = run()
    assert first.exit_code == 0, first.output
    names = ("__init__", "job", "resources")
    assert first.stdout.splitlines() == [f"wrote {folder / name}.pyi" for name in names]
    assert "double: ClassVar[_BoundJob[int, str]]" in (folder / "job.pyi").read_text()
    assert run().stdout == "nothing to write: the stubs are up to date\n"


def test_check_writes_nothing_and_its_exit_code_tells(root: Path) -> None:
    job = root / "typings" / "devbridge" / "job.pyi"
    assert run("--check").exit_code == 1
    assert not job.exists()
    run()
    assert run("--check").exit_code == 0
    (root / "double.py").write_text(JOB.replace("int", "float"))
    checked = run("--check")
    assert checked.exit_code == 1
    assert checked.stdout == f"out of date: {job}\n"
    assert "run `devbridge types`" in checked.stderr


def test_a_handler_that_cannot_be_imported_is_a_warning(root: Path) -> None:
    (root / "double.py").write_text("import not_there\n" + JOB)
    result = run()
    assert result.exit_code == 0
    assert result.stderr == (
        "warning: job 'double': File \"double.py\", line 1: "
        "ModuleNotFoundError: No module named 'not_there'\n"
    )


def test_the_json_schema_of_one_job_and_of_all(root: Path) -> None:
    double = {"payload": {"type": "integer"}, "result": {"type": "string"}}
    assert json.loads(run("--schema", "double").stdout) == double
    assert json.loads(run("--schema").stdout) == {"double": double}
    assert not (root / "typings").exists()


def test_the_json_schema_of_a_job_that_there_is_not(root: Path) -> None:
    result = run("--schema", "doubel")
    assert result.exit_code == 5
    assert "use one of: double" in result.stderr
