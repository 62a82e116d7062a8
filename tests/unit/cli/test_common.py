from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from devbridge.cli import common
from devbridge.cloud import session
from devbridge.cloud.last import remember
from devbridge.config import Config
from devbridge.emulator import embedded, state
from devbridge.emulator.state import Running
from devbridge.errors import CloudError, CloudNotRunning

RUNNING = "http://127.0.0.1:4700"
STARTED = "http://127.0.0.1:4800"
NONE: Mapping[str, Any] = {}


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The endpoints that were connected to, in a world where the embedded cloud is not running."""
    endpoints: list[str | None] = []

    def connect(config: Config, endpoint: str | None) -> object:
        endpoints.append(endpoint)
        return SimpleNamespace(
            explained=nullcontext, principal_arn="arn:me", endpoint_url=endpoint, region="eu-west-1"
        )

    @contextmanager
    def start(config: Config, on_progress: object, command: str) -> Iterator[object]:
        yield SimpleNamespace(running=Running(4800, 1, 0.0))

    monkeypatch.setattr(session, "connect", connect)
    monkeypatch.setattr(state, "attach", lambda config: None)
    monkeypatch.setattr(embedded, "embedded_cloud", start)
    return endpoints


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        (NONE, RUNNING),
        ({"local": True}, RUNNING),
        ({"profile": "work"}, None),
        ({"local": True, "profile": "work"}, RUNNING),
        ({"endpoint": "http://other:1"}, "http://other:1"),
        ({"local": True, "endpoint": "http://other:1"}, "http://other:1"),
    ],
)
def test_a_running_embedded_cloud_is_used_unless_another_is_named(
    connected: list[str | None],
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    settings: Mapping[str, Any],
    endpoint: str | None,
) -> None:
    monkeypatch.setattr(state, "attach", lambda config: Running(4700, 1, 0.0))
    with common.cloud(replace(config, **settings)):
        assert connected == [endpoint]


def test_without_an_embedded_cloud_it_is_aws(connected: list[str | None], config: Config) -> None:
    with common.cloud(config):
        assert connected == [None]


def test_a_stage_that_was_local_never_turns_to_aws_by_itself(
    connected: list[str | None], config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DEVBRIDGE_CACHE_DIR", str(tmp_path / "cache"))
    remember(config, local=True)
    shutil.rmtree(config.state_dir)  # as `git clean -xfd` does
    for start in (False, True):
        with pytest.raises(CloudNotRunning) as caught, common.cloud(config, start=start):
            pass
        told, remedy = caught.value, str(caught.value.remedy)
        assert told.what.startswith("stage 'ann' is on the embedded cloud of this app")
        assert "devbridge dev --local" in remedy
        assert "devbridge cloud start" in remedy
        assert "--profile" in remedy
        assert ("or give --local" in remedy) is start
    assert connected == []
    with common.cloud(replace(config, profile="work")), common.cloud(replace(config, stage="b")):
        assert connected == [None, None]
    remember(config, local=False)  # it was deployed to AWS since
    with common.cloud(config):
        assert connected == [None, None, None]


def test_local_needs_a_running_embedded_cloud(connected: list[str | None], config: Config) -> None:
    local = replace(config, local=True)
    with pytest.raises(CloudNotRunning), common.cloud(local):
        pass
    with common.cloud(local, start=True):
        assert connected == [STARTED]


def test_what_the_cloud_refuses_is_told_with_who_asked(
    connected: list[str | None], config: Config
) -> None:
    answer = {"Error": {"Code": "AccessDenied", "Message": "not authorized"}}
    with pytest.raises(CloudError) as caught, common.cloud(config):
        raise ClientError(answer, "DescribeStacks")  # type: ignore[arg-type]
    assert caught.value.what == "the cloud refuses DescribeStacks: not authorized"
    assert caught.value.where == "arn:me, eu-west-1"
    assert "use credentials that have that permission" in str(caught.value.remedy)


def test_of_a_request_that_is_wrong_nobody_is_told_to_change_credentials(
    connected: list[str | None], config: Config
) -> None:
    answer = {"Error": {"Code": "ValidationException", "Message": "no such field"}}
    with pytest.raises(CloudError) as caught, common.cloud(config):
        raise ClientError(answer, "PutItem")  # type: ignore[arg-type]
    assert "credentials" not in str(caught.value.remedy)
