from __future__ import annotations

from pathlib import Path

import pytest

from runner.attempt import Output
from runner.host.base import Host
from runner.host.codebuild import CodeBuildHost
from runner.host.container import ContainerHost
from runner.host.lines import Lines
from runner.host.main import host_of
from runner.host.settings import Settings

RUN = {"DEVBRIDGE_JOB_NAME": "a", "DEVBRIDGE_HANDLER": "a.handler", "DEVBRIDGE_RUN_ID": "p:1"}


def host(**more: str) -> Host:
    environment = RUN | more
    return host_of(Settings.read(environment), environment, Lines(Output(), "p:1"))


@pytest.mark.parametrize(
    ("compute", "kind"),
    [
        ({}, CodeBuildHost),
        ({"DEVBRIDGE_COMPUTE": "codebuild"}, CodeBuildHost),
        ({"DEVBRIDGE_COMPUTE": "batch"}, ContainerHost),
        ({"DEVBRIDGE_COMPUTE": "fargate"}, ContainerHost),
    ],
)
def test_the_environment_says_where_this_is(compute: dict[str, str], kind: type) -> None:
    assert isinstance(host(**compute), kind)


def test_a_build_is_stopped_by_people_and_a_container_taken_away() -> None:
    assert not host().interruptible
    assert host(DEVBRIDGE_COMPUTE="batch").interruptible


def test_a_container_keeps_some_of_the_notice_for_itself() -> None:
    assert host(DEVBRIDGE_COMPUTE="batch", DEVBRIDGE_GRACE="120").grace == 100
    assert host(DEVBRIDGE_COMPUTE="batch", DEVBRIDGE_GRACE="30").grace == 15
    assert host(DEVBRIDGE_GRACE="30").grace == 30


def test_a_container_finds_what_was_unpacked(tmp_path: Path) -> None:
    more = {"DEVBRIDGE_COMPUTE": "batch", "DEVBRIDGE_FOLDER": str(tmp_path)}
    one = host(**more)
    assert (one.root, one.packages) == (str(tmp_path / "src"), "")
    (tmp_path / "packages").mkdir()
    assert host(**more).packages == str(tmp_path / "packages")


def test_nobody_minds_metadata_that_cannot_be_had() -> None:
    more = {"ECS_CONTAINER_METADATA_URI_V4": "http://127.0.0.1:1/"}
    one = host(DEVBRIDGE_COMPUTE="fargate", **more)
    assert (one.logs(), one.arn, one.root) == (None, "", str(Path.cwd()))
