from __future__ import annotations

import pytest

from devbridge import deploy as deployment
from devbridge.constructs import App, Secret
from devbridge.deploy import stage
from devbridge.deploy.access import Progress
from devbridge.deploy.plan import Plan
from devbridge.deploy.refusals import Overtaken
from devbridge.deploy.synth import Template
from devbridge.errors import DeployError, InvalidValue
from tests.unit.deploy.cloudformation import at_once
from tests.unit.deploy.conftest import FakeCloud


def change(aws: FakeCloud, told: list[Progress]) -> None:
    template = Template("{}", "hash", {})
    stage._change(aws, "s", template, {}, told.append, at_once, approve=None)


def test_what_another_deployment_has_overtaken_is_planned_anew(
    aws: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = iter([Plan("s", "first", False, ()), Plan("s", "second", False, ())])
    executed: list[str] = []

    def execute(_: object, made: Plan, *rest: object) -> None:
        executed.append(made.change_set)
        if made.change_set == "first":
            raise Overtaken("another deployment has changed the stack meanwhile")

    monkeypatch.setattr(stage, "plan", lambda *_, **__: next(plans))
    monkeypatch.setattr(stage, "execute", execute)
    told: list[Progress] = []
    change(aws, told)
    assert executed == ["first", "second"]
    assert [p.step for p in told] == ["plan", "wait", "plan"]


def test_who_is_overtaken_all_the_time_gives_up(
    aws: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(*_: object, **__: object) -> Plan:
        raise Overtaken("another deployment has changed the stack meanwhile")

    monkeypatch.setattr(stage, "plan", overtaken)
    with pytest.raises(Overtaken):
        change(aws, [])


def test_a_deployment_without_a_secrets_value_is_refused_before_anything_else(
    app: App, aws: FakeCloud
) -> None:
    Secret(app, "api-key")
    with pytest.raises(DeployError) as caught:
        deployment.deploy(app, aws, stage="prod", mode="deployed", on_progress=lambda _: None)
    assert "secrets without a value: api-key" in str(caught.value)
    assert "devbridge secrets set api-key --stage prod" in str(caught.value)
    assert aws.client("s3").list_buckets()["Buckets"] == []


@pytest.mark.parametrize("stage", ["", "Dev", "a_b", "1x", "a--b", "x" * 33])
def test_a_stages_name_is_checked_before_anything_is_asked(app: App, stage: str) -> None:
    with pytest.raises(InvalidValue, match="the stage's name"):
        deployment.deploy(app, FakeCloud(), stage=stage, on_progress=lambda _: None)
