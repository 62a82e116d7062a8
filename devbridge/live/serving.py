"""What `devbridge dev` does once there is a cloud: deploy the stubs, and run the daemon."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from typing import Final

from devbridge.cloud.last import remember
from devbridge.cloud.session import Cloud, connect
from devbridge.config import Config, default_stage
from devbridge.console.door import Door
from devbridge.constructs import App
from devbridge.daemon.daemon import Daemon
from devbridge.daemon.terminal import Terminal
from devbridge.emulator.embedded import EmbeddedCloud
from devbridge.errors import EXIT_INTERRUPTED, DevbridgeError
from devbridge.folders import in_words
from devbridge.interrupts import heeded
from devbridge.languages.debuggers import Debuggers
from devbridge.live import launch_json
from devbridge.live.broken import Broken
from devbridge.live.compose import compose
from devbridge.live.consent import Consent, ask_first
from devbridge.live.deployer import Deployer
from devbridge.live.ready import older, outside, schedules_off, unheard
from devbridge.live.redeployer import Good
from devbridge.live.schemas import Schemas
from devbridge.live.unloaded import Unloaded
from devbridge.live.voice import Voice
from devbridge.runs.find import mark_dev
from devbridge.words import few
from devbridge.workers.rlimits import raise_files

CLOUD_LOOK: Final = 1.0
"""Seconds between looks at whether the embedded cloud is still there."""


def deploy_and_serve(
    app: App,
    config: Config,
    voice: Voice,
    types: Future[Schemas],
    unloaded: Unloaded,
    embedded: EmbeddedCloud | None,
    began: float,
    on_ready: Callable[[], None],
    *,
    yes: bool,
) -> None:
    """Deploy the app's stubs, and run its jobs here.

    Args:
        types: what the jobs take, once their handlers were asked.
        unloaded: those that could not be.
        embedded, began, on_ready: as `serve`.
        yes: agree to whatever would be asked.

    Raises:
        DevbridgeError: as `devbridge.live.develop.develop`.
    """
    cloud = connect(config, embedded.running.endpoint_url if embedded else config.endpoint)
    if embedded is not None:  # it imports a service when that is first asked: beside our own work
        threading.Thread(target=_ask_ahead, args=(cloud,), name="ask-ahead", daemon=True).start()
    ask_first(app, cloud, config, voice, yes=yes)
    schemas = types.result()
    consent = Consent(cloud, voice, yes=yes)
    deployer = Deployer(config, cloud, voice, consent, Broken(voice, unloaded), unloaded)
    options = "" if config.stage == default_stage() else f"--stage {config.stage}"
    good = Good(app, schemas, deployer.deploy(app, schemas), options)
    consent.running = True
    mark_dev(config)
    remember(config, local=embedded is not None)
    asyncio.run(serve(deployer, good, began, embedded, on_ready))


def _ask_ahead(cloud: Cloud) -> None:
    with contextlib.suppress(Exception):  # it is asked again
        cloud.iot_endpoint()


async def serve(
    deployer: Deployer,
    good: Good,
    began: float,
    embedded: EmbeddedCloud | None,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Run the daemon, until a signal or a failure ends it. The voice has its terminal meanwhile.

    Args:
        began: when `devbridge dev` was started, by the monotonic clock.
        embedded: the cloud that was started for it: without that, the daemon ends.
        on_ready: is called once runs are taken.

    Raises:
        DevbridgeError: the daemon cannot go on, or the embedded cloud has ended.
    """
    raise_files()  # not before: the embedded cloud has what the shell has
    voice = deployer.voice
    terminal = Terminal(sys.stdout.fileno(), colour=voice.style.colour)
    say_before, voice.say = voice.say, terminal.line
    stop = asyncio.Event()
    try:
        composed = compose(deployer, good, terminal)
        daemon = composed.daemon
        _stop_on_signals(daemon, stop, terminal)
        console = await _opened(composed.console, voice)

        async def say_when_ready() -> None:
            await daemon.wait_until_ready()
            app = good.app
            if console is not None:
                voice(f"{'Console':<12} {voice.style.bold(console.link)}")
            _say_ready(good, daemon.broken, time.monotonic() - began, voice)
            for line in (*outside(app), *unheard(app), *_off(deployer.config, app)):
                voice(line)
            _tell_editor(deployer.config, composed.debuggers, voice)
            deployer.unloaded.tell(lambda: daemon.broken)
            on_ready()

        beside = {**composed.beside, "ready": say_when_ready}
        if embedded is not None:
            beside["embedded-cloud"] = lambda: _watch_cloud(embedded)
        try:
            await daemon.run(stop, beside)
        finally:
            if console is not None:
                await console.close()
        if embedded is None or embedded.running.detached:
            for line in older(daemon.undeployed):
                voice(line)
    finally:
        deployer.stopped.set()
        terminal.close()
        voice.say = say_before


async def _opened(console: Door | None, voice: Voice) -> Door | None:
    """The console, if there is one and it can listen."""
    if console is not None:
        try:
            await console.start()
        except OSError as error:
            voice(voice.style.bad(f"there is no console: {in_words(error)}"))
            return None
    return console


def _off(config: Config, app: App) -> Iterator[str]:
    return iter(()) if config.schedules else schedules_off(app)


def _tell_editor(config: Config, debuggers: Debuggers, voice: Voice) -> None:
    """Put into VS Code's configuration how it attaches to runs, if that is wanted."""
    if not config.launch_json:
        return
    try:
        voice(launch_json.write(config.root, debuggers.configurations))
    except DevbridgeError as error:
        voice.warn(str(error))


def _say_ready(good: Good, broken: Collection[str], took: float, voice: Voice) -> None:
    names = [*(job.name for job in good.deployed.jobs), *good.deployed.functions]
    well = [name for name in names if name not in broken]
    said = f"{voice.style.good('Ready')} in {took:.1f}s"
    said += f": {few(well)}." if well else "." if names else ": no jobs yet."
    if broken:
        said += f" {voice.style.bad('Broken')}: {few(sorted(broken))}."
    for line in good.ready(said, voice.style.bold):
        voice(line)


async def _watch_cloud(embedded: EmbeddedCloud) -> None:
    """
    Raises:
        DevbridgeError: the cloud that we have started is no more, and why.
    """
    while (failure := embedded.failure()) is None:  # noqa: ASYNC110
        await asyncio.sleep(CLOUD_LOOK)  # a process ends without an event
    raise failure


def _stop_on_signals(daemon: Daemon, stop: asyncio.Event, terminal: Terminal) -> None:
    """The first signal stops in order, the second at once."""

    def signalled() -> None:
        if not stop.is_set():
            stop.set()
            return
        daemon.kill()
        terminal.line("stopped at once")
        terminal.close()
        os._exit(EXIT_INTERRUPTED)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if heeded(number):
            loop.add_signal_handler(number, signalled)
        else:  # still ignored here, but not by the jobs: they have what they have deployed
            signal.signal(number, lambda *_: None)
