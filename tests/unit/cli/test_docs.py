"""docs/cli.md and the examples of --help say what is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from devbridge import errors
from devbridge.cli import COMMANDS, main
from devbridge.cli.common import EXIT_BROKEN_PIPE

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


def command_lines(text: str) -> set[str]:
    """What follows `devbridge` in each line of a shell example, without its comment."""
    lines = re.findall(r"^ *(?:echo [^|]*\| )?devbridge (.+)$", text, re.MULTILINE)
    return {re.split(r" {2,}| \| | # ", line)[0].strip() for line in lines}


def epilogs() -> str:
    return "\n".join(command(name).epilog or "" for name in COMMANDS)


@pytest.mark.parametrize("line", sorted(command_lines(PAGE) | command_lines(epilogs())))
def test_every_example_is_a_command_line_that_is_understood(line: str) -> None:
    name, *arguments = shlex.split(line)
    command(name).make_context(name, arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    section = PAGE.split(f"\n## devbridge {name}\n")[1].split("\n## ")[0]
    shared = PAGE.split("\n## Options that all commands have\n")[1].split("\n## ")[0]
    for parameter in command(name).params:
        for option in parameter.opts:
            if option.startswith("--") and option != "--json":
                assert option in section + shared


def test_every_exit_code_is_documented() -> None:
    rows = re.findall(r"^\| (\d+) \| (?:`(\w+)`)? *\|", PAGE, re.MULTILINE)
    codes = {name: getattr(errors, name) for name in dir(errors) if name.startswith("EXIT_")}
    assert {name: int(code) for code, name in rows} == {**codes, "": EXIT_BROKEN_PIPE}
