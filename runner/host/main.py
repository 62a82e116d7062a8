"""The process that runs a run where it has a machine of its own: all but a Lambda function."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from runner import process
from runner.attempt import Inbox, Output
from runner.host import worker
from runner.host.base import Host
from runner.host.codebuild import CodeBuildHost
from runner.host.container import ContainerHost
from runner.host.lines import Lines
from runner.host.run import Run
from runner.host.settings import Settings


def main() -> int:
    """Run the job as the environment says; the process's exit code."""
    if worker.QUEUE in os.environ:
        return worker.main()
    settings, inbox = Settings.read(os.environ), Inbox()
    inbox.listen()
    process.adopt_orphans()
    lines = Lines(Output(), settings.run_id)
    run = Run(settings, host_of(settings, os.environ, lines), inbox, lines)
    try:
        end = run.go(os.environ)
    finally:
        if sys.platform == "linux":
            process.kill_children()
    return run.close(end)


def host_of(settings: Settings, environment: Mapping[str, str], lines: Lines) -> Host:
    """Where this is."""
    if environment.get("DEVBRIDGE_COMPUTE", "codebuild") == "codebuild":
        return CodeBuildHost(settings, environment, lines)
    return ContainerHost(settings, environment)
