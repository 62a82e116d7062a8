from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import click
import pytest

from devbridge.cli import deploying
from devbridge.cli.deploying import (
    confirm,
    interruptible,
    only_this,
    show_plan,
    steps,
    target,
    warn_once,
)
from devbridge.config import Config
from devbridge.deploy import Progress
from devbridge.deploy.changes import Change
from devbridge.deploy.plan import Plan
from devbridge.errors import EXIT_ERROR, AlreadyRunning, NotConfirmed
from devbridge.runs.lock import only_one

NOTHING: Any = None


@pytest.fixture
def coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that has colours, as far as click can tell."""
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)


# --- what it means ------------------------------------------------------------------------------


def test_only_with_local_the_embedded_cloud_is_meant(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    @contextlib.contextmanager
    def embedded(_config: Config, *, start: bool) -> Iterator[str]:
        assert start
        yield "embedded"
        ended.append("embedded")

    monkeypatch.setattr("devbridge.cli.common.cloud", embedded)
    monkeypatch.setattr("devbridge.cloud.session.connect", lambda _, endpoint: f"AWS {endpoint}")
    for local, expected in ((True, "embedded"), (False, "AWS http://x")):
        asked: Any = SimpleNamespace(local=local, endpoint="http://x")
        with target(asked) as there:
            assert there == expected  # type: ignore[comparison-overlap]
    assert ended == ["embedded"]


def test_a_deployment_that_is_under_way_is_waited_for_and_dev_is_not(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = contextlib.ExitStack()
    other.enter_context(only_one(config.lock, config.stage, "remove"))
    monkeypatch.setattr("devbridge.runs.lock.sleep", lambda _: other.close())
    with only_this(config, "deploy"):
        assert "  wait     `devbridge remove`" in capsys.readouterr().out
    with (
        only_one(config.lock, config.stage),
        pytest.raises(AlreadyRunning),
        only_this(config, "deploy"),
    ):
        pass


# --- what it prints -----------------------------------------------------------------------------


@pytest.mark.usefixtures("coloured")
def test_a_step_that_failed_is_red_and_its_further_lines_are_indented(
    config: Config,
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps(config)(Progress("upload", "the stubs\nall of them"))
    steps(config, err=True)(Progress("resource", "Table", status="CREATE_FAILED"))
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out
    first, second, *_ = printed.out.splitlines()
    assert first.startswith("  upload")
    assert second.startswith("  ")
    assert printed.err.startswith("\x1b[31m")


@pytest.mark.usefixtures("coloured")
def test_a_plan_has_a_colour_for_each_kind_of_change(capsys: pytest.CaptureFixture[str]) -> None:
    changes = tuple(
        Change(action, action, "AWS::X::Y", f"Job '{action}'", reason="Name")
        for action in ("add", "change", "replace", "remove")
    )
    show_plan(Plan("s", "c", False, changes))
    lines = {
        line[5]: line[:5] for line in capsys.readouterr().out.splitlines() if line[0] == "\x1b"
    }
    assert lines == {"+": "\x1b[32m", "~": "\x1b[33m", "!": "\x1b[35m", "-": "\x1b[31m"}


def test_a_warning_is_said_on_stderr_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("a", "b", "a"):
        warn_once(text)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "warning: a\nwarning: b\n")


# --- what it asks -------------------------------------------------------------------------------


def test_where_nobody_can_answer_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    for stdin in (None, SimpleNamespace(isatty=lambda: False)):
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(NotConfirmed, match="it deletes data, and there is no terminal") as got:
            confirm("delete it?", "it deletes data")
        assert "--yes" in (got.value.remedy or "")


def test_a_no_ends_the_command_and_a_yes_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deploying, "has_terminal", lambda: True)
    answers = iter([True, False])
    monkeypatch.setattr(click, "confirm", lambda question: next(answers))
    confirm("delete it?", "it deletes data")
    with pytest.raises(click.exceptions.Exit) as no:
        confirm("delete it?", "it deletes data")
    assert no.value.exit_code == EXIT_ERROR
    assert capsys.readouterr().err == "nothing was changed\n"


# --- signals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_ctrl_c_as_long_as_the_block_runs(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
