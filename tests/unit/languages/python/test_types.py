from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Secret, Table
from devbridge.languages.python.types import probe
from devbridge.types import JobTypes, Slow, schemas
from runner import stuck
from tests.unit.types.conftest import AddJob
from tests.waiting import eventually, gone

PYTHON = Path(sys.executable)
FACTORIAL = """
    from dataclasses import dataclass
    from devbridge.job import job_handler

    @dataclass
    class Factorial:
        num: int

    @job_handler("factorial")
    def handler(payload: Factorial) -> int: ...
"""


def one(app: App, python: Path = PYTHON) -> JobTypes:
    (types,) = probe(app, python).values()
    return types


def test_a_payload_and_a_result_are_what_the_handler_declares(app: App, add_job: AddJob) -> None:
    add_job("factorial", FACTORIAL)
    types = one(app)
    assert types.warning == ""
    assert types.payload is not None
    assert types.payload["$defs"]["Factorial"]["properties"] == {"num": {"type": "integer"}}
    assert types.result == {"type": "integer"}
    (instance,) = types.instances
    assert (instance.name, instance.form) == ("jobs.factorial.Factorial", "dataclass")
    assert instance.fields == {"num": "int"}
    assert schemas({"factorial": types}).keys() == {"factorial"}


@pytest.mark.parametrize(
    ("signature", "payload", "result"),
    [
        ("()", None, None),
        ("(event, context)", None, None),
        ("(event: Any) -> Any", None, None),
        ("(event: dict[str, Any]) -> dict", None, None),
        ("(event: dict[str, object]) -> object", None, None),
        ("(event: object) -> None", None, {"type": "null"}),
        ("(event: str, context: 'Nowhere') -> bool", {"type": "string"}, {"type": "boolean"}),
        (
            "(event: list[int]) -> float",
            {"type": "array", "items": {"type": "integer"}},
            {"type": "number"},
        ),
        ("(*, event: int)", None, None),
        # A generator's result is what it returns, if it returns anything.
        ("(event) -> Generator[str, None, int]", None, {"type": "integer"}),
        ("(event) -> Iterator[str]", None, {"type": "null"}),
        ("(event) -> AsyncGenerator[str, None]", None, {"type": "null"}),
        ("(event) -> AsyncIterator[str]", None, {"type": "null"}),
        ("(event) -> Generator", None, None),
    ],
)
def test_signatures(signature: str, payload: Any, result: Any, app: App, add_job: AddJob) -> None:
    kind = "async def" if "float" in signature else "def"
    add_job(
        "plain",
        f"""
        from __future__ import annotations
        from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
        from typing import Any
        {kind} handler{signature}: ...
        """,
    )
    types = one(app)
    assert (types.payload, types.result, types.warning) == (payload, result, "")


def test_a_plain_handler_takes_what_comes_so_nothing_is_checked(app: App, add_job: AddJob) -> None:
    add_job("plain", "def handler(event: int) -> int: ...")
    types = one(app)
    assert types.payload == {"type": "integer"}
    assert schemas({"plain": types}) == {}


def test_a_plain_handler_that_declares_a_class_is_told_that_it_gets_a_dict(
    app: App, add_job: AddJob
) -> None:
    add_job("plain", FACTORIAL.replace('@job_handler("factorial")', ""))
    types = one(app)
    assert types.warning == (
        "its payload arrives as a dict, and unchecked: only @job_handler('plain') makes of it what"
        " the handler declares"
    )


def test_what_a_handler_returns_has_all_its_fields(app: App, add_job: AddJob) -> None:
    add_job(
        "done",
        """
        from dataclasses import dataclass, field
        import msgspec

        class Sparse(msgspec.Struct, omit_defaults=True):
            a: int = 0

        @dataclass
        class Done:
            sparse: Sparse
            errors: list[str] = field(default_factory=list)

        def handler(event: Done) -> Done: ...
        """,
    )
    types = one(app)
    assert types.payload
    assert types.result
    assert types.payload["$defs"]["Done"]["required"] == ["sparse"]
    assert types.result["$defs"]["Done"]["required"] == ["sparse", "errors"]
    assert types.result["$defs"]["Sparse"]["required"] == []


def test_a_result_may_lack_what_is_unset(app: App, add_job: AddJob) -> None:
    add_job(
        "done",
        """
        from dataclasses import dataclass
        from typing import Generic, TypeVar
        import msgspec
        from msgspec import UNSET, UnsetType

        T = TypeVar("T")

        class Page(msgspec.Struct, Generic[T], tag="page"):
            items: list[T] = []
            next: str | UnsetType = UNSET

        @dataclass
        class Box(Generic[T]):
            item: T | None = None
            note: int | UnsetType = UNSET

        @dataclass
        class Done:
            page: Page[int]
            box: Box[int]

        def handler(event) -> Done: ...
        """,
    )
    types = one(app)
    assert types.warning == ""
    assert types.result
    required = {name: of["required"] for name, of in types.result["$defs"].items()}
    assert required == {
        "Done": ["page", "box"],
        "Page_int_": ["type", "items"],
        "Box_int_": ["item"],
    }


def test_results_of_classes_with_one_name_have_all_their_fields(app: App, add_job: AddJob) -> None:
    (app.root / "other.py").write_text(
        "from dataclasses import dataclass\n\n@dataclass\nclass Done:\n    b: int = 0\n"
    )
    add_job(
        "done",
        """
        from dataclasses import dataclass
        import other

        @dataclass
        class Done:
            first: other.Done | None = None

        def handler(event) -> Done: ...
        """,
    )
    types = one(app)
    assert types.result
    assert {name: of["required"] for name, of in types.result["$defs"].items()} == {
        "jobs.done.Done": ["first"],
        "other.Done": ["b"],
    }


def test_the_tag_of_a_struct_outside_of_unions_may_be_missing(app: App, add_job: AddJob) -> None:
    add_job(
        "tagged",
        """
        import msgspec
        from devbridge.job import job_handler

        class Alone(msgspec.Struct, tag=True):
            a: int

        class Left(msgspec.Struct, tag=True):
            alone: list[Alone]

        class Right(msgspec.Struct, tag=True):
            a: int

        @job_handler("tagged")
        def handler(payload: Left | Right | None) -> Left | Right: ...
        """,
    )
    types = one(app)
    assert types.payload
    assert types.result
    assert {name: of["required"] for name, of in types.payload["$defs"].items()} == {
        "Alone": ["a"],
        "Left": ["type", "alone"],
        "Right": ["type", "a"],
    }
    assert types.result["$defs"]["Alone"]["required"] == ["type", "a"]


def test_a_dataclass_of_pydantic_and_what_holds_models_is_told_by_pydantic(
    app: App, add_job: AddJob
) -> None:
    add_job(
        "order",
        """
        from dataclasses import dataclass
        import pydantic
        from devbridge.job import job_handler

        @pydantic.dataclasses.dataclass
        class Line:
            count: int = pydantic.Field(gt=0)

        @dataclass
        class Order:
            line: Line

        @job_handler("order")
        def handler(payload: Order) -> Line: ...
        """,
    )
    types = one(app)
    assert types.warning == ""
    assert types.payload
    assert types.payload["$defs"]["Line"]["properties"]["count"]["exclusiveMinimum"] == 0
    assert types.result
    assert types.result["required"] == ["count"]


@pytest.mark.parametrize(
    ("kind", "name", "fields"),
    [
        ("Box[int]", "jobs.shapes.Box", {"item": "object"}),
        ("NewType('New', Order)", "jobs.shapes.Order", {"num": "int"}),
        ("TypeAliasType('Alias', Model | None)", "jobs.shapes.Model", {"num": "int"}),
        ("Point", "jobs.shapes.Point", {"x": "int"}),
    ],
)
def test_the_instances_of_a_payload_are_known(
    kind: str, name: str, fields: dict[str, str], app: App, add_job: AddJob
) -> None:
    add_job(
        "shapes",
        f"""
        from dataclasses import dataclass
        from typing import Generic, NewType, TypeVar
        from typing_extensions import TypeAliasType
        import attrs
        import pydantic

        class Model(pydantic.BaseModel):
            num: int

        T = TypeVar("T")

        @dataclass
        class Box(Generic[T]):
            item: T

        @dataclass
        class Order:
            num: int

        @attrs.define
        class Point:
            x: int

        Payload = {kind}
        def handler(event: Payload) -> None: ...
        """,
    )
    (instance,) = one(app).instances
    assert (instance.name, instance.fields) == (name, fields)


@pytest.mark.parametrize(
    "handler",
    [
        "timed(plain)",
        "functools.partial(timed(plain), more=1)",
        "Callable()",
        "Callable().method",
        "job_handler('calls')(timed(plain))",
        "job_handler('calls')(functools.partial(plain, more=1))",
    ],
)
def test_a_handler_is_found_behind_what_calls_it(handler: str, app: App, add_job: AddJob) -> None:
    (app.root / "deco.py").write_text(
        "import functools\n\n"
        "def timed(function):\n"
        "    @functools.wraps(function)\n"
        "    def inner(*args, **kwargs): ...\n"
        "    return inner\n"
    )
    add_job(
        "calls",
        f"""
        from __future__ import annotations
        import functools
        from dataclasses import dataclass
        from deco import timed
        from devbridge.job import job_handler

        @dataclass
        class Order:
            num: int

        class Callable:
            def __call__(self, payload: Order) -> int: ...
            def method(self, payload: Order) -> int: ...

        def plain(payload: Order, context=None, more=0) -> int: ...

        handler = {handler}
        """,
    )
    types = one(app)
    assert types.warning == "", "what wraps it may decode"
    assert types.payload is not None
    assert types.result == {"type": "integer"}


def test_pydantic_models_are_known_by_their_aliases_and_checked(app: App, add_job: AddJob) -> None:
    add_job(
        "order",
        """
        from pydantic import BaseModel, Field
        from devbridge.job import job_handler

        class Order(BaseModel):
            order_id: int = Field(alias="orderId")
            lines: list[str] = Field(default_factory=list)

        @job_handler("order")
        def handler(payload: list[Order] | Order) -> Order: ...
        """,
    )
    types = one(app)
    assert types.payload
    assert types.result
    assert types.accepted
    assert types.payload["$defs"]["Order"]["required"] == ["orderId"]
    assert types.result["required"] == ["orderId", "lines"]
    assert [(i.name, i.form, i.fields["order_id"]) for i in types.instances] == [
        ("jobs.order.Order", "pydantic", "int")
    ]


@pytest.mark.parametrize(
    "model",
    [
        "@field_validator('num', mode='before')\n    def parse(cls, value): return 1",
        "model_config = ConfigDict(validate_by_name=True)",
        "model_config = ConfigDict(str_to_lower=True)",
        "more: int = Field(0, validation_alias=AliasChoices('a', 'b'))",
        "@model_validator(mode='before')\n    @classmethod\n    def parse(cls, value): return {}",
    ],
)
def test_a_model_that_accepts_more_than_its_schema_says_is_not_checked(
    model: str, app: App, add_job: AddJob
) -> None:
    lines = [
        "from pydantic import *",
        "from devbridge.job import job_handler",
        "class Order(BaseModel):",
        "    num: int = Field(1, alias='number')",
        f"    {model}",
        "@job_handler('order')",
        "def handler(payload: Order): ...",
    ]
    add_job("order", "\n".join(lines))
    types = one(app)
    assert types.warning == ""
    assert types.payload is not None
    assert types.accepted is None


def test_the_tag_of_a_model_is_required_in_unions_that_it_decides(
    app: App, add_job: AddJob
) -> None:
    add_job(
        "home",
        """
        from dataclasses import dataclass
        from typing import Annotated, Literal
        from pydantic import BaseModel, Field
        from devbridge.job import job_handler

        class Cat(BaseModel):
            kind: Literal["cat"] = Field("cat", alias="theKind")

        class Dog(BaseModel):
            kind: Literal["dog"] = Field("dog", alias="theKind")
            size: int

        class Cow(BaseModel):
            kind: Literal["cow"] = Field("cow", alias="theKind")

        Pet = Annotated[Cat | Dog | Cow, Field(discriminator="kind")]

        class Home(BaseModel):
            pet: Pet
            pets: list[Pet] = []
            alone: Cow | None = None

        @job_handler("home")
        def handler(payload: Home) -> Cat: ...
        """,
    )
    types = one(app)
    assert types.warning == ""
    assert types.payload
    assert types.accepted
    for schema in (types.payload, types.accepted):
        assert {name: of.get("required", []) for name, of in schema["$defs"].items()} == {
            "Cat": ["theKind"],
            "Dog": ["size", "theKind"],
            "Cow": [],
        }


@pytest.mark.parametrize("kind", ["Enum", "IntFlag", "Flag"])
def test_an_enum_that_makes_members_by_itself_is_not_checked(
    kind: str, app: App, add_job: AddJob
) -> None:
    missing = """
            @classmethod
            def _missing_(cls, value):
                return cls.FIT
    """
    add_job(
        "e",
        f"""
        import enum
        from devbridge.job import job_handler

        class Mode(enum.{kind}):
            FIT = 1
            {missing if kind == "Enum" else ""}

        @job_handler("e")
        def handler(payload: list[Mode]): ...
        """,
    )
    types = one(app)
    assert types.payload is not None
    assert types.accepted is None


def test_a_variable_that_only_the_shell_has_is_named_with_the_line_that_adds_it(
    app: App, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "shells")
    add_job("reads", "import os\nURL = os.environ['DATABASE_URL']\ndef handler(payload): ...")
    assert one(app).warning == (
        "File \"jobs/reads.py\", line 2: KeyError: 'DATABASE_URL'; your shell has it, and jobs do"
        ' not get it: devbridge dev --env DATABASE_URL, or App(..., inherit=["DATABASE_URL"])'
    )
    assert probe(app, PYTHON, ("DATABASE_URL",))["reads"].warning == ""
    monkeypatch.delenv("DATABASE_URL")
    assert one(app).warning.endswith("KeyError: 'DATABASE_URL'")


def test_a_module_that_cannot_be_imported_is_named_with_its_line(app: App, add_job: AddJob) -> None:
    add_job("broken", "import os\n\nimport not_there\n\ndef handler(event): ...")
    add_job("factorial", FACTORIAL)
    types = probe(app, PYTHON)
    assert types["broken"] == JobTypes(
        warning="File \"jobs/broken.py\", line 3: ModuleNotFoundError: No module named 'not_there'",
        loaded=False,
    )
    assert types["factorial"].payload is not None


def test_a_handler_that_is_written_for_another_job_is_told(app: App, add_job: AddJob) -> None:
    add_job("double", FACTORIAL)
    assert one(app).warning == "each of its runs fails: its handler is for job 'factorial'"


def test_a_module_that_ends_python_takes_no_other_job_with_it(app: App, add_job: AddJob) -> None:
    add_job("first", "def handler(event: int): ...")
    add_job("ends", "import os\nos._exit(3)\ndef handler(event): ...")
    add_job("exits", "import sys\nsys.exit(4)\ndef handler(event): ...")
    add_job("last", "def handler(event: int): ...")
    types = probe(app, PYTHON)
    assert list(types) == ["first", "ends", "exits", "last"]
    assert types["first"].payload == types["last"].payload == {"type": "integer"}
    assert types["ends"].warning == "importing it ended Python with exit code 3"
    assert types["exits"].warning == (
        'File "jobs/exits.py", line 2: importing it ends Python: sys.exit(4)'
    )


def test_a_module_sees_the_arguments_that_it_sees_in_a_worker(app: App, add_job: AddJob) -> None:
    add_job(
        "arguments",
        """
        import argparse
        argparse.ArgumentParser(prog="none").parse_args()
        import sys
        assert sys.argv == ["runner"]
        def handler(event: int): ...
        """,
    )
    assert probe(app, PYTHON)["arguments"].warning == ""


def test_a_module_that_does_not_come_to_an_end_is_given_up(app: App, add_job: AddJob) -> None:
    add_job("endless", "import time\nwhile True: time.sleep(1)\ndef handler(event): ...")
    types = probe(app, PYTHON, timeout=1)
    assert types["endless"].warning == "importing it takes longer than 1 s"


def test_a_slow_import_is_told_with_the_line_that_it_is_at(
    app: App, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stuck, "NOTICES", (2.0, 2.1))
    (app.root / "deeper.py").write_text("import time\n\nwhile True:\n    time.sleep(9)\n")
    add_job("quick", "def handler(event): ...")
    add_job("endless", "import deeper\ndef handler(event): ...")
    told: list[Slow] = []
    types = probe(app, PYTHON, slow=told.append, stopped=lambda: len(told) == 2)
    assert [(slow.how, slow.at) for slow in told] == [
        ("importing jobs/endless.py", "deeper.py:4"),
        ("importing jobs/endless.py", ""),
    ]
    assert told[0].seconds >= 2
    assert types == {"quick": JobTypes(), "endless": JobTypes()}


def test_what_is_imported_ends_with_who_waits_for_it(app: App, add_job: AddJob) -> None:
    add_job(
        "endless",
        """
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(999)"])
        with open("pids", "w") as file:
            file.write(f"{os.getpid()} {child.pid}\\n")
        time.sleep(999)
        def handler(event): ...
        """,
    )

    def stopped() -> bool:
        with contextlib.suppress(FileNotFoundError):
            if (app.root / "pids").read_text().endswith("\n"):
                raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        probe(app, PYTHON, stopped=stopped)
    pids = [*map(int, (app.root / "pids").read_text().split())]
    assert eventually(lambda: gone(*pids))


def test_what_a_module_prints_and_starts_disturbs_nothing(app: App, add_job: AddJob) -> None:
    add_job(
        "noisy",
        """
        import os, sys, threading, time
        print("{}")
        os.write(1, b"{}\\n")
        print("error", file=sys.stderr)
        threading.Thread(target=time.sleep, args=(1000,)).start()
        def handler(event: int): ...
        """,
    )
    assert one(app) == JobTypes(payload={"type": "integer"})


def test_a_module_finds_what_its_job_binds_and_its_environment(app: App, add_job: AddJob) -> None:
    notes = Table(app, "my-notes", partition_key="id")
    add_job(
        "reads",
        """
        import os
        from devbridge.resources import Table
        NAME = Table.my_notes.table_name
        LEVEL = os.environ["LEVEL"]
        assert os.environ["DEVBRIDGE_JOB_NAME"] == "reads"
        assert os.getcwd() == os.path.dirname(os.path.dirname(__file__))
        def handler(event: int): ...
        """,
        bind=[notes],
        environment={"LEVEL": "info"},
    )
    assert one(app).warning == ""


def test_a_module_finds_the_environment_of_its_own_job(app: App, add_job: AddJob) -> None:
    for name in ("one", "two"):
        add_job(
            name,
            f"""
            import os
            assert os.environ["LEVEL"] == "{name}"
            assert ("ONLY_ONE" in os.environ) == ({name!r} == "one")
            def handler(event: int): ...
            """,
            environment={"LEVEL": name} | ({"ONLY_ONE": "1"} if name == "one" else {}),
        )
    assert [known.warning for known in probe(app, PYTHON).values()] == ["", ""]


def test_a_module_may_read_its_secrets_when_it_is_imported(app: App, add_job: AddJob) -> None:
    token = Secret(app, "api-token")
    add_job(
        "reads",
        """
        from devbridge.resources import Secret
        TOKEN = Secret.api_token.value
        assert isinstance(TOKEN, str)
        def handler(event: int): ...
        """,
        bind=[token],
    )
    assert one(app).warning == ""


def test_a_payload_type_that_cannot_be_decoded_is_named_with_its_line(
    app: App, add_job: AddJob
) -> None:
    add_job(
        "wrong",
        """
        from dataclasses import InitVar, dataclass
        from devbridge.job import job_handler

        @dataclass
        class Order:
            num: InitVar[int]

        @job_handler("wrong")
        def handler(payload: Order): ...
        """,
    )
    assert one(app).warning == (
        'File "jobs/wrong.py", line 9: InvalidValue: Order cannot be the type of a payload: '
        "dataclasses with `InitVar` fields are not supported"
    )


def test_the_developers_credentials_are_not_there(
    app: App, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_PROFILE", "x")
    add_job(
        "looks",
        """
        import os
        assert "AWS_ACCESS_KEY_ID" not in os.environ
        assert "AWS_PROFILE" not in os.environ
        def handler(event: int): ...
        """,
    )
    assert one(app).warning == ""


def test_a_type_without_a_schema_can_be_anything_and_is_named(app: App, add_job: AddJob) -> None:
    add_job("odd", "class Odd: ...\ndef handler(event: Odd) -> 'Nowhere': ...")
    types = one(app)
    assert (types.payload, types.result) == (None, None)
    assert types.warning == (
        "callers do not know its payload: Odd has no JSON Schema: type <class 'jobs.odd.Odd'> is "
        "not supported; callers do not know its result: its annotation cannot be resolved: "
        "name 'Nowhere' is not defined"
    )


def test_an_interpreter_without_packages_is_told_of(
    app: App, add_job: AddJob, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    add_job("factorial", FACTORIAL)
    add_job(
        "plain",
        """
        from dataclasses import dataclass
        @dataclass
        class Thing:
            a: int
        def handler(event: Thing) -> int: ...
        """,
    )
    types = probe(app, bare / "bin" / "python")
    assert types["factorial"].warning == (
        "File \"jobs/factorial.py\", line 3: ModuleNotFoundError: No module named 'devbridge'"
    )
    assert types["plain"] == JobTypes(
        result={"type": "integer"},
        instances=(),
        warning="callers do not know its payload: msgspec is not installed in the app's "
        "environment",
    )


def test_an_interpreter_that_is_not_there_is_told_of(app: App, add_job: AddJob) -> None:
    add_job("factorial", FACTORIAL)
    assert one(app, Path("/nowhere/python")).warning == (
        "/nowhere/python does not start: No such file or directory"
    )


def test_an_app_without_jobs_needs_no_interpreter(app: App) -> None:
    assert probe(app, Path("/nowhere/python")) == {}
