from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.constructs import App, EventBus, Function
from devbridge.constructs.app import loading
from tests.unit.deploy.templates import allowed, lint, made, of_type, properties


@pytest.mark.parametrize("name", ["shop", "A" * 40])
def test_a_bus_is_named_after_its_app_and_stage(name: str, root: Path) -> None:
    with loading(root):
        app = App("demo", tags={"team": "data"})
        EventBus(app, name)
    template = made(app, stage="prod")
    assert lint(template) == []
    (bus,) = of_type(template, "AWS::Events::EventBus").values()
    assert bus["Properties"] == {
        "Name": f"demo_prod_{name}",
        "Tags": [{"Key": "team", "Value": "data"}],
    }


def test_the_accounts_own_bus_is_used_and_not_made(root: Path) -> None:
    arn = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
    with loading(root):
        app = App("demo")
        bus = EventBus.existing(app, "default", arn=arn)
        Function(app, "f", handler="api/start.handler", bind=[bus], environment={"BUS": bus.arn})
    template = made(app, mode="deployed")
    assert lint(template) == []
    assert not of_type(template, "AWS::Events::EventBus")
    assert allowed(template, "FFunctionRole")["events:PutEvents"] == [arn]
    assert properties(template, "FFunction")["Environment"]["Variables"] == {
        "BUS": arn,
        "DEVBRIDGE_EventBus_busName_default": "default",
    }
