"""`devbridge dev`, from the first line to the last: deploy, then live until somebody stops it.

This is what it takes until the embedded cloud is being started; all else is imported meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator

from devbridge import __version__
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.daemon.notes import sweep
from devbridge.durations import spelled
from devbridge.emulator.embedded import embedded_cloud
from devbridge.emulator.state import attach
from devbridge.environment import matching
from devbridge.folders import from_here
from devbridge.interpreter import verify_interpreter
from devbridge.languages.debuggers import require_debuggers
from devbridge.live.ready import CLOUD_STAYS
from devbridge.live.schemas import payload_schemas
from devbridge.live.unloaded import Unloaded
from devbridge.live.voice import Voice
from devbridge.log_records import Formatter
from devbridge.palette import ALWAYS
from devbridge.runs.lock import only_one


def develop(
    config: Config, voice: Voice, *, yes: bool, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Deploy the app's stubs, and run its jobs here until Ctrl-C, or until something fails.

    Args:
        yes: agree to whatever would be asked.
        on_ready: is called once runs are taken.

    Raises:
        DevbridgeError: the app cannot be loaded or deployed, its stage is in use, or the daemon
            cannot go on.
    """
    began = time.monotonic()
    app = load_app(config.root, config.stage, lenient=True, slow=voice)
    threading.Thread(target=_get_ahead, name="import-ahead", daemon=True).start()
    verify_interpreter(config.python)
    if config.debug is not None:
        require_debuggers(app, config.python)
    config.make_dirs()
    where = "the embedded cloud" if config.local else config.endpoint or "AWS"
    voice(f"devbridge {__version__}: app {app.name}, stage {config.stage}, on {where}")
    _say_what_is_not_there(config, voice)
    if config.timeout is not None:
        voice(f"an attempt may take {spelled(config.timeout)} here, whatever its job says")
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_one(config.lock, config.stage))
        sweep(config.state_dir)
        stack.enter_context(_debug_log(config, voice))
        unloaded = Unloaded()
        types = stack.enter_context(
            payload_schemas(app, config, voice.warn, voice, unloaded=unloaded)
        )
        embedded = None
        if config.local and config.endpoint is None:
            stack.callback(_say_if_the_cloud_stays, config, voice)
            embedded = stack.enter_context(embedded_cloud(config, voice, "devbridge dev"))
        from devbridge.live.serving import deploy_and_serve

        deploy_and_serve(app, config, voice, types, unloaded, embedded, began, on_ready, yes=yes)
    voice("Stopped")


def _get_ahead() -> None:
    """Import the rest, the daemon and botocore above all, read what botocore knows of the services
    that are asked first, and pack the jobs' stub: half a second, most of which the embedded cloud
    needs for its own start."""
    with contextlib.suppress(Exception):  # whoever needs it is told
        from devbridge.cloud.models import load_ahead
        from devbridge.deploy.assets import stub
        from devbridge.live import serving  # noqa: F401

        load_ahead("sts", "cloudformation", "iot", "s3")
        stub()


def _say_if_the_cloud_stays(config: Config, voice: Voice) -> None:
    if (running := attach(config)) and running.detached:
        voice(CLOUD_STAYS)


def _say_what_is_not_there(config: Config, voice: Voice) -> None:
    """Of what --env names."""
    for name in config.env:
        if "=" not in name and not matching(os.environ, [name]):
            voice(f"{ALWAYS.warn('warning:')} --env {name}: your shell has no {name}")


@contextlib.contextmanager
def _debug_log(config: Config, voice: Voice) -> Iterator[None]:
    """With --verbose, everything that is logged goes to a file, too."""
    if not config.verbose:
        yield
        return
    path = config.stage_dir / "debug.log"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("devbridge")
    logger.addHandler(handler)
    voice(f"debug log: {from_here(path)}")
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
