from __future__ import annotations

from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.corrections.templates import name_anew, spell_cors


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
