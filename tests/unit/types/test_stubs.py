from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import devbridge
from devbridge import job, resources
from devbridge.constructs import App, Bucket, Function, Table
from devbridge.errors import DevbridgeError
from devbridge.types import JobTypes, outdated, write
from devbridge.types.annotations import Annotations
from devbridge.types.probe import Instance
from devbridge.types.resources import kinds
from devbridge.types.stubs import stubs
from tests.unit.types.conftest import AddJob

INT = {"type": "integer"}
ITEM = {"type": "object", "properties": {"a": INT}, "required": ["a"]}


@pytest.mark.parametrize(
    ("schema", "sent", "received"),
    [
        ({}, "Any", "Any"),
        ({"type": "null"}, "None", "None"),
        ({"type": "number"}, "float", "float"),
        ({"type": "string", "format": "date-time"}, "str", "str"),
        ({"type": "array"}, "_Array[Any]", "list[Any]"),
        ({"type": "array", "items": INT}, "_Array[int]", "list[int]"),
        (
            {"type": "array", "prefixItems": [INT, {}], "minItems": 2, "maxItems": 2},
            "tuple[int, Any] | _List[Any]",
            "list[Any]",
        ),
        (
            {"type": "array", "prefixItems": [INT, INT], "minItems": 1, "maxItems": 2},
            "_Array[Any]",
            "list[Any]",
        ),
        ({"type": "object"}, "Mapping[str, Any]", "dict[str, Any]"),
        (
            {"type": "object", "additionalProperties": INT},
            "Mapping[str, int]",
            "dict[str, int]",
        ),
        ({**ITEM, "additionalProperties": True}, "Mapping[str, Any]", "dict[str, Any]"),
        ({"anyOf": [{"type": "null"}, INT, INT]}, "int | None", "int | None"),
        ({"oneOf": [INT, {}]}, "Any", "Any"),
        ({"type": ["string", "null"]}, "str | None", "str | None"),
        ({"enum": ["a", 1, None]}, "Literal['a', 1, None]", "Literal['a', 1, None]"),
        ({"const": 1.5}, "float", "float"),
        ({"enum": [{"a": 1}]}, "Any", "Any"),
    ],
)
def test_annotations(schema: dict[str, Any], sent: str, received: str) -> None:
    assert Annotations().of(schema, "J", "P", sent=False) == received
    assert Annotations().of(schema, "J", "P", sent=True) == sent


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


def test_a_key_that_is_the_name_of_a_type_hides_none() -> None:
    file = Annotations()
    properties = {"int": INT, "other": INT}
    file.of({"type": "object", "properties": properties, "required": []}, "J", "P", sent=False)
    assert file.definitions == [
        'JP = TypedDict(\n    "JP",\n    {\n        "int": NotRequired[int],\n'
        '        "other": NotRequired[int],\n    },\n)\n'
    ]


def test_a_list_of_itself_ends(app: App) -> None:
    schema = {
        "$ref": "#/$defs/A",
        "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}},
    }
    assert Annotations().of(schema, "J", "P", sent=False) == "list[Any]"


def test_every_name_that_the_modules_export_is_in_their_stubs(app: App) -> None:
    made = stubs(app, {})
    assert defined(made["typings/devbridge/job.pyi"]) >= set(job.__all__)
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
    assert "def job_handler(name: Literal['a-b', 'lambda', 'other'])" in made
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
    assert "def job_handler(name: Never)" in stubs(app, {})["typings/devbridge/job.pyi"]


def test_files_are_written_only_when_they_change(app: App, add_job: AddJob) -> None:
    folder = write(app, {})
    assert folder == app.root / "typings"
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    assert [p.name for p in files] == ["__init__.pyi", "job.pyi", "resources.pyi"]
    assert outdated(app, {}) == []
    before = {path: path.stat().st_mtime_ns for path in files}
    add_job("factorial", "def handler(event): ...")
    assert outdated(app, {}) == [folder / "devbridge" / "job.pyi"]
    write(app, {})
    changed = [path.name for path in files if path.stat().st_mtime_ns != before[path]]
    assert changed == ["job.pyi"]


def test_a_stub_of_somebody_else_is_not_overwritten(app: App) -> None:
    own = app.root / "typings" / "devbridge" / "job.pyi"
    own.parent.mkdir(parents=True)
    own.write_text("mine = 1\n")
    with pytest.raises(DevbridgeError, match="did not write"):
        write(app, {})
    assert own.read_text() == "mine = 1\n"
    assert [p.name for p in own.parent.iterdir()] == ["job.pyi"]


def test_a_stub_that_is_no_text_is_not_overwritten(app: App) -> None:
    own = app.root / "typings" / "devbridge" / "job.pyi"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"\xff")
    with pytest.raises(DevbridgeError, match="did not write"):
        write(app, {})
    assert own.read_bytes() == b"\xff"


def test_a_folder_in_the_place_of_a_stub_is_named(app: App) -> None:
    folder = app.root / "typings" / "devbridge" / "job.pyi"
    folder.mkdir(parents=True)
    for use in (outdated, write):
        with pytest.raises(DevbridgeError, match="cannot be read: Is a directory") as caught:
            use(app, {})
        assert caught.value.where == str(folder)


def test_a_folder_that_cannot_be_made_is_named(app: App) -> None:
    (app.root / "typings").write_text("")
    with pytest.raises(DevbridgeError) as caught:
        write(app, {})
    assert Path(str(caught.value.where)).is_relative_to(app.root)
