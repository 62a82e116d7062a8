"""What a handler leaves behind: one line for each thing that it did, in one file for each job."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def note(what: str, job: str, job_id: str, attempt: int, **more: object) -> None:
    """One write of one line, so that lines of many processes do not mix."""
    line = {"what": what, "id": job_id, "attempt": attempt, "pid": os.getpid(), "at": time.time()}
    file = Path(os.environ["CHAOS_EFFECTS"]) / f"{job}.jsonl"
    fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, (json.dumps(line | more) + "\n").encode())
    finally:
        os.close(fd)


def tick(context: Any, seconds: float) -> None:
    """Stay for a while, and leave a sign of life every 50 ms."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(0.05, left))
        note("tick", context.job_name, context.aws_request_id, context.attempt)


if __name__ == "__main__":  # a handler's child: signs of life for a minute
    for _ in range(600):
        time.sleep(0.1)
        note("child", sys.argv[1], sys.argv[2], int(sys.argv[3]))
