from __future__ import annotations

from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.corrections.templates import name_anew, spell_cors, tell_changes


@pytest.mark.parametrize("kind", ["AWS::DynamoDB::Table", "AWS::SQS::Queue"])
def test_each_new_table_and_queue_has_a_seed_of_its_own_for_its_name(kind: str) -> None:
    seed: ContextVar[str] = ContextVar("seed", default="")
    seeds: list[str] = []
    handlers = {
        each: {"create": lambda *arguments: seeds.append(seed.get()) or arguments}  # type: ignore[func-returns-value]
        for each in ("AWS::DynamoDB::Table", "AWS::SQS::Queue")
    }
    name_anew(SimpleNamespace(_NAME_SEED=seed, _RESOURCE_HANDLERS=handlers))
    assert handlers[kind]["create"]("T", {}, "stack") == ("T", {}, "stack")
    seed.set("")
    handlers[kind]["create"]("T", {}, "stack")
    assert len(set(seeds)) == 2
    assert all(seeds)
    seed.set("given")
    handlers[kind]["create"]("T", {}, "stack")
    assert seeds[-1] == "given"


def test_the_cors_of_an_api_is_spelled_as_its_gateway_reads_it() -> None:
    handlers: dict[str, Any] = {
        "create": lambda title, properties, stack: (title, properties, stack),
        "update": lambda physical, old, new, *rest: (physical, old, new, rest),
    }
    spell_cors(
        SimpleNamespace(
            _RESOURCE_HANDLERS={"AWS::ApiGatewayV2::Api": handlers},
            _pascal_to_camel=lambda value: {
                key[0].lower() + key[1:]: v for key, v in value.items()
            },
        )
    )
    pascal = {"Name": "api", "CorsConfiguration": {"AllowOrigins": ["*"]}}
    camel = {"Name": "api", "CorsConfiguration": {"allowOrigins": ["*"]}}
    assert handlers["create"]("A", pascal, "stack") == ("A", camel, "stack")
    assert handlers["create"]("A", {"Name": "api"}, "stack") == ("A", {"Name": "api"}, "stack")
    assert handlers["update"]("id", pascal, pascal, "stack") == ("id", pascal, camel, ("stack",))


def test_an_update_tells_what_it_changes_and_what_is_new_and_nothing_else() -> None:
    told: list[tuple[str, str]] = []
    resources: dict[str, Any] = {name: {"Properties": 1} for name in ("same", "other", "fails")}
    stacks = SimpleNamespace(
        _add_event=lambda _id, _name, title, _kind, status, *_, **__: told.append((title, status))
    )
    known = {"stack": {"_resources": resources}}
    tell_changes(SimpleNamespace(stacks=stacks, _stacks=known))

    def event(
        title: str, status: str, *rest: str, kind: str = "AWS::S3::Bucket", **more: str
    ) -> None:
        stacks._add_event("id", "stack", title, kind, status, *rest, **more)

    event("stack", "UPDATE_IN_PROGRESS", "User Initiated", kind="AWS::CloudFormation::Stack")
    for title, properties in {"same": 1, "other": 2, "new": 1}.items():
        event(title, "UPDATE_IN_PROGRESS")
        resources[title] = {"Properties": properties}
        event(title, "UPDATE_COMPLETE", physical_id="x")
    event("fails", "UPDATE_IN_PROGRESS")
    event("fails", "UPDATE_FAILED", "no")
    event("stack", "UPDATE_ROLLBACK_IN_PROGRESS", kind="AWS::CloudFormation::Stack")
    assert told == [
        ("stack", "UPDATE_IN_PROGRESS"),
        ("other", "UPDATE_IN_PROGRESS"),
        ("other", "UPDATE_COMPLETE"),
        ("new", "CREATE_IN_PROGRESS"),
        ("new", "CREATE_COMPLETE"),
        ("fails", "UPDATE_IN_PROGRESS"),
        ("fails", "UPDATE_FAILED"),
        ("stack", "UPDATE_ROLLBACK_IN_PROGRESS"),
    ]
