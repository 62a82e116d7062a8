"""What binding gives: exactly that, and how it is found at run time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import (
    App,
    Bindable,
    Config,
    Construct,
    FileSystem,
    Function,
    Job,
    Table,
)
from devbridge.constructs.app import loading
from devbridge.deploy import environment
from devbridge.deploy.bindings import Binding, Bindings, Output, Property
from devbridge.deploy.local_folders import folder_of
from devbridge.deploy.synth import Template
from devbridge.names import Mode
from tests.unit.deploy.bindable import ARN, GRANTS, VARIABLES, one_of_each
from tests.unit.deploy.templates import (
    DEVELOPER,
    allowed,
    lint,
    made,
    properties,
    resources,
    statements,
    variables,
)

ADDRESS = Output("Address", lambda title: f"address of {title}")
TABLES: Binding[Table] = Binding(
    (Property("address", ADDRESS), Property("where", lambda table, stage: f"{table.name}/{stage}")),
    lambda table, _stage: iter([(("a:Read", "a:Write"), [table.name, "shared"])]),
)
PLAIN: Binding[Config] = Binding((Property("value", lambda config, _stage: config.value),))


@pytest.fixture
def tables(root: Path) -> list[Bindable]:
    with loading(root):
        app = App("demo")
        return [
            Table(app, "a-b", partition_key="id"),
            Config(app, "colour", value="red"),
            Table(app, "c", partition_key="id"),
        ]


BINDINGS = Bindings([(Table, TABLES), (Config, PLAIN)])


def test_each_property_is_a_variable_of_its_type_and_name(tables: list[Bindable]) -> None:
    assert BINDINGS.variables(tables, "prod") == {
        "DEVBRIDGE_Table_address_a_b": "address of ABTable",
        "DEVBRIDGE_Table_where_a_b": "a-b/prod",
        "DEVBRIDGE_Config_value_colour": "red",
        "DEVBRIDGE_Table_address_c": "address of CTable",
        "DEVBRIDGE_Table_where_c": "c/prod",
    }


def test_what_is_deployed_can_be_looked_up_instead(tables: list[Bindable]) -> None:
    found = BINDINGS.variables(tables[:1], "prod", lambda target, of: f"{of.name} of {target}")
    assert found["DEVBRIDGE_Table_address_a_b"] == "Address of Table 'a-b'"


def test_what_is_permitted_alike_is_one_statement_without_repetitions(
    tables: list[Bindable],
) -> None:
    (statement,) = BINDINGS.grants(tables, "prod")
    assert statement["Action"] == ["a:Read", "a:Write"]
    assert statement["Resource"] == ["a-b", "shared", "c"]


def test_what_gives_no_permission_makes_no_statement(tables: list[Bindable]) -> None:
    assert BINDINGS.grants(tables[1:2], "prod") == []
    assert BINDINGS.grants([], "prod") == []
    assert BINDINGS.variables([], "prod") == {}


def test_a_type_that_gives_nothing_at_all_is_an_error(tables: list[Bindable]) -> None:
    with pytest.raises(LookupError, match="Config has no row"):
        Bindings([(Table, TABLES)]).grants(tables, "prod")


# --- the constructs that there are ---

MOUNTED = {"XFileSystem"}
"""Not everywhere: neither by CodeBuild, nor by functions without a VPC."""


@pytest.fixture
def everything(root: Path) -> tuple[App, dict[str, Construct]]:
    """An app with one of each that can be bound."""
    return one_of_each(root)


def without_logs(template: Template, role: str) -> dict[str, list[Any]]:
    return {
        action: where
        for action, where in allowed(template, role).items()
        if not action.startswith("logs:")
    }


@pytest.mark.parametrize("title", sorted(GRANTS.keys() - MOUNTED))
def test_binding_gives_exactly_this(
    title: str, everything: tuple[App, dict[str, Construct]]
) -> None:
    app, made_of = everything
    target: Any = made_of[title]
    Job(app, "job", handler="jobs/a.handler", bind=[target])
    Function(app, "function", handler="api/start.handler", bind=[target])
    template, deployed = made(app), made(app, mode="deployed")
    assert lint(template) == []
    assert without_logs(template, "JobJobRole") == GRANTS[title]
    assert without_logs(deployed, "FunctionFunctionRole") == GRANTS[title]
    found = variables(template, "JobJobProject")
    bound = found.keys() - {"DEVBRIDGE_APP", "DEVBRIDGE_STAGE", "DEVBRIDGE_JOB_NAME"}
    assert {key: found[key] for key in bound} == VARIABLES[title]
    for function in (
        properties(template, "FunctionFunctionCopy"),
        properties(deployed, "FunctionFunction"),
    ):
        assert function["Environment"]["Variables"] == VARIABLES[title]


def test_every_type_of_construct_is_tried(everything: tuple[App, dict[str, Construct]]) -> None:
    assert set(everything[1]) == set(GRANTS) == set(VARIABLES)


def test_no_policy_has_a_wildcard_that_is_not_below_its_own_name(
    everything: tuple[App, dict[str, Construct]],
) -> None:
    app, made_of = everything
    bind: Any = [made_of[title] for title in made_of if title not in MOUNTED]
    Job(app, "job", handler="jobs/a.handler", bind=bind)
    for mode in ("dev", "deployed"):
        template = made(app, mode=mode)
        for title, resource in resources(template).items():
            if resource["Type"] != "AWS::IAM::Role":
                continue
            for statement in statements(template, title):
                assert "*" not in "".join(statement["Action"])
                assert "*" not in statement["Resource"]


@pytest.mark.parametrize(
    ("mode", "trusted"),
    [
        ("dev", {"AWS": DEVELOPER}),
        ("deployed", {"AWS": {"Fn::Sub": f"{ARN}:iam::${{AWS::AccountId}}:root"}}),
    ],
)
def test_the_role_of_devbridge_bind_may_all_that_binding_gives(
    mode: Mode, trusted: dict[str, Any], everything: tuple[App, dict[str, Construct]]
) -> None:
    template = made(everything[0], mode=mode)
    assert lint(template) == []
    expected: dict[str, list[Any]] = {}
    for grant in GRANTS.values():
        for action, where in grant.items():
            expected[action] = expected.get(action, []) + where
    assert allowed(template, "BindRole") == expected
    (statement,) = properties(template, "BindRole")["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == trusted


def test_the_environment_of_a_stage_has_the_variables_of_everything(
    everything: tuple[App, dict[str, Construct]],
) -> None:
    outputs = {
        "XTable": "table-1",
        "XBucket": "bucket-1",
        "XQueue": "https://queue",
        "XTopic": "arn:topic",
        "XStream": "stream-1",
        "XEventBus": "bus-1",
        "XUserPool": "pool-1",
        "XUserPoolClient": "client-1",
        "XIssuer": "https://issuer",
        "XUrl": "https://api",
    }
    app, made_of = everything
    assert isinstance(made_of["XFileSystem"], FileSystem)
    assert environment(app, "dev", outputs) == {
        "DEVBRIDGE_Table_tableName_x": "table-1",
        "DEVBRIDGE_Bucket_bucketName_x": "bucket-1",
        "DEVBRIDGE_Queue_queueUrl_x": "https://queue",
        "DEVBRIDGE_Topic_topicArn_x": "arn:topic",
        "DEVBRIDGE_Stream_streamName_x": "stream-1",
        "DEVBRIDGE_EventBus_busName_x": "bus-1",
        "DEVBRIDGE_UserPool_userPoolId_x": "pool-1",
        "DEVBRIDGE_UserPool_clientId_x": "client-1",
        "DEVBRIDGE_UserPool_issuer_x": "https://issuer",
        "DEVBRIDGE_Secret_parameterName_key": "/devbridge/demo/dev/secrets/key",
        "DEVBRIDGE_Config_value_x": "blue",
        "DEVBRIDGE_FileSystem_path_x": str(folder_of(made_of["XFileSystem"], "dev")),
        "DEVBRIDGE_Function_functionName_x": "demo_dev_x-fn",
        "DEVBRIDGE_Api_url_x": "https://api",
        "DEVBRIDGE_Job_functionName_x": "demo_dev_x-invoker",
    }
