"""The app's stage for a test session: deployed in a process of its own, and removed with it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from devbridge.cloud.session import connect
from devbridge.constructs import App
from devbridge.deploy import environment, stack_values
from devbridge.deploy.deployed import shown
from devbridge.deploy.request import Request
from devbridge.deploy.settings import settings_of
from devbridge.deploy.specs import spec_of
from devbridge.emulator import state
from devbridge.emulator.install import install
from devbridge.errors import DevbridgeError
from devbridge.live.under_test import configured
from devbridge.names import OF_TESTS
from devbridge.pytest_plugin.process import StageProcess
from devbridge.pytest_plugin.stage import Stage


@contextlib.contextmanager
def started(app: App, say: Callable[[str], None]) -> Iterator[Stage]:
    """The app's stage, while the block runs. What is wrong and goes on is a warning.

    Args:
        say: is told how the embedded cloud is installed, if it is not yet.

    Raises:
        DevbridgeError: the cloud cannot be installed or started, or the app not deployed.
    """
    folder = Path(tempfile.mkdtemp(prefix="devbridge-pytest-"))
    try:
        config = configured(app.root, folder)
        install(config.python, say)
        process = StageProcess(config)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        process.wait_until_ready(lambda text: warnings.warn(text, stacklevel=2))
        if (running := state.read(config.cloud_dir)) is None:
            raise DevbridgeError("the embedded cloud of the tests is gone", where=str(folder))
        cloud = connect(config, running.endpoint_url)
        values = stack_values(cloud, app.name, OF_TESTS)
        settings = settings_of(Request.of(config, app, cloud, "dev"))
        stage = Stage(
            app,
            config,
            cloud,
            outputs=shown(values),
            names=environment(app, OF_TESTS, values),
            spec=lambda job: spec_of(job, cloud, settings, values, config.python),
            alive=process.check,
        )
        try:
            yield stage
        finally:
            stage.close()
    finally:
        process.stop()
