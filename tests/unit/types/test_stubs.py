from __future__ import annotations

import ast
from typing import Any

import pytest

import devbridge
from devbridge import job, resources
from devbridge.constructs import App, Bucket, Function, Table
from devbridge.types import JobTypes
from devbridge.types.annotations import Annotations
from devbridge.types.model import Instance
from devbridge.types.resources import kinds
from devbridge.types.stubs import stubs
from tests.unit.types.conftest import AddJob

INT = {"type": "integer"}


ITEM = {"type": "object", "properties": {"a": INT}, "required": ["a"]}


def test_an_object_is_a_typed_dict_and_names_are_used_once() -> None:
    file = Annotations(taken={"JPayload"})
    of = file.of(
        {
            "$ref": "#/$defs/m.Top",
            "$defs": {
                "m.Top": {
                    "type": "object",
                    "description": 'What "it" is\n\nmore',
                    "properties": {
                        "item": {"$ref": "#/$defs/Item"},
                        "again": {"$ref": "#/$defs/m.Top"},
                        "other": ITEM,
                    },
                    "required": ["item"],
                },
                "Item": {
                    "type": "object",
                    "properties": {"a-b": INT, "class": INT},
                    "required": ["a-b"],
                },
            },
        },
        "J",
        "Payload",
        sent=True,
    )
    assert of == "JPayload_"
    assert "\n".join(file.definitions) == (
        "class JPayload_(TypedDict):\n"
        '    """What "it" is"""\n'
        "    item: ReadOnly[JItem]\n"
        "    again: NotRequired[ReadOnly[JPayload_]]\n"
        "    other: NotRequired[ReadOnly[JPayload_Other]]\n"
        "\n"
        'JItem = TypedDict(\n    "JItem",\n    {\n'
        '        "a-b": ReadOnly[int],\n        "class": NotRequired[int],\n    },\n)\n'
        "\n"
        "class JPayload_Other(TypedDict):\n    a: ReadOnly[int]\n"
    )


def test_every_name_that_the_modules_export_is_in_their_stubs(app: App) -> None:
    made = stubs(app, {})
    own = set(job.__all__) - {"JobContext"}  # which is the real one
    assert defined(made["typings/devbridge/job.pyi"]) >= own
    assert "import JobContext as JobContext" in made["typings/devbridge/job.pyi"]
    public = {
        name
        for name, value in vars(resources).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == resources.__name__
    }
    public -= {"B"}
    assert defined(made["typings/devbridge/resources.pyi"]) >= public | set(kinds())
    package = made["typings/devbridge/__init__.pyi"]
    for name in devbridge.__all__:
        assert f"from devbridge.constructs import {name} as {name}\n" in package


def defined(stub: str) -> set[str]:
    return {
        node.name
        for node in ast.parse(stub).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }


def attributes(stub: str, name: str) -> dict[str, str]:
    (found,) = (
        node
        for node in ast.parse(stub).body
        if isinstance(node, ast.ClassDef) and node.name == name
    )
    return {
        ast.unparse(item.target): ast.unparse(item.annotation)
        for item in found.body
        if isinstance(item, ast.AnnAssign)
    }


def test_only_what_something_binds_has_an_attribute(app: App) -> None:
    (app.root / "api.py").write_text("def handler(event, context): ...\n")
    bound = Table(app, "my-notes", partition_key="id")
    Table(app, "other", partition_key="id")
    keyword = Bucket(app, "class")
    first = Function(app, "first", handler="api.handler", bind=[bound, keyword])
    Function(app, "second", handler="api.handler", bind=[bound, first])
    made = stubs(app, {})["typings/devbridge/resources.pyi"]
    assert attributes(made, "Table") == {"my_notes": "ClassVar[BoundTable]"}
    assert attributes(made, "Function") == {"first": "ClassVar[BoundFunction]"}
    assert attributes(made, "Bucket") == {}
    assert '"""A bound DynamoDB table."""' in made


def test_every_job_has_an_attribute_and_its_name_in_job_handler(app: App, add_job: AddJob) -> None:
    for name in ("a-b", "lambda", "other"):
        add_job(name, "def handler(event): ...")
    types = {
        "a-b": JobTypes(
            payload={**ITEM, "additionalProperties": False},
            result=INT,
            instances=(Instance("m.JobRun", "dataclass", {"a": "int"}),),
        ),
        "other": JobTypes(payload={"anyOf": [INT, {"type": "null"}]}),
    }
    made = stubs(app, types)["typings/devbridge/job.pyi"]
    assert attributes(made, "Job") == {
        "a_b": "ClassVar[_BoundJob[ABPayload | ABJobRun, int]]",
        "other": "ClassVar[_BoundJobWithDefault[int | None, Any]]",
    }
    assert "def job_handler(name: Literal['a-b', 'lambda', 'other'] | None=None, **options" in made
    assert "class ABJobRun(Protocol):\n" in made


@pytest.mark.parametrize(
    ("schema", "optional"),
    [
        ({"type": "null"}, True),
        ({"anyOf": [{"type": "null"}, INT]}, True),
        ({"enum": ["x | None | y", "z"]}, False),
        ({"type": "array", "items": {"anyOf": [INT, {"type": "null"}]}}, False),
        (INT, False),
    ],
)
def test_a_payload_is_left_out_where_it_may_be_none(
    schema: dict[str, Any], optional: bool, app: App, add_job: AddJob
) -> None:
    add_job("a", "def handler(event): ...")
    instances = (Instance("m.Order", "dataclass", {}),)
    made = stubs(app, {"a": JobTypes(payload=schema, instances=instances)})
    (of,) = attributes(made["typings/devbridge/job.pyi"], "Job").values()
    assert of.startswith("ClassVar[_BoundJobWithDefault[") == optional


def test_names_of_jobs_and_fields_hide_no_builtins(app: App, add_job: AddJob) -> None:
    for name in ("list", "int", "other"):
        add_job(name, "def handler(event): ...")
    house = Instance("m.House", "dataclass", {"property": "str", "object": "object", "a": "int"})
    types = {
        "list": JobTypes(payload={**ITEM, "additionalProperties": False}, instances=(house,)),
        "int": JobTypes(payload=INT, result={"type": "array", "items": {"type": "string"}}),
        "other": JobTypes(payload=INT),
    }
    made = stubs(app, types)["typings/devbridge/job.pyi"]
    assert attributes(made, "Job") == {
        "list": "ClassVar[_BoundJob[ListPayload | ListHouse, Any]]",
        "int": "ClassVar[_BoundJob[builtins.int, builtins.list[str]]]",
        "other": "ClassVar[_BoundJob[builtins.int, Any]]",
    }
    assert "    @builtins.property\n    def object(self) -> builtins.object: ...\n" in made
    assert "    @builtins.property\n    def a(self) -> int: ...\n" in made
    assert "\nimport builtins\n" in made


@pytest.mark.parametrize(
    ("form", "field", "line"),
    [
        ("pydantic", "property", "@builtins.property\n    def model_fields_set(self) -> set[str]"),
        ("pydantic", "set", "@property\n    def model_fields_set(self) -> builtins.set[str]"),
        ("dataclass", "dict", "__dataclass_fields__: ClassVar[builtins.dict[str, Any]]"),
        ("struct", "str", "__struct_fields__: ClassVar[tuple[builtins.str, ...]]"),
    ],
)
def test_fields_hide_no_builtins_from_what_instances_are_known_by(
    form: str, field: str, line: str, app: App, add_job: AddJob
) -> None:
    add_job("a", "def handler(event): ...")
    types = {"a": JobTypes(payload=INT, instances=(Instance("m.M", form, {field: "object"}),))}
    assert f"    {line}" in stubs(app, types)["typings/devbridge/job.pyi"]


def test_a_class_without_ascii_letters_has_a_name_of_its_job(app: App, add_job: AddJob) -> None:
    add_job("a", "def handler(event): ...")
    types = {"a": JobTypes(payload=INT, instances=(Instance("m.Ж", "dataclass", {}),))}
    made = stubs(app, types)["typings/devbridge/job.pyi"]
    assert attributes(made, "Job") == {"a": "ClassVar[_BoundJob[int | AInstance, Any]]"}
    assert "class AInstance(Protocol):\n" in made


def test_an_app_without_jobs_has_no_name_for_a_handler(app: App) -> None:
    made = stubs(app, {})["typings/devbridge/job.pyi"]
    assert "def job_handler(name: Never | None=None, **options: Any)" in made
