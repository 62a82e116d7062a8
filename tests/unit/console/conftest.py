from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from devbridge.console.door import Door

from .stages import Browser, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def door(stage: Stage) -> AsyncIterator[Door]:
    made = Door(stage.subject, stage.heard)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def browser(door: Door) -> Browser:
    return await Browser.through(door)
