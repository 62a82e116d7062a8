from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from mcp import Client

from devbridge import __version__
from devbridge.cli.tools import server
from devbridge.cli.tools.arguments import ListJobs, WaitFor
from devbridge.cli.tools.server import INSTRUCTIONS, called, made
from devbridge.cli.tools.toolbox import TOOLS, Stopped, Tool, Toolbox
from devbridge.config import Config
from devbridge.errors import NotDeployed


@pytest.fixture
def toolbox(config: Config) -> Toolbox:
    return Toolbox(config)


def one_tool(monkeypatch: pytest.MonkeyPatch, does: Any) -> None:
    """The only tool there is, `list_jobs`."""

    def call(_toolbox: Toolbox, _given: ListJobs, stop: threading.Event) -> Any:
        return does(stop)

    monkeypatch.setattr(server, "TOOLS", {"list_jobs": Tool(ListJobs, call)})


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_client_of_any_version_sees_and_calls_the_tools(
    toolbox: Toolbox, mode: str
) -> None:
    async with Client(made(toolbox), mode=mode) as client:
        assert client.server_info is not None
        assert (client.server_info.name, client.server_info.version) == ("devbridge", __version__)
        assert client.instructions == INSTRUCTIONS
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert [*tools] == [*TOOLS]
        hints = {name: tool.annotations for name, tool in tools.items()}
        assert all(
            hint is not None and hint.read_only_hint is TOOLS[name].reads
            for name, hint in hints.items()
        )
        assert tools["cancel"].annotations.destructive_hint is True  # type: ignore[union-attr]
        answer = await client.call_tool("list_jobs", {})
        assert answer.is_error is False
        assert '"app": "demo"' in answer.content[0].text  # type: ignore[union-attr]


async def test_an_error_is_the_tools_and_the_next_call_is_answered(toolbox: Toolbox) -> None:
    async with Client(made(toolbox)) as client:
        answer = await client.call_tool("wait", {"run": "a", "seconds": 5})
        assert answer.is_error is True
        assert (await client.call_tool("list_jobs", {})).is_error is False


async def test_a_call_that_nobody_waits_for_is_told_to_end(
    toolbox: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, ended = threading.Event(), threading.Event()

    def waits(stop: threading.Event) -> str:
        began.set()
        if stop.wait(30):
            ended.set()
        raise Stopped

    one_tool(monkeypatch, waits)
    async with Client(made(toolbox)) as client:
        with pytest.raises(Exception, match=r"[Tt]imed out"):
            await client.call_tool("list_jobs", {}, read_timeout_seconds=0.5)
    assert began.wait(30)
    assert ended.wait(30)


def test_an_error_of_devbridges_says_what_where_and_what_to_do(
    toolbox: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_stop: threading.Event) -> str:
        raise NotDeployed("not there", where="stage ann", remedy="deploy it")

    one_tool(monkeypatch, refuse)
    text, failed = called(toolbox, "list_jobs", {}, threading.Event())
    assert (text, failed) == ("not there\n  where: stage ann\n  to do: deploy it", True)


def test_a_file_that_cannot_be_used_is_named(
    toolbox: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_stop: threading.Event) -> str:
        raise PermissionError(13, "Permission denied", "/x/ledger")

    one_tool(monkeypatch, fail)
    text, failed = called(toolbox, "list_jobs", {}, threading.Event())
    assert failed
    assert text.startswith("/x/ledger cannot be used: Permission denied")


def test_a_defect_is_in_the_log_and_not_in_the_answer(
    toolbox: Toolbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_stop: threading.Event) -> str:
        raise ZeroDivisionError("of ours")

    one_tool(monkeypatch, fail)
    with caplog.at_level(logging.ERROR):
        text, failed = called(toolbox, "list_jobs", {}, threading.Event())
    assert failed
    assert text == "list_jobs has failed, by a defect of devbridge's: its traceback is on stderr"
    assert "ZeroDivisionError: of ours" in caplog.text


def test_a_call_that_was_ended_is_answered_to_nobody(
    toolbox: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_stop: threading.Event) -> str:
        raise Stopped

    one_tool(monkeypatch, stopped)
    assert called(toolbox, "list_jobs", {}, threading.Event())[1] is True


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("wiat", {}, "there is no tool 'wiat'; did you mean 'wait'?"),
        ("wait", {}, "missing required field `run`"),
        ("wait", {"run": 5}, "Expected `str`, got `int` - at `$.run`"),
        ("wait", {"run": "a", "timeout": 5}, "unknown field `timeout`"),
        ("wait", {"run": "a", "timeout": 5}, f"it takes: {', '.join(WaitFor.__struct_fields__)}"),
    ],
)
def test_wrong_arguments_are_named_with_what_is_taken(
    toolbox: Toolbox, name: str, arguments: dict[str, Any], said: str
) -> None:
    text, failed = called(toolbox, name, arguments, threading.Event())
    assert failed
    assert said in text
