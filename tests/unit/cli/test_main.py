from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from devbridge import __version__, errors
from devbridge.cli import COMMANDS, main
from devbridge.cli.reporting import EXIT_BROKEN_PIPE
from devbridge.config import Config
from devbridge.errors import EXIT_NOT_WRITTEN
from tests.unit.runs.books import Book


def test_help_lists_every_command_with_its_line() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    words = " ".join(result.output.split())
    for name, line in COMMANDS.items():
        assert f" {name} {line}" in words


HEAVY = {
    *("asyncio", "boto3", "botocore", "click.shell_completion", "devbridge.constructs"),
    *("logging", "msgspec", "paho", "rich", "sqlite3", "subprocess", "troposphere", "watchfiles"),
}


def imported_by(*arguments: str, cwd: Path | None = None) -> set[str]:
    """The modules that a command imports, in a process of its own."""
    code = (
        "import sys\nbefore = set(sys.modules)\nfrom devbridge.cli import main\n"
        f"main({list(arguments)!r}, standalone_mode=False)\n"
        "print('\\n' + ' '.join(sys.modules.keys() - before))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=cwd
    )
    return set(run.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_no_command_and_nothing_heavy(option: str) -> None:
    imported = imported_by(option)
    assert not imported & (HEAVY | {"pathlib"})
    ours = {name for name in imported if name.startswith("devbridge.cli.")}
    assert ours == {"devbridge.cli.reporting"}


def test_the_runs_of_dev_are_listed_without_anything_that_only_the_cloud_or_the_app_need(
    config: Config,
) -> None:
    Book(config).ledger.close()
    needs_sqlite = HEAVY - {"sqlite3", "click.shell_completion"}
    imported = imported_by("jobs", "--stage", config.stage, cwd=config.root)
    assert "devbridge.runs.ledger_reader" in imported
    assert not imported & (needs_sqlite | {"devbridge.runs.stage", "devbridge.job"})


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"devbridge {name}" in result.output.split("Options:")[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_own_help_begins_with_its_line_in_the_list(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.get_short_help_str(limit=200) == COMMANDS[name]


def test_the_version_is_printed() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"devbridge {__version__}\n"


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["dve"])
    assert result.exit_code == errors.EXIT_USAGE
    assert "no such command 'dve'; did you mean 'dev'?" in result.stderr


TALKATIVE = (
    "import click; from devbridge.cli import LazyGroup\n"
    "class One(LazyGroup):\n"
    "    def get_command(self, ctx, name):\n"
    "        return click.Command(name, callback=lambda: print('x\\n' * 99999))\n"
    "One('devbridge')(['any'])\n"
)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_output_that_cannot_be_written_is_one_error_with_its_exit_code() -> None:
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run(
            [sys.executable, "-c", TALKATIVE],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert run.stderr == "error: the output cannot be written: No space left on device\n"
    assert run.returncode == EXIT_NOT_WRITTEN


def test_a_program_without_any_output_runs_all_the_same() -> None:
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-c", TALKATIVE]
    run = subprocess.run(closed, stderr=subprocess.PIPE, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


THREE = (
    "import click, os, sys; from devbridge.cli import LazyGroup\n"
    "def ours():\n"
    "    assert [s.fileno() for s in (sys.stdin, sys.stdout, sys.stderr)] == [0, 1, 2]\n"
    "    assert not sys.stdout.isatty()\n"
    "    assert os.open(os.devnull, os.O_RDONLY) > 2\n"
    "    sys.exit(7)\n"
    "class One(LazyGroup):\n"
    "    def get_command(self, ctx, name):\n"
    "        return click.Command(name, callback=ours)\n"
    "One('devbridge')(['any'])\n"
)


@pytest.mark.parametrize("which", [">&-", "<&-", "<&- >&- 2>&-"])
def test_nothing_that_is_opened_takes_the_place_of_a_closed_stream(which: str) -> None:
    closed = ["sh", "-c", f'exec "$@" {which}', "sh", sys.executable, "-c", THREE]
    run = subprocess.run(closed, stdout=subprocess.DEVNULL, check=False)
    assert run.returncode == 7


def test_a_reader_that_goes_away_is_no_error_message() -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", TALKATIVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.readline()
    run.stdout.close()
    assert run.stderr.read() == b""
    run.stderr.close()
    assert run.wait() == EXIT_BROKEN_PIPE


DEFECT = """
import sys, types
import click
from devbridge import cli, redaction

@click.command()
def x():
    redaction.secret("wJalrXUtnFEMI-K7MDENG")
    print("out \\x1b[2J wJalrXUtnFEMI-K7MDENG", click.style("red", fg="red"))
    raise RuntimeError("\\x1b]52;c;QUFB\\x07 wJalrXUtnFEMI-K7MDENG")

module = types.ModuleType("devbridge.cli.x")
module.x, cli.COMMANDS["x"] = x, "x"
sys.modules["devbridge.cli.x"] = module
cli.main(["x"])
"""


def test_whatever_is_printed_is_fit_for_a_terminal_and_has_no_secret() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DEFECT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == "out \\x1b[2J [redacted] red\n"
    assert done.stderr.endswith("RuntimeError: \\x1b]52;c;QUFB\\x07 [redacted]\n")
