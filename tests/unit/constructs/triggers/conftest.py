from __future__ import annotations

from collections.abc import Callable

import pytest

from devbridge.constructs import App, Job, Trigger
from devbridge.errors import InvalidValue

Refused = Callable[..., str]


@pytest.fixture
def refused(app: App) -> Refused:
    """What is said of triggers that are not allowed, and what is: `what`, then the remedy."""

    def ask(*triggers: Trigger) -> str:
        with pytest.raises(InvalidValue) as caught:
            Job(app, "see", handler="jobs/a.handler", triggers=triggers)
        assert str(caught.value.where).startswith("test_") or caught.value.where
        return f"{caught.value.what} | {caught.value.remedy}"

    return ask
