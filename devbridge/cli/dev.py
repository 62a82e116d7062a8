"""`devbridge dev`: deploy the stubs, then run the app's jobs live on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import click

from devbridge import __version__, redaction
from devbridge.cli.broken import Broken
from devbridge.cli.common import app_options
from devbridge.cli.consent import Consent, Undecided, ask_first
from devbridge.cli.deploying import (
    CLOUD_STAYS,
    Schemas,
    interruptible,
    known_schemas,
    payload_schemas,
    ready,
)
from devbridge.errors import EXIT_INTERRUPTED, EXIT_OK, DevbridgeError
from devbridge.palette import ALWAYS
from devbridge.printable import continued

if TYPE_CHECKING:
    from devbridge.cloud.session import Cloud
    from devbridge.config import Config
    from devbridge.constructs import App
    from devbridge.daemon.daemon import Daemon
    from devbridge.daemon.terminal import Terminal
    from devbridge.daemon.workers import Launcher
    from devbridge.deploy import Deployed
    from devbridge.emulator.embedded import EmbeddedCloud

SESSION_EXPIRY: Final = 7 * 24 * 3600
"""Seconds for which the broker keeps requests for a daemon that is away: the most that AWS IoT
allows (MQTT 5 session expiry interval)."""


@click.command(
    epilog="""\b
Examples:
  devbridge dev --local              everything on this machine, no AWS account
  devbridge dev --profile sandbox    jobs here, the rest of the app in that AWS account

Ctrl-C stops in order: no more requests are taken, running jobs get SIGTERM and at most
10 seconds, then everything is ended. A second Ctrl-C ends everything at once.
"""
)
@app_options
@click.option("--port", type=int, help="With --local: the embedded cloud's port (default: free).")
@click.option("--python", metavar="PATH", help="The app's interpreter (default: the active venv).")
@click.option("--concurrency", type=int, help="Runs at the same time (default: the cores).")
@click.option(
    "--grace", type=float, help="Seconds from SIGTERM to SIGKILL of a cancelled run (default: 120)."
)
@click.option(
    "--memory-limit",
    metavar="SIZE",
    help='What each process of a run may have: "job" (its memory_size), "2 GB", "off" (default).',
)
@click.option(
    "--on-broken",
    type=click.Choice(["fail", "wait"]),
    help="What invocations do while the saved code cannot be loaded (default: fail).",
)
@click.option(
    "--offline",
    type=click.Choice(["queue", "error", "cloud"]),
    help="What the stub does while nobody runs `devbridge dev` (default: queue).",
)
@click.option(
    "--rerun-on-save",
    is_flag=True,
    default=None,
    help="After a save, run the job's last payload again.",
)
@click.option(
    "--env",
    multiple=True,
    callback=lambda _ctx, _option, given: given or None,
    metavar="NAME[=VALUE]",
    help="A variable of the shell, or this value, that jobs get besides those that all get.",
)
@click.option(
    "-y", "--yes", is_flag=True, help="Do not ask before a deployed stage is taken, or data goes."
)
def dev(config: Config, *, yes: bool) -> None:
    """Deploy stubs in place of the jobs, and run the jobs live on this machine.

    Call the deployed API as usual; what the job prints appears here. Save the handler, and the next
    call runs the new code. Running jobs are never touched by a save.

    Of the shell's variables jobs get PATH, HOME, USER, LANG, LC_*, TERM, TZ, TMPDIR, those of
    proxies and CA bundles, VIRTUAL_ENV, CUDA_* and DISPLAY; others with --env, or App(inherit=...).
    """
    from devbridge.cloud.last import remember
    from devbridge.cloud.session import connect
    from devbridge.constructs.load import load_app
    from devbridge.emulator.embedded import embedded_cloud
    from devbridge.interpreter import verify_interpreter
    from devbridge.runs.find import mark_dev
    from devbridge.runs.lock import only_one

    began = time.monotonic()
    app = load_app(config.root, config.stage, lenient=True)
    verify_interpreter(config.python)
    config.make_dirs()
    where = "the embedded cloud" if config.local else config.endpoint or "AWS"
    _say(f"devbridge {__version__}: app {app.name}, stage {config.stage}, on {where}")
    _say_what_is_not_there(config)
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_one(config.stage_dir / "daemon.lock", config.stage))
        stack.enter_context(_debug_log(config))
        stack.enter_context(interruptible())
        types = stack.enter_context(payload_schemas(app, config))
        embedded = None
        if config.local and config.endpoint is None:
            stack.callback(_say_if_the_cloud_stays, config)
            embedded = stack.enter_context(embedded_cloud(config, _say, "devbridge dev"))
        cloud = connect(config, embedded.running.endpoint_url if embedded else config.endpoint)
        ask_first(app, cloud, config, yes=yes, say=_say)
        schemas = types.result()
        consent = Consent(cloud, yes=yes, say=_say)
        broken = Broken(_say, colour=_colour())
        deployed = _deploy(app, cloud, config, schemas, consent, broken)
        consent.running = True
        mark_dev(config)
        remember(config, local=embedded is not None)
        live = _live(config, cloud, app, deployed, began, embedded, schemas, consent, broken)
        code = asyncio.run(live)
    _say("Stopped")
    sys.exit(code)


def _say_if_the_cloud_stays(config: Config) -> None:
    from devbridge.emulator.state import attach

    if (running := attach(config)) and running.detached:
        _say(CLOUD_STAYS)


def _say_what_is_not_there(config: Config) -> None:
    """Of what --env names."""
    from devbridge.environment import matching

    for name in config.env:
        if "=" not in name and not matching(os.environ, [name]):
            _say(f"{ALWAYS.warn('warning:')} --env {name}: your shell has no {name}")


def _deploy(
    app: App,
    cloud: Cloud,
    config: Config,
    schemas: Schemas,
    consent: Consent,
    broken: Broken,
) -> Deployed:
    from devbridge.deploy import deploy

    broken.begin()
    deployed = deploy(
        app,
        cloud,
        stage=config.stage,
        python=config.python,
        offline=config.offline,
        schemas=schemas,
        on_progress=lambda progress: _say_once(f"  {progress}", progress.step == "warning"),
        approve=consent.approve,
        broken=broken,
    )
    consent.settled()
    if not deployed.changed and not broken:
        _say("nothing to deploy: the stage is up to date")
    return deployed


async def _live(
    config: Config,
    cloud: Cloud,
    app: App,
    deployed: Deployed,
    began: float,
    embedded: EmbeddedCloud | None,
    schemas: Schemas,
    consent: Consent,
    broken: Broken,
) -> int:
    from devbridge.daemon.limits import raise_files
    from devbridge.daemon.terminal import Terminal
    from devbridge.palette import Style

    raise_files()  # not before: the embedded cloud has what the shell has
    terminal = Terminal(sys.stdout.fileno(), colour=_colour())
    style = Style(terminal.colour)
    stop = asyncio.Event()
    try:
        daemon = _compose(config, cloud, app, deployed, terminal, schemas, consent, broken)
        _stop_on_signals(daemon, stop, terminal)
        running = asyncio.create_task(daemon.run(stop), name="daemon")
        is_ready = asyncio.create_task(daemon.wait_until_ready(), name="ready")
        ended = asyncio.create_task(_ended(embedded), name="embedded-cloud")
        await asyncio.wait([running, is_ready, ended], return_when=asyncio.FIRST_COMPLETED)
        if is_ready.done() and not running.done():
            jobs = ", ".join(job.name for job in deployed.jobs) or "no jobs yet"
            took = time.monotonic() - began
            said = f"{style.good('Ready')} in {took:.1f}s: {jobs}."
            for line in ready(app, deployed.outputs, said, bold=style.bold):
                terminal.line(line)
        await asyncio.wait([running, ended], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        is_ready.cancel()
        await running
        if ended.done():
            raise ended.result()
        ended.cancel()
    finally:
        terminal.close()
    return EXIT_OK


async def _ended(embedded: EmbeddedCloud | None) -> DevbridgeError:
    """Return when the embedded cloud that we have started is no more, with the reason."""
    while embedded is None or (failure := embedded.failure()) is None:  # noqa: ASYNC110
        await asyncio.sleep(1)  # a process ends without an event
    return failure


def _compose(  # noqa: PLR0915
    config: Config,
    cloud: Cloud,
    app: App,
    deployed: Deployed,
    terminal: Terminal,
    schemas: Schemas,
    consent: Consent,
    broken: Broken,
) -> Daemon:
    import getpass
    import socket

    from devbridge.constructs.load import load_app
    from devbridge.daemon import secrets
    from devbridge.daemon.credentials import RoleCredentials
    from devbridge.daemon.daemon import Connection, Daemon, Settings, Workshop
    from devbridge.daemon.developer import DeveloperCredentials, Health
    from devbridge.daemon.environment import worker_environment
    from devbridge.daemon.jobs import Deployment, Jobs
    from devbridge.daemon.keeper import keep
    from devbridge.daemon.life import Task
    from devbridge.daemon.memory import limit_of
    from devbridge.daemon.reloading import SETTLED
    from devbridge.deploy import lacking
    from devbridge.deploy.secrets import versions as deployed_versions
    from devbridge.palette import Style
    from devbridge.protocol import codec
    from devbridge.protocol.messages import Presence, Topics
    from devbridge.runs.pruning import forget_old_runs
    from devbridge.transport.mqtt import MqttTransport

    iot, broken.say = cloud.iot_endpoint(), terminal.line

    def make_transport(client_id: str, clean: bool) -> MqttTransport:
        return MqttTransport(
            iot,
            client_id,
            cloud.aws_credentials,
            clean=clean,
            session_expiry=0 if clean else SESSION_EXPIRY,
        )

    now = (app, schemas, deployed)
    asking = asyncio.Lock()
    """A save may ask for both of these at once; the second is to see what the first has done."""

    class Redeployer:
        async def redeploy(self) -> Deployment:
            async with asking:
                return await redeployed()

        async def outdated(self) -> bool:
            return await outdated()

    async def redeployed() -> Deployment:
        nonlocal now
        began = time.monotonic()
        changed = await asyncio.to_thread(load_app, config.root, config.stage, lenient=True)
        wanted = await asyncio.to_thread(known_schemas, changed, config)
        try:
            done = await asyncio.to_thread(_deploy, changed, cloud, config, wanted, consent, broken)
        except Undecided:  # all that is deployed stays, and so do the jobs
            consent.listen(lambda: daemon.redeploy())  # noqa: PLW0108 - not made yet
            files = changed.files | now[2].files
            return Deployment(Jobs(now[2].jobs), files, changed.loaded_at, whole=not broken)
        if done.changed:
            said = f"{style.good('Deployed')} in {time.monotonic() - began:.1f}s."
            known = set(ready(now[0], now[2].outputs, said, bold=style.bold))
            news = list(ready(changed, done.outputs, said, bold=style.bold))
            for line in news if set(news) - known else [said]:
                terminal.line(line)
        now = (changed, wanted, done)
        await launcher.preload(changed.preload)
        return in_daemon(changed, done)

    def in_daemon(app: App, done: Deployed) -> Deployment:
        files = app.files | done.files
        return Deployment(Jobs(done.jobs), files, app.loaded_at, whole=not broken)

    async def outdated() -> bool:
        async with asking:
            wanted = await asyncio.to_thread(known_schemas, now[0], config)
        if changed := retyped(now[1], wanted):
            callers = f"redeploying those who call {', '.join(changed)}"
            terminal.line(f"payload types changed: {callers}")
        return bool(changed)

    fresh: set[str] = set()
    """Jobs whose workers have imported something new."""
    comparing: asyncio.Task[None] | None = None

    def imported(job: str) -> None:
        nonlocal comparing
        fresh.add(job)
        if comparing is None or comparing.done():
            comparing = asyncio.create_task(compare(), name="imports")

    async def compare() -> None:
        while fresh:
            await asyncio.sleep(SETTLED)  # the run that imports it comes first
            jobs = set(fresh)
            fresh.clear()
            with contextlib.suppress(DevbridgeError):  # `deploy` says it
                for text in await asyncio.to_thread(lacking, now[0], cloud, config.python, jobs):
                    if text not in _said:
                        _said.add(text)
                        terminal.line(style.warn(text))

    def say_of_credentials(health: Health, text: str) -> None:
        terminal.line(style.good(text) if health is Health.GOOD else style.bad(text))

    style = Style(terminal.colour)
    launcher = _launcher(config, app, terminal)
    developer = DeveloperCredentials(cloud, say_of_credentials)
    ledger, damaged = keep(config.ledger)
    if damaged:
        terminal.line(style.bad(damaged))
    forget_old_runs(config, ledger)
    settings = Settings(
        root=config.root,
        python=config.python,
        logs=config.logs_dir,
        preload=app.preload,
        concurrency=config.concurrency,
        grace=config.grace,
        fail_when_broken=config.on_broken == "fail",
        rerun_on_save=config.rerun_on_save,
        secrets_mark=config.secrets_mark,
        max_log_size=config.max_log_size,
    )
    presence = Presence(
        online=True,
        daemon_id=codec.new_id(),
        host=socket.gethostname(),
        user=getpass.getuser(),
        pid=os.getpid(),
        since=time.time(),
        session_expiry=SESSION_EXPIRY,
    )

    async def versions() -> secrets.Versions:
        if not any(map(secrets.binds, now[2].jobs)):
            return {}
        return await asyncio.to_thread(deployed_versions, cloud, app.name, config.stage)

    async def watch_secrets() -> None:
        await secrets.watch(versions, lambda: secrets.touch(config.secrets_mark))

    beside: dict[str, Task] = {"secrets": watch_secrets}
    if not config.local:
        beside["credentials"] = developer.run
    daemon = Daemon(
        settings,
        in_daemon(app, deployed),
        redeploys=Redeployer(),
        connection=Connection(Topics(app.name, config.stage), presence, make_transport),
        workshop=Workshop(
            launcher,
            environment=lambda spec, address: worker_environment(
                os.environ,
                spec,
                address,
                root=config.root,
                region=cloud.region,
                endpoint_url=cloud.endpoint_url,
                memory_limit=limit_of(spec, config.memory_limit),
                schemas=config.schemas,
                given=config.env,
            ),
            credentials=RoleCredentials(
                lambda: cloud.client("sts"), explain=cloud.explain, renew=developer.refused
            ),
        ),
        ledger=ledger,
        terminal=terminal,
        beside=beside,
        imported=imported,
    )
    return daemon


def retyped(before: Schemas, after: Schemas) -> Sequence[str]:
    """The jobs whose payloads are not what they were."""
    jobs = before.keys() | after.keys()
    return sorted(job for job in jobs if before.get(job) != after.get(job))


def _launcher(config: Config, app: App, terminal: Terminal) -> Launcher:
    """Forks of a zygote on Linux; elsewhere, where forking is not safe, fresh processes."""
    from devbridge.daemon.workers import FreshLauncher
    from devbridge.daemon.zygote import ZygoteLauncher
    from devbridge.environment import inherited

    if sys.platform != "linux":
        return FreshLauncher()
    log = logging.getLogger("devbridge.preload")
    return ZygoteLauncher(
        config.python,
        inherited(os.environ, app.shell, config.env),
        root=config.root,
        say=terminal.line,
        details=terminal.line if config.verbose else log.info,
        record=config.fresh_jobs,
    )


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
        loop.add_signal_handler(number, signalled)


@contextlib.contextmanager
def _debug_log(config: Config) -> Iterator[None]:
    """With --verbose, everything that is logged goes to a file, too."""
    if not config.verbose:
        yield
        return
    path = config.stage_dir / "debug.log"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(redaction.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("devbridge")
    logger.addHandler(handler)
    _say(f"debug log: {path}")
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def _colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _say(text: str) -> None:
    click.echo(continued(text))


def _say_once(text: str, once: bool) -> None:
    """Say it; what is said of each deployment only when it is new."""
    if not once or text not in _said:
        _say(text)
    if once:
        _said.add(text)


_said: set[str] = set()
