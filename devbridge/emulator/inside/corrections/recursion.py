"""A chain of invocations is stopped when one function is in it too often: that one is stopped, as
on AWS. ministack stops whichever function is the 17th, though it may have been invoked once.

"If your function is invoked approximately 16 times in the same chain of requests, then Lambda
automatically stops the next function invocation in that request chain" (AWS Lambda's developer
guide, "Use Lambda recursive loop detection to prevent infinite loops").
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from typing import Any, Final

from ..host import ministack

MOST: Final = 16
"""Invocations of one function in a chain, unless it is allowed more."""

_chain: contextvars.ContextVar[str] = contextvars.ContextVar("chain", default="")
"""Who was invoked how often until here: ``name=2,other=1``."""


class Chain(str):
    """What came with a request, which ministack takes for a number that it adds one to."""

    __slots__ = ()

    def __add__(self, _one: Any) -> Chain:
        return self


class Carrier:
    """In the place of ministack's variable: what it sets is ignored, `stop_who_repeats` has set
    it."""

    def get(self) -> str:
        """What a function is given, to hand on."""
        return _chain.get()

    def set(self, _value: Any) -> None:
        """Nothing."""


def count(chain: str, name: str) -> tuple[int, str]:
    """How often the function is in the chain, with this time; and the chain from here on. Pure."""
    counts = {}
    for each in filter(None, chain.split(",")):
        key, _, number = each.partition("=")
        counts[key] = int(number) if number.isdecimal() else 0
    counts[name] = counts.get(name, 0) + 1
    return counts[name], ",".join(f"{key}={number}" for key, number in counts.items())


def stop_who_repeats() -> None:
    """Correct `services.lambda_svc`."""
    lambdas = ministack("services.lambda_svc")
    drop = lambdas._recursive_loop_drop

    def inbound(headers: Mapping[str, str]) -> Chain:
        return Chain(headers.get(lambdas._INVOKE_DEPTH_HEADER) or "")

    def dropped(name: str, function: Any, chain: str) -> Any:
        number, now = count(chain, name)
        _chain.set(now)
        return drop(name, function, lambdas.MAX_INVOKE_DEPTH + 1) if number > MOST else None

    lambdas._inbound_invoke_depth, lambdas._recursive_loop_drop = inbound, dropped
    lambdas._invoke_depth = Carrier()
