"""`devbridge bind`: run any command as if it were bound to all of the stage's resources."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import click

from devbridge.cli.common import app_options, cloud, loaded
from devbridge.environment import without_own
from devbridge.errors import CommandNotFound, NotDeployed
from devbridge.interrupts import heeded
from devbridge.payload import check

if TYPE_CHECKING:
    from devbridge.cloud.session import Cloud
    from devbridge.config import Config
    from devbridge.daemon.runtime_api import CredentialsProvider
    from devbridge.workers.modules import Modules
    from runner.outcome import Failure

_PASSED_ON: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_FROM_KEYS: Final = frozenset({signal.SIGINT, signal.SIGQUIT})


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  devbridge bind -- npm run dev              # a front end that finds the API's URL
  devbridge bind --stage try -- pytest
  devbridge bind --local -- bash
""",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@app_options
def bind(config: Config, *, command: tuple[str, ...]) -> None:
    """Run a command with the stage's environment and credentials.

    It gets what a function that binds every resource of app.py gets: their environment variables,
    and credentials of a role that may use them, which refresh for as long as it runs; none of your
    own. The rest of your shell's environment it keeps, as it is your own command. It has the
    terminal and gets the signals; its exit code is this command's.
    """
    from devbridge import names
    from devbridge.deploy import environment, require_naming, stack_values

    app = loaded(config)
    with cloud(config) as there:
        values = stack_values(there, app.name, config.stage)
        require_naming(values, app.name, config.stage)
        try:
            role_arn, bound = values[names.BIND_ROLE], environment(app, config.stage, values)
        except KeyError as missing:
            raise NotDeployed(
                f"what is deployed to stage {config.stage!r} is not what app.py has: no {missing}",
                where=names.stack(app.name, config.stage),
                remedy="deploy the stage again: devbridge dev or devbridge deploy",
            ) from None
        environ = {**without_own(os.environ), **app.shell, **bound}
        if config.schemas.exists():
            environ[check.VARIABLE] = str(config.schemas)
        code = asyncio.run(_run(command, environ, there, role_arn))
    click.get_current_context().exit(code)


class _Listener:
    """Says on stderr when a command gets no credentials. It is no worker: it says nothing else."""

    def credentials_failed(self, worker_id: str, message: str) -> None:  # noqa: ARG002
        click.echo(f"devbridge bind: no credentials for the command: {message}", err=True)

    def worker_ready(self, worker_id: str) -> None: ...
    def worker_modules(self, worker_id: str, modules: Modules) -> None: ...
    def worker_missed(self, worker_id: str, name: str) -> None: ...
    def worker_reached(self, worker_id: str, job_id: str, checkpoint: bytes) -> None: ...
    def worker_responded(self, worker_id: str, job_id: str, body: bytes) -> None: ...
    def worker_failed(self, worker_id: str, job_id: str, failure: Failure) -> None: ...
    def worker_lingers(self, worker_id: str, left: Sequence[str]) -> None: ...
    def worker_init_failed(self, worker_id: str, failure: Failure) -> None: ...


async def _run(
    command: Sequence[str], environment: Mapping[str, str], there: Cloud, role_arn: str
) -> int:
    from devbridge.daemon.credentials import RoleCredentials

    credentials = RoleCredentials(
        lambda: there.client("sts"), explain=there.explain, renew=lambda _: there.renew()
    )
    await credentials.get(role_arn)  # what is wrong with them is said before anything is run
    return await run_with_credentials(
        command,
        environment,
        credentials,
        role_arn,
        region=there.region,
        endpoint_url=there.endpoint_url,
    )


async def run_with_credentials(
    command: Sequence[str],
    environment: Mapping[str, str],
    credentials: CredentialsProvider,
    role_arn: str,
    *,
    region: str,
    endpoint_url: str | None = None,
) -> int:
    """Run a command while a server on loopback gives it, and nobody else, the role's credentials.

    Returns its exit code; 128 + the signal that ended it.

    Raises:
        CommandNotFound: it cannot be started.
    """
    from devbridge.daemon.environment import sdk_environment
    from devbridge.daemon.runtime_api import RuntimeApi
    from devbridge.proxies import past_proxies

    api = RuntimeApi(_Listener(), credentials)
    await api.start()
    try:
        address = api.add_worker("bind", role_arn)
        sdk = sdk_environment(address, region=region, endpoint_url=endpoint_url)
        past = past_proxies(environment)
        return await run_child(command, {**environment, **sdk, **past})
    finally:
        await api.close()


async def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command on this process's terminal, and pass on the signals that come meanwhile.

    Returns its exit code; 128 + the signal that ended it.

    Raises:
        CommandNotFound: it cannot be started.
    """
    loop = asyncio.get_running_loop()
    children: list[subprocess.Popen[bytes]] = []

    def pass_on(number: signal.Signals) -> None:
        # The keys send theirs to the whole foreground group: the command has it already.
        if children and not (number in _FROM_KEYS and _in_foreground()):
            children[0].send_signal(number)

    caught = heeded(*_PASSED_ON)
    for number in caught:
        loop.add_signal_handler(number, pass_on, number)
    try:
        # In the event loop's thread: what is caught meanwhile is passed on as soon as it runs.
        children.append(subprocess.Popen(command, env=dict(environment)))  # noqa: ASYNC220
        code = await asyncio.to_thread(children[0].wait)
    except OSError as error:
        raise CommandNotFound(
            f"the command cannot be run: {error.strerror}",
            where=command[0],
            remedy="check its name, and that its folder is in PATH",
        ) from None
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
    return code if code >= 0 else 128 - code


def _in_foreground() -> bool:
    """Whether this process group has the terminal."""
    with contextlib.suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
