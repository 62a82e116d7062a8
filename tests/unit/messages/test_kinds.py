"""There is one table of kinds, and it has all of them."""

from __future__ import annotations

from typing import Any

from devbridge.constructs import App
from devbridge.constructs.triggering import Trigger
from devbridge.constructs.triggers import KINDS as NAMES
from devbridge.deploy.synth.triggers.known import ROWS
from devbridge.messages.kinds import KINDS, waits
from tests.unit.messages.apps import named


def test_each_kind_has_a_row_wherever_there_are_rows() -> None:
    made = {each.kind for each in _below(Trigger) if "kind" in vars(each)}
    deployed = [row.trigger.kind for row in ROWS]
    assert set(KINDS) == set(NAMES) == set(deployed) == made
    assert len(set(NAMES)) == len(NAMES)
    assert len(set(deployed)) == len(deployed)


def test_what_is_no_call_of_its_own_waits(unqueued: App) -> None:
    found = {each.kind: waits(each) for each in named(unqueued, "seen").triggers}
    assert found == {
        "stream": True,
        "table": True,
        "log": False,
        "request": False,
        "load-balancer": False,
    }


def _below(of: type[Any]) -> list[type[Any]]:
    found = of.__subclasses__()
    own = [each for each in found if each.__module__.startswith("devbridge.")]
    return [*own, *(each for one in own for each in _below(one))]
