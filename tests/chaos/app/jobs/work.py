"""One handler for most jobs: it does what its payload says for this attempt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

from jobs import effects  # type: ignore[import-not-found]


class ChaosError(Exception):
    """What a job that shall fail raises."""


def handler(payload: dict[str, Any], context: Any) -> dict[str, Any]:
    job, job_id, attempt = context.job_name, context.aws_request_id, context.attempt
    effects.note("begin", job, job_id, attempt)
    steps = payload["do"]
    do = steps[min(attempt, len(steps)) - 1]
    seconds = payload.get("seconds", 0)
    if do == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if do == "children":
        command = [sys.executable, effects.__file__, job, job_id, str(attempt)]
        subprocess.Popen(command)
    if do == "loud":
        for number in range(payload["lines"]):
            print(f"{job_id} {number} {'x' * 100}")
    effects.tick(context, seconds)
    effects.note("end", job, job_id, attempt)
    if do == "raise":
        raise ChaosError(job_id)
    if do == "exit":
        sys.exit(3)
    if do == "crash":
        os._exit(7)
    if do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"number": payload["number"], "attempt": attempt}
