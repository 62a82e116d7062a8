from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.constructs import App, Config, Container, Function, Job, Secret, Table, Vpc
from devbridge.constructs.app import loading
from devbridge.deploy import specs
from devbridge.deploy.synth import Settings
from devbridge.languages.python import language
from devbridge.runs.model import FunctionSpec, JobSpec
from tests.unit.deploy.conftest import FakeCloud

SETTINGS = Settings("dev", "arn:aws:iam::123456789012:user/ann", "iot", "3.11")


def test_a_container_job_tells_the_daemon_its_command(root: Path) -> None:
    (root / "render").mkdir()
    (root / "render" / "Dockerfile").touch()
    with loading(root):
        app = App("demo")
        container = Container("render", cmd=["./run", "x"])
        Job(app, "a", runtime="container", container=container)
    values = {"ARole": "arn:aws-cn:iam::123456789012:role/x"}
    (spec,) = specs.job_specs(app, FakeCloud(), SETTINGS, values, Path(sys.executable))
    assert (spec.command, spec.command_dir) == (("./run", "x"), "render")
    assert spec.definition_arn == "arn:aws-cn:codebuild:eu-west-1:123456789012:project/demo_dev_a"


def test_on_a_laptop_install_is_a_folder_on_the_path(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def installed_path(requirements: object, *rest: object, **_: object) -> Path:
        asked.append(requirements)
        return Path("/installed")

    monkeypatch.setattr(language, "installed_path", installed_path)
    with loading(root):
        app = App("demo")
        Job(app, "a", handler="jobs/a.handler", install=["polars"])
    values = {"ARole": "arn:aws:iam::123456789012:role/x"}
    (spec,) = specs.job_specs(app, FakeCloud(), SETTINGS, values, Path(sys.executable))
    assert spec.environment["DEVBRIDGE_PATH"] == "/installed"
    assert asked == [("polars",)]


def test_a_spec_has_all_that_app_py_says_of_the_job(root: Path) -> None:
    with loading(root):
        app = App("demo")
        app.shell = {"EDITOR": "vi"}
        notes = Table(app, "notes", partition_key="id")
        Job(
            app,
            "a",
            handler="jobs/a.handler",
            bind=[notes],
            timeout="90 minutes",
            memory_size="7 GB",
            environment={"COLOUR": "red", "NOTES": notes.arn, "KEY": Secret(app, "key")},
            retries=2,
            retry_delay="10 seconds",
            concurrency=3,
        )
    values = {"ARole": "arn:aws:iam::123456789012:role/x", "NotesTable": "notes-1"}
    (spec,) = specs.job_specs(app, FakeCloud(), SETTINGS, values, Path(sys.executable))
    assert spec.environment["DEVBRIDGE_Table_tableName_notes"] == "notes-1"
    assert spec.environment["COLOUR"] == "red"
    assert spec.environment["NOTES"].endswith(":123456789012:table/notes-1")
    assert spec.environment["DEVBRIDGE_SECRETS"] == '{"KEY":"/devbridge/demo/dev/secrets/key"}'
    assert spec == JobSpec(  # noqa: S604 - it is no command's
        name="a",
        handler="jobs/a.handler",
        timeout=5400.0,
        memory_mb=7 * 1024,
        role_arn="arn:aws:iam::123456789012:role/x",
        environment=spec.environment,
        shell={"EDITOR": "vi"},
        definition_arn="arn:aws:codebuild:eu-west-1:123456789012:project/demo_dev_a",
        max_attempts=3,
        retry_delay=10.0,
        concurrency=3,
        build={"esbuild": {}, "install": ()},
    )


def test_only_live_jobs_of_a_dev_stage_run_on_the_laptop(root: Path) -> None:
    with loading(root):
        app = App("demo")
        Job(app, "a", handler="jobs/a.handler")
        Job(app, "b", handler="jobs/a.handler", enable_live_dev=False)
    values = {"ARole": "arn:aws:iam::123456789012:role/x"}
    python = Path(sys.executable)
    made = specs.job_specs(app, FakeCloud(), SETTINGS, values, python)
    assert [spec.name for spec in made] == ["a"]
    deployed = replace(SETTINGS, mode="deployed")
    assert specs.job_specs(app, FakeCloud(), deployed, values, python) == []


ROLE = "arn:aws:iam::123456789012:role/f"


def test_a_functions_spec_has_all_that_app_py_says_of_it(root: Path) -> None:
    with loading(root):
        app = App("demo")
        app.shell = {"EDITOR": "vi"}
        notes = Table(app, "notes", partition_key="id")
        Function(
            app,
            "f",
            handler="api/start.handler",
            bind=[notes],
            runtime="python3.12",
            timeout="90 seconds",
            memory_size="1 GB",
            environment={"COLOUR": "red", "NOTES": notes.arn},
            reserved_concurrency=3,
            vpc=Vpc(
                "vpc-0123456789abcdef0",
                subnets=["subnet-0123456789abcdef0"],
                security_groups=["sg-0123456789abcdef0"],
            ),
        )
    values = {"FFunctionRole": ROLE, "NotesTable": "notes-1"}
    found = specs.function_specs(app, FakeCloud(), SETTINGS, values, Path(sys.executable))
    spec = found.pop("f")
    assert found == {}
    assert spec.environment == {
        "COLOUR": "red",
        "NOTES": "arn:aws:dynamodb:eu-west-1:123456789012:table/notes-1",
        "DEVBRIDGE_Table_tableName_notes": "notes-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
    }
    assert spec == FunctionSpec(  # noqa: S604 - it is no command's
        name="f",
        handler="api/start.handler",
        timeout=90.0,
        memory_mb=1024,
        role_arn=ROLE,
        environment=spec.environment,
        shell={"EDITOR": "vi"},
        definition_arn="arn:aws:lambda:eu-west-1:123456789012:function:demo_dev_f-fn",
        runtime="python3.12",
        build={"esbuild": {}, "install": ()},
        stands_in=True,
        function_name="demo_dev_f-fn",
        log_group="/aws/lambda/demo_dev_f-fn",
        reserved=3,
        vpc=True,
    )


def test_a_function_that_says_nothing_has_the_stages_python_and_no_limit(root: Path) -> None:
    with loading(root):
        app = App("demo")
        Function(app, "f", handler="api/start.handler")
    values = {"FFunctionRole": ROLE}
    (spec,) = specs.function_specs(
        app, FakeCloud(), SETTINGS, values, Path(sys.executable)
    ).values()
    assert spec.environment == {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.11"}
    assert (spec.reserved, spec.vpc, spec.runtime) == (None, False, "")


def test_it_is_known_whose_deployed_code_stands_in(root: Path) -> None:
    with loading(root):
        app = App("demo")
        Function(app, "f", handler="api/start.handler")
        Function(app, "g", handler="api/start.handler", offline="error")
        Job(app, "a", handler="jobs/a.handler")
        Job(app, "b", handler="jobs/a.handler", offline="cloud")
    values = dict.fromkeys(("FFunctionRole", "GFunctionRole", "ARole", "BRole"), ROLE)
    there = (app, FakeCloud(), SETTINGS, values, Path(sys.executable))
    found = [*specs.function_specs(*there).values(), *specs.job_specs(*there)]
    assert [spec.name for spec in found if spec.stands_in] == ["f", "b"]


def test_only_live_functions_of_a_dev_stage_are_handled_on_the_laptop(root: Path) -> None:
    with loading(root):
        app = App("demo")
        Function(app, "f", handler="api/start.handler")
        Function(app, "g", handler="api/start.handler", enable_live_dev=False)
    values, python = {"FFunctionRole": ROLE}, Path(sys.executable)
    assert [*specs.function_specs(app, FakeCloud(), SETTINGS, values, python)] == ["f"]
    deployed = replace(SETTINGS, mode="deployed")
    assert specs.function_specs(app, FakeCloud(), deployed, {}, python) == {}


def test_binding_everything_gives_the_variables_of_all_that_can_be_bound(root: Path) -> None:
    with loading(root):
        app = App("demo")
        Table(app, "notes", partition_key="id")
        Secret(app, "x")
        Config(app, "x", value="red")
        Function(app, "f", handler="api/start.handler")
    assert specs.environment(app, "dev", {"NotesTable": "notes-1"}) == {
        "DEVBRIDGE_Table_tableName_notes": "notes-1",
        "DEVBRIDGE_Secret_parameterName_x": "/devbridge/demo/dev/secrets/x",
        "DEVBRIDGE_Config_value_x": "red",
        "DEVBRIDGE_Function_functionName_f": "demo_dev_f-fn",
    }


def test_an_output_that_the_stack_lacks_is_named(root: Path) -> None:
    with loading(root):
        app = App("demo")
        Table(app, "notes", partition_key="id")
    with pytest.raises(KeyError, match="NotesTable"):
        specs.environment(app, "dev", {})
