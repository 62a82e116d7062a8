from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, EventBus
from devbridge.constructs.app import loading
from devbridge.errors import InvalidValue


def test_a_bus_has_a_name_and_no_more(tmp_path: Path) -> None:
    with loading(tmp_path):
        app = App("demo")
    bus = EventBus(app, "shop")
    assert app.constructs == [bus]
    assert (bus.arn.what, bus.bus_name.what) == ("arn", "bus_name")
    wrong: Any = "no function"
    with pytest.raises(InvalidValue, match="transform"):
        EventBus(app, "other", transform=wrong)
