"""Puts a daemon together of what `devbridge dev` was told: config, cloud, and a deployed app."""

from __future__ import annotations

import asyncio
import functools
import getpass
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from devbridge import names
from devbridge.cloud.session import Cloud
from devbridge.config import DEBUG_WAIT, Config
from devbridge.console.door import Door
from devbridge.console.listener import Heard
from devbridge.console.subject import Subject
from devbridge.console.usages import Usages
from devbridge.constructs import App, Function, Job
from devbridge.daemon import secrets
from devbridge.daemon.credentials import RoleCredentials
from devbridge.daemon.daemon import Daemon
from devbridge.daemon.dead_letters import DeadLetters
from devbridge.daemon.developer import DeveloperCredentials, Health
from devbridge.daemon.environment import worker_environment
from devbridge.daemon.functions import Followed, FunctionLogs, Groups
from devbridge.daemon.handlers_file import HandlersFile
from devbridge.daemon.handover import who
from devbridge.daemon.held import Held
from devbridge.daemon.keeper import Keeper, keep
from devbridge.daemon.life import Task
from devbridge.daemon.log_listener import LogListener
from devbridge.daemon.memory import limit_of
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.runtime_api import WorkerAddress
from devbridge.daemon.settings import Connection, Settings, Workshop
from devbridge.daemon.terminal import Terminal
from devbridge.daemon.terminal_listener import TerminalListener
from devbridge.deploy import lacking
from devbridge.deploy.assets import cache
from devbridge.deploy.secrets import versions
from devbridge.environment import inherited
from devbridge.folders import has_file
from devbridge.languages.base import Workplace
from devbridge.languages.debuggers import Debuggers
from devbridge.languages.launchers import Launchers
from devbridge.live.debugging import Switch
from devbridge.live.deployer import Deployer
from devbridge.live.guard import Guard
from devbridge.live.job_queues import JobQueues
from devbridge.live.lacking import Lacking
from devbridge.live.mappings import Mappings
from devbridge.live.objects import Objects
from devbridge.live.redeployer import Good, Redeployer
from devbridge.live.roles import without_bridge
from devbridge.live.voice import Voice
from devbridge.protocol import codec
from devbridge.protocol.messages import VERSION, Presence, Topics
from devbridge.runs.model import CodeSpec
from devbridge.runs.pruning import forget_old_runs
from devbridge.runs.queued import WAITS, Queued
from devbridge.transport.mqtt import MqttTransport
from devbridge.transport.patience import patience_for


@dataclass(frozen=True, slots=True)
class Composed:
    """A daemon, and what is to go on beside it."""

    daemon: Daemon
    beside: Mapping[str, Task]
    debuggers: Debuggers
    console: Door | None = None
    """None: nobody wants one."""


def compose(deployer: Deployer, good: Good, terminal: Terminal) -> Composed:
    """The daemon of a stage that was deployed as `good`. Call it in a running event loop.

    Raises:
        LedgerError: the ledger is of a newer devbridge, or cannot be written.
    """
    config, cloud, voice = deployer.config, deployer.cloud, deployer.voice
    narrator = _narrator(config, terminal)
    place = _workplace(config, good.app, narrator)
    launcher = Launchers(place)
    debuggers = _debuggers(config, place, launcher, lambda: daemon.renew_all())  # noqa: PLW0108 - made later
    developer = DeveloperCredentials(cloud, _says_health(voice))
    redeployer = Redeployer(
        deployer, good, voice, listen=deployer.consent.listen, prepare=launcher.prepare
    )
    lacks = Lacking(lambda jobs: lacking(redeployer.good.app, cloud, config.python, jobs), voice)
    connection = _connection(config, cloud, good.app)
    roles = RoleCredentials(
        lambda: cloud.client("sts"),
        explain=cloud.explain,
        renew=developer.refused,
        policy=functools.partial(without_bridge, connection.topics, cloud.account, cloud.region),
    )
    ledger = _ledger(config, voice)
    environment = _environment(config, cloud)
    daemon = Daemon(
        _settings(config, good.app),
        redeployer.deployment,
        redeploys=redeployer,
        connection=connection,
        workshop=Workshop(launcher, environment, roles, debuggers, objects=Objects(cloud)),
        ledger=ledger,
        narrator=narrator,
        imported=lacks.imported,
    )
    functions = _functions(config, cloud, redeployer, narrator)
    narrator.add(functions)
    queues = JobQueues(cloud, daemon, roles)
    held = Held(ledger, queues, lambda: daemon.jobs, narrator.say)
    letters = DeadLetters(ledger, queues.send, narrator.say, held.settle)
    narrator.add(letters)
    narrator.add(held)
    guard = Guard(config, cloud.endpoint_url)
    mappings = Mappings(cloud, config.stage, voice, daemon, guard)
    beside: dict[str, Task] = {
        "dead-letters": letters.watch,
        "held": held.watch,
        "mappings": lambda: mappings.tend(redeployer),
        "functions": functions.follow,
        "imports": lacks.watch,
        "secrets": _secrets(config, cloud, redeployer),
    }
    if not config.local:
        beside["credentials"] = developer.run
    switch = Switch(debuggers, lambda: _runtimes(redeployer))
    console = _console(config, cloud, redeployer, daemon, narrator, switch)
    return Composed(daemon, beside, debuggers, console)


def _debuggers(
    config: Config, place: Workplace, launchers: Launchers, renew: Callable[[], None]
) -> Debuggers:
    """They are wanted from the beginning, or once the console asks for them."""

    async def opened() -> None:
        await launchers.debug()
        renew()

    wanted = config.debug is not None
    wait = DEBUG_WAIT if config.debug is None else config.debug
    return Debuggers(place, wait, wanted=wanted, opened=opened)


def _runtimes(redeployer: Redeployer) -> Sequence[str]:
    return [code.runtime for code in redeployer.deployment.codes.values()]


def _console(
    config: Config,
    cloud: Cloud,
    redeployer: Redeployer,
    daemon: Daemon,
    narrator: Narrator,
    switch: Switch,
) -> Door | None:
    """It hears the story as the terminal does."""
    if not config.console:
        return None

    def taken_by() -> str | None:
        bridge = daemon.bridge
        return who(bridge.taken_over_by) if bridge.taken_over.is_set() else None

    narrator.add(usages := Usages())
    narrator.add(heard := Heard())
    subject = Subject(
        config=config,
        app=lambda: redeployer.good.app,
        cloud=lambda: cloud,
        live=True,
        since=time.time(),
        usage=usages.of,
        debugging=switch,
        taken_by=taken_by,
    )
    return Door(subject, heard)


def _settings(config: Config, app: App) -> Settings:
    return Settings(
        root=config.root,
        python=config.python,
        logs=config.logs_dir,
        state_dir=config.state_dir,
        preload=app.preload,
        concurrency=config.concurrency,
        grace=config.grace,
        fail_when_broken=config.on_broken == "fail",
        rerun_on_save=config.rerun_on_save,
        secrets_mark=config.secrets_mark,
        cancelled=Queued(config.stage_dir).is_cancelled,
    )


def _connection(config: Config, cloud: Cloud, app: App) -> Connection:
    iot = cloud.iot_endpoint()

    def make_transport(client_id: str, clean: bool) -> MqttTransport:
        return MqttTransport(
            iot,
            client_id,
            cloud.aws_credentials,
            clean=clean,
            session_expiry=0 if clean else WAITS,
        )

    presence = Presence(
        online=True,
        daemon_id=codec.new_id(),
        host=socket.gethostname(),
        user=getpass.getuser(),
        pid=os.getpid(),
        since=time.time(),
        session_expiry=WAITS,
        version=VERSION,
    )
    topics = Topics(app.name, config.stage)
    return Connection(topics, presence, make_transport, patience_for(iot))


def _environment(
    config: Config, cloud: Cloud
) -> Callable[[CodeSpec, WorkerAddress], Mapping[str, str]]:
    shell = dict(os.environ)  # which decodes each value when it is read
    return lambda spec, address: worker_environment(
        shell,
        spec,
        address,
        root=config.root,
        region=cloud.region,
        endpoint_url=cloud.endpoint_url,
        memory_limit=limit_of(spec, config.memory_limit),
        schemas=config.schemas,
        given=config.env,
    )


def _ledger(config: Config, voice: Voice) -> Keeper:
    ledger, damaged = keep(config.ledger)
    if damaged:
        voice(voice.style.bad(damaged))
    forget_old_runs(config, ledger)
    return ledger


def _says_health(voice: Voice) -> Callable[[Health, str], None]:
    def say(health: Health, text: str) -> None:
        voice(voice.style.good(text) if health is Health.GOOD else voice.style.bad(text))

    return say


def _secrets(config: Config, cloud: Cloud, redeployer: Redeployer) -> Task:
    """Watches the secrets' values, while a job binds one."""

    async def found() -> secrets.Versions:
        good = redeployer.good
        if not any(map(secrets.binds, good.deployed.jobs)):
            return {}
        return await asyncio.to_thread(versions, cloud, good.app.name, config.stage)

    return lambda: secrets.watch(found, lambda: secrets.touch(config.secrets_mark))


def _functions(
    config: Config, cloud: Cloud, redeployer: Redeployer, narrator: Narrator
) -> FunctionLogs:
    """Follows the logs of the app's functions, and of the jobs' invokers."""
    return FunctionLogs(
        lambda: cloud.client("logs"),
        _Groups(config, redeployer),
        narrator,
        is_apps=functools.partial(has_file, config.root),
        explain=cloud.explain,
    )


class _Groups:
    """The log groups of the app as it was deployed last."""

    def __init__(self, config: Config, redeployer: Redeployer) -> None:
        self._stage = config.stage
        self._redeployer = redeployer
        self._known: tuple[Good | None, Groups] = (None, {})

    def __call__(self) -> Groups:
        good = self._redeployer.good
        if good is not self._known[0]:
            self._known = good, self._of(good.app)
        return self._known[1]

    def _of(self, app: App) -> Groups:
        found = {
            names.function_log_group(function, self._stage): Followed(function.name)
            for function in app.of_type(Function)
        }
        if app.of_type(Job):
            invokers = names.invoker_log_group(app.name, self._stage)
            found[invokers] = Followed(prefix=f"{app.name}_{self._stage}_")
        return found


def _narrator(config: Config, terminal: Terminal) -> Narrator:
    """It tells the terminal, at whose pace workers may print, the log files, and other commands."""
    narrator = Narrator(when_drained=terminal.when_drained)
    narrator.add(LogListener(config.logs_dir, config.max_log_size, narrator.tell))
    narrator.add(TerminalListener(terminal, config.root, config.logs_dir, verbose=config.verbose))
    narrator.add(HandlersFile(config.handlers))
    return narrator


def _workplace(config: Config, app: App, narrator: Narrator) -> Workplace:
    log = logging.getLogger("devbridge.preload")
    return Workplace(
        root=config.root,
        python=config.python,
        environment=inherited(os.environ, app.shell, config.env),
        bundles=config.bundles,
        cache=cache(),
        say=narrator.say,
        details=narrator.say if config.verbose else log.info,
        fresh_jobs=config.fresh_jobs,
        debug=config.debug is not None,
        debug_port=config.debug_port,
    )
