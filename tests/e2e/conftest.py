"""Asserts of tests that stand in a module without `test_` tell what they have compared, too."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.e2e.dev_and_deployed")
