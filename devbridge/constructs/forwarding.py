"""``log_forwarding=`` of a job or function: what it may be."""

from __future__ import annotations

from typing import Final, Literal

from devbridge.constructs import values
from devbridge.constructs.app import App, Construct
from devbridge.sources.base import Problem

Forwarding = str | Construct | Literal[False] | None
"""An ARN, a Function or its name; False: nowhere; None: where the app says."""
ALLOWED: Final = f"a Function of this app, or {values.LOG_TARGET_ALLOWED}; False; None"


def forwarding_problem(app: App, value: object) -> Problem | None:
    """What is wrong with it, and what is allowed. Whether a name is one of a Function is known when
    all of them are made: see `devbridge.constructs.log_targets`."""
    if value is None or value is False or values.log_target(value):
        return None
    if isinstance(value, Construct) and value.type == "Function" and value.app is app:
        return None
    return repr(value), ALLOWED
