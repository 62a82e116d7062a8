from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from devbridge import deploy as deployment
from devbridge import names
from devbridge.constructs import App, Secret
from devbridge.deploy import Deployed, Request, stage
from devbridge.deploy.access import Progress
from devbridge.deploy.assets import Packed
from devbridge.deploy.plan import Plan
from devbridge.deploy.refusals import Overtaken
from devbridge.deploy.settings import version_of
from devbridge.deploy.synth import Assets, Settings, Template
from devbridge.deploy.synth.app import synth
from devbridge.errors import DeployError, InvalidValue
from tests.unit.deploy.cloudformation import STACK, Script, at_once
from tests.unit.deploy.cloudformation import stack as described
from tests.unit.deploy.conftest import FakeCloud


def change(app: App, aws: FakeCloud, told: list[Progress]) -> None:
    request = Request(app, aws, stage="s", mode="dev", on_progress=told.append, pace=at_once)
    stage._change(request, "s", Template("{}", "hash", {}), approve=None)


def test_what_another_deployment_has_overtaken_is_planned_anew(
    app: App, aws: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = iter([Plan("s", "first", False, ()), Plan("s", "second", False, ())])
    executed: list[str] = []

    def execute(_: object, made: Plan, *rest: object) -> None:
        executed.append(made.change_set)
        if made.change_set == "first":
            raise Overtaken("another deployment has changed the stack in the meantime")

    monkeypatch.setattr(stage, "plan", lambda *_, **__: next(plans))
    monkeypatch.setattr(stage, "execute", execute)
    told: list[Progress] = []
    change(app, aws, told)
    assert executed == ["first", "second"]
    assert [p.step for p in told] == ["plan", "wait", "plan"]


def test_who_is_overtaken_all_the_time_gives_up(
    app: App, aws: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(*_: object, **__: object) -> Plan:
        raise Overtaken("another deployment has changed the stack in the meantime")

    monkeypatch.setattr(stage, "plan", overtaken)
    with pytest.raises(Overtaken):
        change(app, aws, [])


def test_a_deployment_without_a_secrets_value_is_refused_before_anything_else(
    app: App, aws: FakeCloud
) -> None:
    Secret(app, "api-key")
    with pytest.raises(DeployError) as caught:
        deployment.deploy(Request(app, aws, stage="prod", mode="deployed"))
    assert "secrets without a value: api-key" in str(caught.value)
    assert "devbridge secrets set api-key --stage prod" in str(caught.value)
    assert aws.client("s3").list_buckets()["Buckets"] == []


@pytest.mark.parametrize("stage", ["", "Dev", "a_b", "1x", "a--b", "x" * 33])
@pytest.mark.parametrize("call", [deployment.deploy, deployment.diff, deployment.synthesize])
def test_a_stages_name_is_checked_before_anything_is_asked(
    app: App, stage: str, call: Callable[..., object]
) -> None:
    cloud = FakeCloud()
    Secret(app, "api-key")
    with pytest.raises(InvalidValue, match="the stage's name"):
        call(Request(app, cloud, stage=stage, mode="dev"))
    assert not cloud.clients


KEYS = {"api-start": "assets/demo/f.zip"}


class Stage:
    """A deployed stage of the app whose code is packed, and uploaded, as it says here."""

    def __init__(self, app: App, aws: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app, self.aws = app, aws
        self.versions = {"assets/demo/f.zip": "v2"}
        self.did: list[str] = []
        self.told: list[Progress] = []
        assets = Assets(
            "assets", "", "i.zip", KEYS, jobs={"my-job": "j.zip"}, versions={"i.zip": "v1"}
        )
        file = app.root / "api" / "start.py"
        self.packed = Packed(assets, [], [], frozenset({file}))
        monkeypatch.setattr(stage, "pack", lambda *_: self.packed)
        monkeypatch.setattr(stage, "upload", self.upload)
        monkeypatch.setattr(stage, "plan", self.plan)
        monkeypatch.setattr(stage, "execute", self.execute)
        monkeypatch.setattr(stage, "discard", lambda *_: self.did.append("discard"))

    def upload(self, *_: object) -> dict[str, str]:
        self.did.append("upload")
        return self.versions

    def plan(self, *_: object, **__: object) -> Plan:
        self.did.append("plan")
        return Plan(STACK, "c", True, ())

    def execute(self, *_: object) -> None:
        self.did.append("execute")

    def outputs(self, **more: str) -> list[dict[str, str]]:
        """Those of a stack that is made of what is uploaded."""
        settings = Settings("dev", "", "", version_of(Path(sys.executable)), mode="deployed")
        assets = replace(self.packed.assets, versions={"i.zip": "v1", **self.versions})
        made = synth(self.app, settings, assets)
        outputs = {names.TEMPLATE_HASH: made.hash, **more}
        return [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]

    def deploy(self, approve: Callable[[Plan], None] | None = None) -> Deployed:
        return deployment.deploy(self.request(), approve=approve)

    def diff(self) -> Plan:
        return deployment.diff(self.request())

    def request(self) -> Request:
        return Request(
            *(self.app, self.aws),
            stage="dev",
            mode="deployed",
            on_progress=self.told.append,
            pace=at_once,
        )


@pytest.fixture
def there(app: App, aws: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(app, aws, monkeypatch)


def test_a_stage_that_is_as_app_py_says_is_left_as_it_is(there: Stage, script: Script) -> None:
    script.stacks(described(Outputs=there.outputs(ApiUrl="https://x")))
    done = there.deploy()
    assert there.did == ["upload"]  # what is stored is verified, even so
    assert not done.changed
    assert done.outputs == {"ApiUrl": "https://x"}
    assert done.jobs == []
    assert done.files == {there.app.root / "api" / "start.py"}


def test_a_stage_that_is_not_there_is_planned_approved_and_made(
    there: Stage, script: Script
) -> None:
    for _ in ("its name", "the one that an older devbridge gave it"):
        script.stacks()
    script.stacks(described(Outputs=there.outputs(ApiUrl="https://x")))
    done = there.deploy(lambda _: there.did.append("approve"))
    assert there.did == ["upload", "plan", "approve", "execute"]
    assert done.changed
    assert done.outputs == {"ApiUrl": "https://x"}


def test_another_version_of_a_zip_is_a_change(there: Stage, script: Script) -> None:
    script.stacks(described(Outputs=there.outputs()))
    there.versions = {"assets/demo/f.zip": "v3"}
    script.stacks(described(Outputs=there.outputs()))
    assert there.deploy().changed


def test_what_is_not_approved_is_discarded_and_not_carried_out(
    there: Stage, script: Script
) -> None:
    script.stacks(described())

    def refuse(_: Plan) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        there.deploy(refuse)
    assert there.did == ["upload", "plan", "discard"]


def test_the_stack_of_another_app_is_left_alone_and_nothing_uploaded(
    there: Stage, script: Script
) -> None:
    script.stacks(described(Tags=[]))
    with pytest.raises(DeployError, match="belongs to another app or stage"):
        there.deploy()
    assert there.did == []


def test_what_a_failed_creation_has_left_is_nobodys_and_made_again(
    there: Stage, script: Script
) -> None:
    script.stacks(described("ROLLBACK_COMPLETE", Tags=[]))
    script.stacks(described(Outputs=there.outputs()))
    assert there.deploy().changed


def test_a_diff_of_what_is_deployed_is_empty_and_touches_nothing(
    there: Stage, script: Script
) -> None:
    found = described(Outputs=there.outputs())
    script.stacks(found)
    script.stacks(found)
    code = {"S3Key": "assets/demo/f.zip", "S3ObjectVersion": "v2"}
    script.template(F={"Type": "AWS::Lambda::Function", "Properties": {"Code": code}})
    assert there.diff() == Plan(STACK, "", False, ())
    assert there.did == []


def test_a_diff_with_what_a_failed_creation_has_left_adds_all_and_touches_nothing(
    there: Stage, script: Script
) -> None:
    script.stacks(described("ROLLBACK_COMPLETE"))
    made = there.diff()
    assert (made.creates, made.change_set, there.did) == (True, "", [])
    assert {change.action for change in made.changes} == {"add"}


def test_what_is_synthesized_has_no_versions_and_no_stack_is_asked_for(there: Stage) -> None:
    template, zips = deployment.synthesize(there.request())
    assert zips == []
    code = json.loads(template.body)["Resources"]["ApiStartFunction"]["Properties"]["Code"]
    assert code == {"S3Bucket": "assets", "S3Key": "assets/demo/f.zip"}
    assert "cloudformation" not in there.aws.clients
