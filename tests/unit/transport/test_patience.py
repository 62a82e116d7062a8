from __future__ import annotations

import pytest

from devbridge.transport.base import Endpoint
from devbridge.transport.patience import FAR, NEAR, Patience, patience_for


def test_a_broker_on_this_machine_is_busy_where_another_ones_daemon_sleeps() -> None:
    assert patience_for(Endpoint("iot.example", "eu-west-1")) is FAR
    assert patience_for(Endpoint("localhost", "eu-west-1", dial=("127.0.0.1", 1))) is NEAR


@pytest.mark.parametrize("patience", [FAR, NEAR])
def test_nothing_begins_that_is_about_to_be_given_up(patience: Patience) -> None:
    assert patience.dead < patience.stale < patience.taken
