from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from devbridge import errors
from devbridge.cli.diff import diff as command
from devbridge.config import Config
from devbridge.deploy import Request
from devbridge.deploy.changes import Change
from devbridge.deploy.plan import Plan

CHANGES = Plan("s", "c", False, (Change("remove", "A", "AWS::X::Y", "Job 'a'"),))
NOTHING = Plan("s", "", False, ())


@pytest.fixture
def asked(config: Config, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the comparison was asked for; `plan` is its answer."""
    asked: dict[str, Any] = {"plan": CHANGES}

    def compare(request: Request) -> Plan:
        asked["request"] = request
        plan: Plan = asked["plan"]
        return plan

    monkeypatch.setattr("devbridge.cloud.session.connect", lambda *_: SimpleNamespace())
    monkeypatch.setattr("devbridge.languages.probing.probe", lambda *_, **__: {})
    monkeypatch.setattr("devbridge.types.schemas", lambda _: {"a": {}})
    monkeypatch.setattr("devbridge.deploy.diff", compare)
    return asked


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["--stage", "prod", *arguments])


def test_it_prints_what_a_deployment_would_change(asked: dict[str, Any]) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert result.stdout == "stack s: 1 removed\n- Job 'a'  AWS::X::Y  A\n"
    request = asked["request"]
    assert (request.stage, request.mode, request.schemas) == ("prod", "deployed", {"a": {}})


def test_what_a_policy_says_is_one_line_and_forges_none(asked: dict[str, Any]) -> None:
    text = "may s3:* on x\n- Table 'forged'\u202e"
    change = Change("add", "R", "AWS::IAM::Role", "Role 'R'", iam=True, granted=(text,))
    asked["plan"] = Plan("s", "c", False, (change,))
    last = run().stdout.splitlines()[-1]
    assert last == "+   Role 'R' may s3:* on x\\n- Table 'forged'\\u202e"


def test_json_is_the_same_for_programs(asked: dict[str, Any]) -> None:
    made = json.loads(run("--json").stdout)
    assert [change["action"] for change in made["changes"]] == ["remove"]
    asked["plan"] = NOTHING
    assert json.loads(run("--json").stdout) == {"stack": "s", "creates": False, "changes": []}


def test_the_exit_code_tells_of_changes_only_if_it_is_asked_to(asked: dict[str, Any]) -> None:
    assert run("--exit-code").exit_code == errors.EXIT_ERROR
    asked["plan"] = NOTHING
    result = run("--exit-code")
    assert result.exit_code == 0
    assert result.stdout == "nothing to deploy: the stage is up to date\n"


def test_help_teaches_with_examples() -> None:
    assert "devbridge diff --stage prod" in CliRunner().invoke(command, ["--help"]).output
