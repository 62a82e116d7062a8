from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable
from typing import Annotated, Any, NewType

import attrs
import msgspec
import pydantic
import pytest
import typing_extensions

from devbridge.payload.kinds import (
    a,
    adapter_of,
    arguments,
    is_model,
    model_fields,
    name_of,
    parts,
    payload_parameter,
    renamed,
    resolved,
    signature,
    unwrapped,
)

if typing.TYPE_CHECKING:
    from decimal import Decimal


class Model(pydantic.BaseModel):
    a: int


@pydantic.dataclasses.dataclass
class Checked:
    a: int


@dataclasses.dataclass
class Plain:
    inner: list[Model]


class Keys(typing.TypedDict):
    inner: Model


@attrs.define
class Attrs:
    inner: Model


class Struct(msgspec.Struct):
    inner: Model | None


@dataclasses.dataclass
class Unresolvable:
    inner: Decimal


def handler(payload: Plain, more: Decimal) -> None: ...


def doubled(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def twice(*args: Any) -> Any:
        return function(*args), function(*args)

    return twice


class Handler:
    def __call__(self, payload: Plain) -> None: ...


def test_the_function_is_found_behind_decorators_partials_and_objects() -> None:
    assert unwrapped(handler) is handler
    assert unwrapped(doubled(doubled(handler))) is handler
    assert unwrapped(functools.partial(doubled(handler), more=1)) is handler
    assert unwrapped(Handler()) is Handler.__call__


def injecting(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(payload):  # type: ignore[no-untyped-def]
        return function(Handler(), payload)

    return wrapper


def renaming(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(event, context):  # type: ignore[no-untyped-def]
        return function(event)

    return wrapper


class Decorator:
    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)

    def __call__(self, event, context): ...  # type: ignore[no-untyped-def]


def behind(session: Handler, payload: Plain) -> None: ...


def untold(payload, context): ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize(
    ("decorated", "parameter"),
    [
        (handler, ("payload", "Plain")),
        (doubled(handler), ("payload", "Plain")),
        (renaming(handler), ("payload", "Plain")),
        (Decorator(handler), ("payload", "Plain")),
        (injecting(behind), ("payload", "Plain")),
        (doubled(injecting(behind)), ("payload", "Plain")),
        (functools.partial(behind, Handler()), ("payload", "Plain")),
        (Handler(), ("payload", "Plain")),
        (untold, ("payload", Any)),
        (renaming(untold), ("payload", Any)),
        (lambda *args: args, ("", Any)),
        (lambda: None, ("", Any)),
        (type, ("", Any)),
    ],
)
def test_the_payload_is_what_the_first_parameter_of_what_is_called_gets(
    decorated: Any, parameter: Any
) -> None:
    assert payload_parameter(decorated) == parameter


def test_what_takes_whatever_comes_takes_what_it_wraps_takes() -> None:
    assert [*getattr(signature(doubled(injecting(behind))), "parameters", ())] == ["payload"]
    assert arguments(doubled(injecting(behind))) == 1
    assert arguments(doubled(renaming(handler))) == 2


def test_an_annotation_is_resolved_though_another_one_cannot_be() -> None:
    assert resolved(doubled(handler), "payload", "Plain | None") == Plain | None
    with pytest.raises(NameError, match="Decimal"):
        resolved(handler, "more", "Decimal")


def test_what_an_annotation_says_besides_the_type_is_kept() -> None:
    kind = resolved(handler, "payload", "Annotated[int, 'more']")
    assert typing.get_args(kind) == (int, "more")


@pytest.mark.parametrize("kind", [Plain, Keys, Attrs, Struct, list[Plain], dict[str, Attrs | None]])
def test_a_type_is_made_of_what_its_fields_and_arguments_are(kind: Any) -> None:
    assert Model in parts(kind)
    assert int in parts(kind)


def test_a_field_that_cannot_be_resolved_hides_nothing_else() -> None:
    assert Unresolvable in parts(list[Unresolvable])


def test_a_type_of_itself_has_an_end() -> None:
    @dataclasses.dataclass
    class Node:
        again: list[Any]

    Node.__annotations__["again"] = list[Node]  # no module has its name
    assert Node in parts(Node)


def test_another_name_leads_to_the_type() -> None:
    new: Any = NewType("new", Model)  # type: ignore[misc]
    alias: Any = typing_extensions.TypeAliasType("alias", list[Model])
    assert renamed(new) is Model
    assert renamed(alias) == list[Model]
    assert renamed(int) is None
    assert Model in parts(new)
    assert Model in parts(Annotated[alias, "more"])


def test_only_what_pydantic_makes_is_a_model() -> None:
    assert is_model(Model)
    assert is_model(Checked)
    assert not any(map(is_model, (Plain, Struct, int, list[Model], Model(a=1), None)))


def test_a_model_and_a_dataclass_of_pydantic_have_fields() -> None:
    assert list(model_fields(Model)) == list(model_fields(Checked)) == ["a"]
    assert model_fields(int) == {}


def test_bytes_outside_of_models_are_base64_in_both_directions() -> None:
    adapter = adapter_of(dict[str, bytes])
    assert adapter.validate_json('{"a": "_w=="}') == {"a": b"\xff"}
    assert adapter.dump_python({"a": b"\xff"}, mode="json") == {"a": "_w=="}


def test_a_type_is_called_what_people_call_it() -> None:
    assert name_of(Model) == "Model"
    assert name_of(list[int] | None) == "list[int] | None"


@pytest.mark.parametrize(
    "said",
    [
        *("an Order", "a Row", "an int", "a float", "an OrderLine", "an Upload", "a list"),
        *("an SQSEvent", "a UUID", "a URL", "an HTTPCall", "a User", "a Unit", "an A", "a B"),
    ],
)
def test_a_name_has_its_article(said: str) -> None:
    assert a(said.partition(" ")[2]) == said
