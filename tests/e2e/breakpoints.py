"""Runs that debuggers stop, as they are started and asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.dev_process import run


def start(app: Path, job: str, payload: object = None) -> str:
    """Start a run; its id."""
    done = run(
        app, "invoke", job, "--payload", json.dumps(payload), "--stage", "dev", "--local", "--json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(json.loads(done.stdout)["id"])


def status(app: Path, job_id: str) -> dict[str, Any]:
    """What is known of a run."""
    done = run(app, "status", job_id, "--json", "--stage", "dev", "--local")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
