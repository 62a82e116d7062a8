"""Live as deployed: jobs in Python, whose place is not the default one."""

from __future__ import annotations

import pytest

from tests.e2e.dev_and_deployed import *  # noqa: F403
from tests.e2e.dev_and_deployed import each_of, there_are
from tests.e2e.test_dev_and_deployed import language as language  # noqa: PLC0414 - a fixture

pytestmark = [pytest.mark.timeout(240), pytest.mark.matrix]
places = there_are("fargate")
stage = each_of("fargate")
