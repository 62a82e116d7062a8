"""Live as deployed: jobs in Python, in the places that are not the default."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.e2e.dev_and_deployed import *  # noqa: F403
from tests.e2e.dev_and_deployed import each_of
from tests.e2e.test_dev_and_deployed import language as language

PLACES = ("batch", "fargate", "lambda")

stage = each_of(*PLACES)


@pytest.fixture(scope="module")
def places() -> Sequence[str]:
    return PLACES
