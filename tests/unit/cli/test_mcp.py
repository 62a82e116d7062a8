from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from devbridge.cli import main
from devbridge.config import Config
from devbridge.errors import EXIT_APP, EXIT_BUILD


@pytest.mark.parametrize("missing", ["mcp", "mcp_types"])
def test_without_the_extra_it_is_said_what_to_install(
    config: Config, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Version 1 of the SDK has no mcp_types."""
    monkeypatch.setitem(sys.modules, missing, None)
    result = CliRunner().invoke(main, ["mcp"])
    assert result.exit_code == EXIT_BUILD
    assert result.stdout == ""
    assert result.stderr.startswith("error: the SDK of the Model Context Protocol, mcp 2, cannot ")
    assert "to do: pip install 'devbridge[mcp]'" in result.stderr


def test_a_folder_without_an_app_is_an_error_on_stderr(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    result = CliRunner().invoke(main, ["mcp"])
    assert (result.exit_code, result.stdout) == (EXIT_APP, "")
    assert "name it with --app" in result.stderr


def test_its_help_needs_no_sdk() -> None:
    code = (
        "import sys; from devbridge.cli import main\n"
        "main(['mcp', '--help'], standalone_mode=False)\n"
        "print(sorted({'mcp', 'mcp_types', 'pydantic', 'anyio', 'boto3'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
