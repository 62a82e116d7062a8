"""docs/cli.md and the examples of --help say what is so."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from devbridge import errors
from devbridge.cli import COMMANDS, main
from devbridge.cli.reporting import EXIT_BROKEN_PIPE
from devbridge.runs.base import RunRecord
from devbridge.runs.model import State
from devbridge.runs.text import as_json

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


def with_subcommands(name: str) -> Iterator[tuple[str, click.Command]]:
    """A command and, of a group, its commands; each by what is typed."""
    found = command(name)
    yield name, found
    if isinstance(found, click.Group):
        for each in found.list_commands(click.Context(found)):
            yield f"{name} {each}", found.commands[each]


EVERY = dict(pair for name in COMMANDS for pair in with_subcommands(name))


def command_lines(text: str) -> set[str]:
    """What follows `devbridge` in each line of a shell example, without its comment."""
    lines = re.findall(r"^ *(?:\w[^|`]*\| )?devbridge (.+)$", text, re.MULTILINE)
    return {re.split(r" {2,}| \| | # ", line)[0].strip() for line in lines}


def examples() -> set[str]:
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    epilogs = [found.epilog or "" for found in EVERY.values()]
    return set().union(*map(command_lines, [*blocks, *epilogs]))


@pytest.mark.parametrize("line", sorted(examples()))
def test_every_example_is_a_command_line_that_is_understood(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key.pem").touch()
    words = shlex.split(line)
    size = 2 if " ".join(words[:2]) in EVERY else 1
    name = " ".join(words[:size])
    EVERY[name].make_context(name, words[size:])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    section = PAGE.split(f"\n## devbridge {name}\n")[1].split("\n## ")[0]
    shared = PAGE.split("\n## Options that all commands have\n")[1].split("\n## ")[0]
    for typed, found in with_subcommands(name):
        assert f"devbridge {typed}" in section
        for parameter in found.params:
            for option in parameter.opts:
                if option.startswith("--") and option != "--json":
                    assert option in section + shared


def test_every_exit_code_is_documented() -> None:
    rows = re.findall(r"^\| (\d+) \| (?:`(\w+)`)? *\|", PAGE, re.MULTILINE)
    codes = {name: getattr(errors, name) for name in dir(errors) if name.startswith("EXIT_")}
    assert {name: int(code) for code, name in rows} == {**codes, "": EXIT_BROKEN_PIPE}


def test_each_field_of_a_run_as_json_is_documented() -> None:
    section = PAGE.split("\n## A run as JSON\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    fields = {name for row in rows for name in row.split(", ")}
    run = RunRecord(job_id="x", job="y", state=State.QUEUED)
    assert fields == {f"`{name}`" for name in as_json(run)}
