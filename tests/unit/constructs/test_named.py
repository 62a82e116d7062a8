"""Constructs by name, and what literals stand for."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import (
    App,
    Batch,
    Bindable,
    Bucket,
    Job,
    OnEvent,
    OnObject,
    Queue,
    Table,
    Vpc,
    triggers,
)
from devbridge.constructs.named import Named, built, classes
from devbridge.constructs.where import Where
from devbridge.errors import InvalidValue, UnknownBindTarget
from devbridge.sources.declared import Called


@pytest.fixture
def named(app: App) -> Named:
    Table(app, "notes", partition_key="id")
    Table(app, "files", partition_key="id")
    Bucket(app, "files")
    Queue(app, "orders")
    return Named(app, "Job 'a'", Where("jobs/a.py", 3), lambda _: ())


def call(what: str, /, *args: Any, **options: Any) -> Called:
    return Called(what, args, options, 7)


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("notes", Bindable, "Table 'notes'"),
        ("Table:files", Bindable, "Table 'files'"),
        ("Bucket:files", Bindable, "Bucket 'files'"),
        ("files", Bucket, "Bucket 'files'"),
    ],
)
def test_a_construct_is_found_by_name_and_where_needed_by_type(
    named: Named, text: str, kind: type[Bindable], found: str
) -> None:
    assert str(named.find("bind", text, (kind,))) == found


def test_what_is_not_made_yet_is_made(app: App) -> None:
    named = Named(
        app,
        "Job 'a'",
        Where("jobs/a.py", 3),
        lambda name: [Job(app, name, handler="jobs/a.handler")],
    )
    assert str(named.find("bind", "Job:b", (Bindable,))) == "Job 'b'"


def test_a_name_of_several_types_is_refused_with_what_to_write(named: Named) -> None:
    with pytest.raises(InvalidValue, match="bind 'files' is the name of several") as caught:
        named.find("bind", "files", (Bindable,))
    assert caught.value.remedy == "say which: 'Table:files' or 'Bucket:files'"
    assert caught.value.where == "jobs/a.py:3"


@pytest.mark.parametrize(
    ("text", "meant"),
    [("note", "notes"), ("Table:note", "Table:notes"), ("Tabel:notes", "Table:notes")],
)
def test_a_name_of_nothing_is_refused_with_what_was_meant(
    named: Named, text: str, meant: str
) -> None:
    with pytest.raises(UnknownBindTarget) as caught:
        named.find("bind", text, (Bindable,))
    assert f"did you mean '{meant}'?" in str(caught.value)
    assert "there are, so far: Table:notes, " in str(caught.value)


def test_an_app_without_any_construct_says_to_make_one(app: App) -> None:
    named = Named(app, "Job 'a'", Where("jobs/a.py", 3), lambda _: ())
    with pytest.raises(UnknownBindTarget, match=r"make it in app\.py, before"):
        named.find("bind", "notes", (Bindable,))


# --- literals ------------------------------------------------------------------------------------


def test_plain_values_stay_as_they_are(named: Named) -> None:
    for value in ("notes", 1, None, ["notes"], {"notes": "notes"}):
        assert built("environment", value, named) == value


def test_what_binds_is_a_list_of_constructs(named: Named) -> None:
    found = built("bind", ["notes", "orders", 1], named)
    assert [str(each) for each in found] == ["Table 'notes'", "Queue 'orders'", "1"]  # type: ignore[attr-defined]


def test_calls_are_made_with_constructs_where_the_class_has_them(named: Named) -> None:
    made = built("", call("OnObject", "files", prefix="orders"), named)
    assert isinstance(made, OnObject)
    assert (str(made.bucket), made.prefix) == ("Bucket 'files'", "orders")
    event = built("", call("OnEvent", {"source": ["orders"]}, name="notes"), named)
    assert event == OnEvent({"source": ["orders"]}, name="notes")
    assert built("compute", call("Batch", cpu=2, memory="7.5 GB"), named) == Batch(
        cpu=2, memory="7.5 GB"
    )


def test_a_vpc_is_made_of_literals(named: Named) -> None:
    found = built("vpc", call("Vpc", "vpc-1", subnets=["s"], security_groups=["g"]), named)
    assert found == Vpc("vpc-1", subnets=["s"], security_groups=["g"])


def test_every_trigger_that_is_exported_may_be_called() -> None:
    exported = {name for name in triggers.__all__ if name[0].isupper()} - {"KINDS", "Trigger"}
    assert classes().keys() == exported | {
        "Batch",
        "CodeBuild",
        "Fargate",
        "Lambda",
        "Vpc",
        "Workers",
    }


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (call("OnQueu", "orders"), r"OnQueu\(...\) is nothing .*; did you mean 'OnQueue'\?"),
        (call("Table", "x"), r"Table\(...\) is nothing that an option can have"),
        (call("OnQueue", "orders", batchsize=1), r"'batchsize'; did you mean 'batch_size'\?"),
        (call("OnQueue"), r"OnQueue\(...\) missing 1 required positional argument: 'queue'"),
        (call("Lambda", 1), r"Lambda\(...\) takes 1 positional argument but 2 were given"),
        (call("OnQueue", "orders", queue="orders"), "multiple values for argument 'queue'"),
    ],
)
def test_a_call_that_cannot_be_made_is_refused_at_its_line(
    named: Named, wrong: Called, said: str
) -> None:
    with pytest.raises(InvalidValue, match=said) as caught:
        built("triggers", [wrong], named)
    assert caught.value.where == "jobs/a.py:7"


def test_a_construct_of_another_type_is_nothing_to_listen_to(named: Named) -> None:
    with pytest.raises(UnknownBindTarget, match="OnQueue: queue 'notes'") as caught:
        built("triggers", [call("OnQueue", "notes")], named)
    assert caught.value.remedy == "there are, so far: Queue:orders"
