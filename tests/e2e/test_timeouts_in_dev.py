"""Short timeouts: of one `devbridge dev` and of a job; a deployed stage has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.errors import EXIT_APP, EXIT_JOB_TIMED_OUT
from tests.e2e.dev_process import DevProcess, command

APP = """\
from devbridge import App, Job

app = App("short")
Job(app, "nap", handler="jobs/nap.handler", timeout="4 minutes")
"""
NAP = """\
import time

def handler(payload, context):
    time.sleep(payload)
    return context.get_remaining_time_in_millis()
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "short"
    (root / "jobs").mkdir(parents=True)
    (root / "app.py").write_text(APP)
    (root / "jobs" / "nap.py").write_text(NAP)
    return root


def test_an_attempt_has_the_time_that_dev_was_given_and_deploy_refuses_a_short_one(
    app: Path,
) -> None:
    with DevProcess(app, "--local", "--timeout", "2s") as dev:
        dev.wait_for(r"^an attempt may take 2 seconds here, whatever its job says$")
        dev.wait_for(r"^Ready")
        invoke = ("invoke", "nap", "--local", "--wait", "--payload")
        quick = command(app, *invoke, "0")
        assert quick.returncode == 0, quick.stderr
        left = int(quick.stdout.rpartition("result ")[2])
        assert 0 < left <= 2000
        slow = command(app, *invoke, "60")
        assert slow.returncode == EXIT_JOB_TIMED_OUT
        dev.wait_for(r"Timed out")
        for asked in (("deploy", "--yes"), ("diff",)):
            refused = command(app, *asked, "--local", "--stage", "prod")
            assert refused.returncode == EXIT_APP
            assert "too short for a deployed stage: Job 'nap': 4 minutes" in refused.stderr
            assert "where: app.py:4" in refused.stderr
            assert "allowed there: 5 minutes to 36 hours" in refused.stderr
        assert dev.interrupt() == 0
    assert command(app, "synth").returncode == EXIT_APP
    assert command(app, "synth", "--dev").returncode == 0
