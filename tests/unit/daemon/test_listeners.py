"""Those who hear workers: of jobs, of functions, and whatever a Runtime API serves for."""

from __future__ import annotations

import inspect

import pytest

from devbridge.daemon import hearing
from devbridge.daemon.listeners import WorkerListener
from devbridge.daemon.pool import hearing as pool_hearing
from devbridge.workers.debugging import DebugListener


def methods(door: type) -> list[str]:
    return [name for name in vars(door) if not name.startswith("_")]


@pytest.mark.parametrize("kind", [hearing.Hearing, pool_hearing.Hearing])
@pytest.mark.parametrize("door", [WorkerListener, DebugListener])
def test_who_hears_workers_has_the_signatures(kind: type, door: type) -> None:
    for name in methods(door):
        found = inspect.signature(getattr(kind, name)).parameters
        assert [*found] == [*inspect.signature(getattr(door, name)).parameters], name


def test_everybody_who_hears_workers_is_called_by_their_id_first() -> None:
    for door in (WorkerListener, DebugListener):
        for name in methods(door):
            first, second, *_ = inspect.signature(getattr(door, name)).parameters
            assert (first, second) == ("self", "worker_id")
