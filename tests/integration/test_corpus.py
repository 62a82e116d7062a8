"""Four libraries, each in fresh interpreters, forked and deployed: the runs are the same."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.corpus import ways
from tests.corpus.libraries import LIBRARIES, SMALL, Library
from tests.integration.workers import PYTHON

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="linux only")


@pytest.mark.parametrize(
    "library", [one for one in LIBRARIES if one.name in SMALL], ids=lambda one: str(one.name)
)
async def test_a_library_makes_no_difference_between_ways_to_run(
    library: Library, tmp_path: Path
) -> None:
    assert await ways.compare(tmp_path, library, PYTHON) == []


def test_half_of_them_must_stay_fresh() -> None:
    assert [one.fresh for one in LIBRARIES if one.name in SMALL].count(True) == len(SMALL) // 2
