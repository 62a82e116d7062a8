"""The handler of a Lambda function that runs a job: see `runner.host.hops`."""

from __future__ import annotations

import os
import sys

# The app's files, which are beside the runner, may have names of the standard library.
if _root := os.environ.get("LAMBDA_TASK_ROOT"):
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != os.path.abspath(_root)]

from runner.host.hops import handle as handler

__all__ = ["handler"]
