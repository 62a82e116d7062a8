from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import Api, App, Throttle
from devbridge.errors import InvalidValue

ROUTES = {"GET /": "api/start.handler"}


@pytest.mark.parametrize("throttle", [None, Throttle(0.1, 1), Throttle(10_000, 5000)])
def test_an_api_takes_a_throttle(app: App, throttle: Throttle | None) -> None:
    assert Api(app, "api", routes=ROUTES, throttle=throttle).throttle == throttle


@pytest.mark.parametrize(
    ("throttle", "named"),
    [
        (100, "100"),
        (Throttle(0, 1), "rate_limit 0"),
        (Throttle("100", 1), "rate_limit '100'"),  # type: ignore[arg-type]
        (Throttle(True, 1), "rate_limit True"),
        (Throttle(float("nan"), 1), "rate_limit nan"),
        (Throttle(1, 0), "burst_limit 0"),
        (Throttle(1, 1.5), "burst_limit 1.5"),  # type: ignore[arg-type]
        (Throttle(1, 1_000_001), "burst_limit 1000001"),
    ],
)
def test_one_that_api_gateway_does_not_take_is_refused(app: App, throttle: Any, named: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        Api(app, "api", routes=ROUTES, throttle=throttle)
    assert caught.value.what == f"Api 'api': throttle {named} is not allowed"
