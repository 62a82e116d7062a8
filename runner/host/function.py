"""The handler of a Lambda function that runs a job: what calls it is a hop of a run (see
`runner.host.hops`), or messages of a queue (see `runner.host.deliveries`)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

# The app's files, which are beside the runner, may have names of the standard library.
if _root := os.environ.get("LAMBDA_TASK_ROOT"):
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != os.path.abspath(_root)]

from runner.host import deliveries, hops


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry."""
    if "Records" in event:
        return deliveries.handle(event, context)
    return hops.handle(event, context)


__all__ = ["handler"]
