from __future__ import annotations

import pytest

import devbridge
from devbridge import resources
from devbridge.constructs import App, Config, Function, Job, Secret, Table
from devbridge.types.resources import bound_names, kinds, placeholders, properties
from tests.unit.types.conftest import AddJob


def test_each_kind_is_what_its_attributes_are() -> None:
    found = kinds()
    assert {"Table", "Secret", "Api"} <= found.keys() <= set(devbridge.__all__)
    for name, of in found.items():
        assert of.__name__ == f"Bound{name}"
        assert isinstance(getattr(resources, name).anything, of)


def test_the_properties_of_a_kind_are_read_from_variables() -> None:
    found = {name: [*properties(of)] for name, of in kinds().items()}
    assert found["Table"] == ["table_name"]
    assert found["Secret"] == ["_parameter"], "what users read is fetched, it is no variable"


@pytest.fixture
def bound(app: App, add_job: AddJob) -> App:
    notes = Table(app, "my-notes", partition_key="id")
    Table(app, "other", partition_key="id")
    key = Secret(app, "key")
    (app.root / "api.py").write_text("def handler(event, context): ...\n")
    hello = Function(app, "hello", handler="api.handler", bind=[notes, key])
    add_job("work", "def handler(event): ...", bind=[notes, hello])
    Config(app, "level", value="info")
    return app


def test_only_what_somebody_binds_is_bound_once_each(bound: App) -> None:
    found = bound_names(bound)
    assert found.keys() == kinds().keys()
    assert {kind: names for kind, names in found.items() if names} == {
        "Table": ["my-notes"],
        "Secret": ["key"],
        "Function": ["hello"],
    }


def test_a_job_that_is_bound_is_none_of_these_kinds(bound: App) -> None:
    (job,) = bound.of_type(Job)
    Function(bound, "starts", handler="api.handler", bind=[job])
    assert "work" not in [name for names in bound_names(bound).values() for name in names]


def test_all_that_could_be_bound_has_a_value_that_stands_for_one(bound: App) -> None:
    assert placeholders(bound) == {
        "DEVBRIDGE_Job_functionName_work": "work",
        "DEVBRIDGE_Table_tableName_my_notes": "my-notes",
        "DEVBRIDGE_Table_tableName_other": "other",
        "DEVBRIDGE_Secret_parameterName_key": "key",
        "DEVBRIDGE_Function_functionName_hello": "hello",
        "DEVBRIDGE_Config_value_level": "level",
    }
