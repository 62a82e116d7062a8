from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from devbridge.cli import doctor as module
from devbridge.cli.doctor import (
    ACTIONS,
    Check,
    actions_of,
    check_disk,
    check_import,
    check_installed,
    check_iot,
    check_permissions,
    check_proxies,
    check_state_dir,
    line,
)
from devbridge.cloud.last import remember
from devbridge.cloud.session import Clients, Cloud, local_session
from devbridge.config import Config, config_of
from devbridge.constructs import App, Batch, Job
from devbridge.constructs.app import loading
from devbridge.emulator.ports import free_port
from devbridge.errors import EXIT_ERROR, EXIT_OK
from devbridge.interpreter import Interpreter
from devbridge.transport.base import AwsCredentials, Endpoint

MakeConfig = Callable[..., Config]
APP = 'from devbridge import App\napp = App("demo")\n'


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVBRIDGE_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(module.doctor, [str(argument) for argument in arguments])


def checks(*arguments: object) -> dict[str, dict[str, Any]]:
    result = run("--json", *arguments)
    return {check["name"]: check for check in json.loads(result.stdout)}


def interpreter(*, has_devbridge: bool = True) -> Interpreter:
    return Interpreter(Path("/py/bin/python"), (3, 11, 7), Path("/py"), has_devbridge)


def cloud(principal: str = "arn:aws:iam::123456789012:user/jane") -> Cloud:
    return Cloud(
        region="eu-west-1",
        endpoint_url=None,
        account="123456789012",
        principal_arn=principal,
        profile=None,
        clients=Clients(lambda: local_session(AwsCredentials("AKIA", "secret")), None, "eu-west-1"),
    )


def test_a_good_app_without_a_cloud_yet_has_no_failure(app: Path) -> None:
    result = run("--local", "--app", app, "--stage", "s", "--python", sys.executable)
    assert result.exit_code == EXIT_OK, result.output
    assert "FAIL" not in result.output
    found = checks("--local", "--app", app, "--stage", "s", "--python", sys.executable)
    assert found["app"]["detail"] == f"demo ({app / 'app.py'})"
    assert found["settings"]["detail"] == "stage s"
    assert found["python"]["ok"] is True
    assert found["embedded cloud"]["ok"] is None
    assert found["running"]["ok"] is None
    assert not (app / ".devbridge").exists()


def test_without_an_app_the_rest_is_checked_all_the_same(tmp_path: Path) -> None:
    result = run("--local", "--app", tmp_path, "--python", sys.executable)
    assert result.exit_code == EXIT_ERROR
    assert "to do: go to the app's folder" in result.output
    assert "devbridge init" in result.output
    found = checks("--local", "--app", tmp_path, "--python", sys.executable)
    assert found["app"]["ok"] is False
    assert found["python"]["ok"] is True


def test_an_app_that_raises_is_told_with_the_line(app: Path) -> None:
    (app / "app.py").write_text("import nothing_like_that\n")
    found = checks("--local", "--app", app, "--python", sys.executable)
    assert found["app"]["ok"] is False
    assert "nothing_like_that" in found["app"]["detail"]
    assert "app.py:1" in found["app"]["detail"]


def test_a_bad_setting_is_told(app: Path) -> None:
    (app / "devbridge.toml").write_text("port = 0\n")
    found = checks("--local", "--app", app)
    assert found["settings"]["ok"] is False
    assert "port is 0" in found["settings"]["detail"]
    assert str(app / "devbridge.toml") in found["settings"]["detail"]


def test_a_broken_interpreter_is_told(app: Path) -> None:
    found = checks("--local", "--app", app, "--python", "/nowhere/python")
    assert found["python"]["ok"] is False
    assert "/nowhere/python" in found["python"]["detail"]
    assert "--python" in found["python"]["remedy"]


def test_missing_credentials_are_told_with_the_command(app: Path) -> None:
    found = checks("--app", app, "--region", "eu-west-1", "--python", sys.executable)
    assert found["identity"]["ok"] is False
    assert "aws configure" in found["identity"]["remedy"]
    assert "running" not in found


def test_an_endpoint_that_is_not_there_is_told(app: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    found = checks("--app", app, "--endpoint", url, "--python", sys.executable)
    assert found["identity"]["ok"] is False
    assert url in found["identity"]["detail"]


def test_an_interpreter_without_devbridge_is_told_how_to_get_it() -> None:
    assert check_import(interpreter()).ok
    check = check_import(interpreter(has_devbridge=False))
    assert check.ok is False
    assert check.remedy == "run /py/bin/python -m pip install devbridge"


def test_a_state_that_others_can_read_is_told(make_config: MakeConfig) -> None:
    config = make_config()
    assert check_state_dir(config).ok is None
    config.make_dirs()
    assert check_state_dir(config).ok is True
    config.state_dir.chmod(0o755)
    check = check_state_dir(config)
    assert check.ok is False
    assert f"chmod -R go-rwx {config.state_dir}" in str(check.remedy)


def test_a_state_that_cannot_be_written_is_told(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config()
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert check_state_dir(config).ok is False
    config.make_dirs()
    assert "chown" in str(check_state_dir(config).remedy)


def test_a_nearly_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10_000_000))
    assert check_disk(tmp_path) == Check(
        "disk", False, "0.0 GB free", f"make room on the disk of {tmp_path}"
    )


def test_a_broken_embedded_cloud_is_told_how_to_remove_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert check_installed(interpreter()).ok is None
    monkeypatch.setattr("devbridge.emulator.install.installed", lambda minor: Path("/v/bin/python"))
    monkeypatch.setattr("devbridge.emulator.install.works", lambda python: True)
    assert check_installed(interpreter()).ok is True
    monkeypatch.setattr("devbridge.emulator.install.works", lambda python: False)
    check = check_installed(interpreter())
    assert check.ok is False
    assert str(check.remedy).startswith("run rm -r ")


def test_a_broker_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = Endpoint("broker", "eu-west-1", dial=server.getsockname())
        monkeypatch.setattr(Cloud, "iot_endpoint", lambda self: there)
        assert check_iot(cloud()).ok is True
    check = check_iot(cloud())
    assert check.ok is False
    assert "firewall" in str(check.remedy)


def test_a_broker_behind_a_proxy_is_asked_for_there(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Endpoint("iot.example", "eu-west-1")
    monkeypatch.setattr(Cloud, "iot_endpoint", lambda self: there)
    monkeypatch.setenv("https_proxy", "http://ann:secret@127.0.0.1:1")
    check = check_iot(cloud())
    assert check.ok is False
    assert "iot.example:443 cannot be reached: through the proxy http://ann@127" in check.detail


def test_a_proxy_is_named_with_what_is_reached_past_it() -> None:
    shell = {"HTTPS_PROXY": "http://ann:secret@proxy:3128", "NO_PROXY": "intra"}
    assert [check.detail for check in check_proxies(shell)] == [
        "HTTPS_PROXY=http://ann@proxy:3128; past it: intra, 127.0.0.1, localhost, .localhost, ::1"
    ]
    assert not list(check_proxies({"NO_PROXY": "intra"}))


def simulated(stub: Stubber, source: str, denied: tuple[str, ...] = ()) -> None:
    stub.add_response(
        "simulate_principal_policy",
        {
            "EvaluationResults": [
                {
                    "EvalActionName": action,
                    "EvalDecision": "implicitDeny" if action in denied else "allowed",
                }
                for action in ACTIONS
            ]
        },
        {"PolicySourceArn": source, "ActionNames": list(ACTIONS)},
    )


def test_what_the_developer_may_not_do_is_listed() -> None:
    aws = cloud()
    with Stubber(aws.client("iam")) as stub:
        simulated(stub, aws.principal_arn)
        assert check_permissions(aws).ok is True
        simulated(stub, aws.principal_arn, ("iam:PassRole",))
        check = check_permissions(aws)
    assert check.ok is False
    assert check.detail.endswith("may not: iam:PassRole")


def test_what_a_developer_must_be_allowed_to_do_depends_on_what_runs_the_jobs(
    tmp_path: Path,
) -> None:
    (tmp_path / "work.py").write_text("def handler(payload): ...\n")
    with loading(tmp_path):
        app = App("demo")
        Job(app, "one", handler="work.handler", compute=Batch())
        assert actions_of(app) == actions_of(None) == ACTIONS
        Job(app, "two", handler="work.handler")
        assert set(actions_of(app)) - set(ACTIONS) == {"codebuild:CreateProject"}


def test_for_a_role_s_session_the_role_is_simulated() -> None:
    aws = cloud("arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Dev_1/jane")
    arn = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Dev_1"
    role = {
        "Path": "/",
        "RoleName": "AWSReservedSSO_Dev_1",
        "RoleId": "AROAAAAAAAAAAAAAAAAAA",
        "Arn": arn,
        "CreateDate": "2024-01-01T00:00:00Z",
    }
    with Stubber(aws.client("iam")) as stub:
        stub.add_response("get_role", {"Role": role}, {"RoleName": "AWSReservedSSO_Dev_1"})
        simulated(stub, arn)
        assert check_permissions(aws).ok is True


def test_permissions_that_may_not_be_asked_for_are_unknown_and_no_failure() -> None:
    aws = cloud()
    with Stubber(aws.client("iam")) as stub:
        stub.add_client_error("simulate_principal_policy", "AccessDenied", "no")
        assert check_permissions(aws).ok is None


def test_the_root_user_is_not_simulated() -> None:
    assert check_permissions(cloud("arn:aws:iam::123456789012:root")).ok is True


@pytest.mark.parametrize(("ok", "mark"), [(True, "ok"), (False, "FAIL"), (None, "-")])
def test_a_line_has_its_mark_and_its_remedy_below(ok: bool | None, mark: str) -> None:
    text = click.unstyle(line(Check("disk", ok, "1 GB free", "make room")))
    first, second = text.splitlines()
    assert first.split() == [mark, "disk", "1", "GB", "free"]
    assert second.strip() == "to do: make room"


def test_jobs_that_get_fresh_interpreters_are_named(app: Path) -> None:
    folder = app / ".devbridge" / "s"
    folder.mkdir(parents=True)
    why = "socket.socket was replaced before ssl was imported"
    (folder / "fresh_jobs.json").write_text(json.dumps({"crawl": why}))
    found = checks("--local", "--app", app, "--stage", "s", "--python", sys.executable)
    assert found["slow start"]["detail"] == f"crawl gets a fresh interpreter for each run: {why}"
    (folder / "fresh_jobs.json").write_text("[broken")
    found = checks("--local", "--app", app, "--stage", "s", "--python", sys.executable)
    assert "slow start" not in found


def test_a_stage_that_was_last_on_the_embedded_cloud_is_looked_for_there(app: Path) -> None:
    remember(config_of(app, {"stage": "s"}, {}), local=True)
    given = ("--app", app, "--stage", "s", "--python", sys.executable)
    found = checks(*given)
    assert found["cloud"]["detail"] == "the embedded one, as last time; AWS with --profile"
    assert found["running"]["ok"] is None
    assert "devbridge cloud start" in found["running"]["detail"]
    assert "identity" not in found
    assert "cloud" not in checks(*given, "--profile", "work")
