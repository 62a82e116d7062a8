from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from devbridge.cli import LazyGroup
from devbridge.cli.dev import dev
from devbridge.config import Config
from devbridge.errors import EXIT_INTERRUPTED, EXIT_NOT_CONFIRMED
from devbridge.live.voice import Voice


class OneCommand(LazyGroup):
    """devbridge's group with this command only."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        return dev


class Developing:
    """What `devbridge dev` was asked for, and what it does."""

    def __init__(self) -> None:
        self.config: Config
        self.yes = False
        self.act: Callable[[Voice], None] = lambda voice: voice("Stopped")

    def __call__(self, config: Config, voice: Voice, *, yes: bool) -> None:
        self.config, self.yes = config, yes
        self.act(voice)


@pytest.fixture
def developing(config: Config, monkeypatch: pytest.MonkeyPatch) -> Developing:
    made = Developing()
    monkeypatch.setattr("devbridge.live.develop.develop", made)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(OneCommand("devbridge"), ["dev", *arguments])


def test_the_options_are_settings(developing: Developing) -> None:
    result = run(
        *("--local", "--concurrency", "3", "--grace", "7", "--on-broken", "wait", "--env", "TOKEN"),
        *("--offline", "error", "--rerun-on-save", "--memory-limit", "job", "--env", "A=1"),
        *("--timeout", "10s"),
    )
    assert result.exit_code == 0, result.output
    config = developing.config
    assert (config.local, config.concurrency, config.grace) == (True, 3, 7.0)
    assert (config.on_broken, config.offline, config.rerun_on_save) == ("wait", "error", "wait")
    assert (config.memory_limit, tuple(config.env)) == ("job", ("TOKEN", "A=1"))
    assert config.timeout == timedelta(seconds=10)
    assert not developing.yes
    assert config.debug is None
    for given, seconds in (("--debug", 2.0), ("--debug=30", 30.0)):
        assert run(given, "--local").exit_code == 0
        assert developing.config.debug == seconds
    assert run("--rerun-on-save=cancel", "--local").exit_code == 0
    assert developing.config.rerun_on_save == "cancel"
    assert run("-y").exit_code == 0
    assert developing.yes


def test_what_is_said_is_printed_and_its_further_lines_are_indented(
    developing: Developing,
) -> None:
    developing.act = lambda voice: voice(f"{voice.style.bad('Error')}  a\nb")
    assert run().stdout == "Error  a\n  b\n"  # no colour, where there is no terminal


def test_warnings_go_to_stderr_once(developing: Developing) -> None:
    def warn(voice: Voice) -> None:
        for _ in range(2):
            voice.warn("job 'a': no module named torch")

    developing.act = warn
    result = run()
    assert (result.stdout, result.stderr) == ("", "warning: job 'a': no module named torch\n")


def test_where_nobody_can_answer_nothing_is_confirmed(developing: Developing) -> None:
    developing.act = lambda voice: voice.confirm("delete it?", "the deployment deletes it")
    result = run()
    assert result.exit_code == EXIT_NOT_CONFIRMED
    assert "the deployment deletes it, and there is no terminal to ask on" in result.stderr


def test_a_signal_before_the_daemon_listens_ends_it_as_ctrl_c_does(developing: Developing) -> None:
    before = signal.getsignal(signal.SIGTERM)
    cleaned: list[Any] = []

    def terminated(voice: Voice) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            cleaned.append("up")

    developing.act = terminated
    assert run().exit_code == EXIT_INTERRUPTED
    assert cleaned == ["up"]
    assert signal.getsignal(signal.SIGTERM) is before
