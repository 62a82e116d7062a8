from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from devbridge.daemon import inotify

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


def bursts(
    folder: Path, *, stop: asyncio.Event | None = None, quiet: float = 0.05, timeout: float = 10.0
) -> AsyncIterator[frozenset[Path]]:
    return inotify.changes(
        [folder], stop or asyncio.Event(), quiet=quiet, longest=1.0, timeout=timeout
    )


async def test_what_is_saved_together_comes_in_one_burst(tmp_path: Path) -> None:
    async with aclosing(bursts(tmp_path)) as changes:  # type: ignore[type-var]
        burst = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        (tmp_path / "a.py").write_text("1")
        (tmp_path / "new").write_text("2")
        (tmp_path / "new").replace(tmp_path / "b.py")
        assert {tmp_path / "a.py", tmp_path / "b.py"} <= await burst


async def test_a_file_that_is_still_being_written_is_not_told_of(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.touch()
    async with aclosing(bursts(tmp_path, timeout=0.05)) as changes:  # type: ignore[type-var]
        burst = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        with path.open("w") as file:
            file.write("half")
            file.flush()
            assert await burst == frozenset()
        assert await anext(changes) == {path}


async def test_it_ends_when_it_is_told_to_and_leaves_no_descriptor(tmp_path: Path) -> None:
    gc.collect()  # what other tests have left is not to go meanwhile
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    stop = asyncio.Event()
    ended = asyncio.ensure_future(anext(bursts(tmp_path, stop=stop), None))
    await asyncio.sleep(0)
    stop.set()
    assert await ended is None
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


async def test_a_directory_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await anext(bursts(tmp_path / "missing"))
