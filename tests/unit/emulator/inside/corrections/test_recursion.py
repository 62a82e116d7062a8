from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.corrections.recursion import count, stop_who_repeats
from tests.unit.emulator.inside.conftest import MakeModule


@pytest.mark.parametrize(
    ("chain", "number", "now"),
    [
        ("", 1, "f=1"),
        ("f=1", 2, "f=2"),
        ("g=3,f=15", 16, "g=3,f=16"),
        ("g=3", 1, "g=3,f=1"),
        ("f=nonsense", 1, "f=1"),
        ("17", 1, "17=0,f=1"),
    ],
)
def test_each_function_is_counted_for_itself(chain: str, number: int, now: str) -> None:
    assert count(chain, "f") == (number, now)


def test_the_function_that_comes_too_often_is_stopped(ministack: MakeModule) -> None:
    lambdas: Any = ministack(
        "services.lambda_svc",
        _INVOKE_DEPTH_HEADER="depth",
        MAX_INVOKE_DEPTH=16,
        _recursive_loop_drop=lambda name, function, depth: (name, depth),
        _invoke_depth=SimpleNamespace(),
    )
    stop_who_repeats()

    def invoke(name: str, sent: str) -> Any:
        depth = lambdas._inbound_invoke_depth({"depth": sent}) + 1
        dropped = lambdas._recursive_loop_drop(name, {}, depth)
        lambdas._invoke_depth.set(depth)
        return dropped, lambdas._invoke_depth.get()

    assert invoke("f", "") == (None, "f=1")
    assert invoke("f", "f=16") == (("f", 17), "f=17")
    assert invoke("g", "f=40") == (None, "f=40,g=1")
