from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from devbridge.cli import main
from devbridge.cli.console import once
from devbridge.config import Config
from devbridge.console import alone
from devbridge.console.subject import Subject
from devbridge.errors import CloudNotRunning

LINK = "http://127.0.0.1:4711/?token=a.b"


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The links that a browser was opened with."""
    links: list[str] = []
    monkeypatch.setattr("click.launch", links.append)
    return links


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Subject]:
    found: list[Subject] = []

    def serve(subject: Subject, opened: Callable[[str], None]) -> None:
        found.append(subject)
        opened(LINK)

    monkeypatch.setattr(alone, "serve", serve)
    return found


def console(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["console", *arguments])


def test_a_console_alone_is_opened_and_printed(
    config: Config, launched: list[str], served: list[Subject]
) -> None:
    done = console()
    assert (done.exit_code, done.stdout) == (0, f"Console  {LINK}\n")
    assert launched == [LINK]
    (subject,) = served
    assert (subject.config.root, subject.config.stage, subject.live) == (config.root, "ann", False)


def test_a_link_is_printed_only(config: Config, launched: list[str], served: list[Subject]) -> None:
    assert console("--no-browser").stdout == f"Console  {LINK}\n"
    assert launched == []


def test_that_of_dev_is_opened_where_there_is_one(
    config: Config, launched: list[str], served: list[Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone, "there_is", lambda _: LINK)
    assert console().exit_code == 0
    assert (launched, served) == ([LINK], [])


def test_app_and_cloud_are_asked_for_when_somebody_wants_them(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config.root / "app.py").write_text("from devbridge import App\n\napp = App('demo')\n")

    def serve(subject: Subject, _opened: object) -> None:
        assert subject.app().name == "demo"
        for _ in range(2):
            with pytest.raises(CloudNotRunning):
                subject.cloud()

    monkeypatch.setattr(alone, "serve", serve)
    assert console("--local").exit_code == 0


def test_what_is_made_once_is_made_again_if_it_was_not() -> None:
    made: list[Any] = []

    def make() -> int:
        made.append(1)
        if len(made) == 1:
            raise CloudNotRunning("not yet")
        return 5

    get = once(make)
    with pytest.raises(CloudNotRunning):
        get()
    assert (get(), get(), len(made)) == (5, 5, 2)
