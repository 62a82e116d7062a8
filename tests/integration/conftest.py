"""Fixtures of the tests that need a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.integration.brokers import BOTH, STARTS, Broker, Proxy, running


@pytest.fixture(scope="module", params=BOTH)
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Broker]:
    """One for a file's tests, of each kind in turn."""
    with running(STARTS[request.param](tmp_path_factory.mktemp(request.param))) as started:
        yield started


@pytest.fixture
def proxy(broker: Broker) -> Iterator[Proxy]:
    """Something between a client and the broker that the test can cut."""
    with closing(Proxy(broker.port)) as started:
        yield started
