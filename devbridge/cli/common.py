"""What the commands share: the options, the app and the cloud they mean, and how they print."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import click

from devbridge import printable
from devbridge.cli import completing
from devbridge.cli.reporting import VERBOSE
from devbridge.errors import CloudError, CloudNotRunning, NotDeployed, did_you_mean

if TYPE_CHECKING:
    from devbridge.cloud.session import Cloud
    from devbridge.config import Config
    from devbridge.constructs import App

P = ParamSpec("P")
R = TypeVar("R")

_OPTIONS: Final = (
    click.option(
        "--app",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="The app's folder: the one with app.py (default: here, or the nearest above).",
    ),
    click.option(
        "--stage",
        help="The stage (default: your user name).",
        shell_complete=completing.stages,
    ),
    click.option(
        "--local", is_flag=True, default=None, help="Use the embedded cloud: no AWS account."
    ),
    click.option("--endpoint", metavar="URL", help="Use the AWS-compatible cloud at this URL."),
    click.option("--profile", help="The AWS profile."),
    click.option("--region", help="The AWS region."),
    click.option(
        "--verbose",
        is_flag=True,
        default=None,
        help="Say more on stderr, tracebacks of errors too.",
    ),
)


def app_options(function: Callable[Concatenate[Config, P], R]) -> Callable[..., R]:
    """Give a command the options that all have; the function gets them as one `Config`, first.

    An option of the command's own goes into the `Config` too if it is a setting.
    """

    @functools.wraps(function)
    def with_config(*args: Any, **values: Any) -> R:
        from devbridge.config import SETTINGS, load_config

        app = values.pop("app")
        flags = {name: values.pop(name) for name in SETTINGS & values.keys()}
        config = load_config(flags, app=app)
        if config.verbose:
            from devbridge.log_records import show_on_stderr

            click.get_current_context().find_root().meta[VERBOSE] = True
            show_on_stderr()
        try:
            return function(config, *args, **values)
        except NotDeployed as error:
            error.what += did_you_mean(config.stage, completing.other_stages(config))
            raise

    command: Callable[..., R] = with_config
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def say_slow(text: str) -> None:
    """Say on stderr what is waited for."""
    click.echo(text, err=True)


def loaded(config: Config, *, lenient: bool = False) -> App:
    """The app of a command, as app.py has it now; it is said where that is, if it takes long.

    Args:
        lenient: see `load_app`.

    Raises:
        AppError: app.py cannot be loaded.
    """
    from devbridge.constructs.load import load_app

    return load_app(config.root, config.stage, lenient=lenient, slow=say_slow)


def print_json(value: object) -> None:
    """Print JSON for programs, indented for people."""
    click.echo(printable.in_json(json.dumps(value, indent=2, ensure_ascii=False)))


@contextlib.contextmanager
def cloud(config: Config, *, start: bool = False) -> Iterator[Cloud]:
    """The cloud that the options mean; what it refuses inside the block is an error of ours.

    That is the endpoint; else, unless there is a profile, the app's embedded cloud if it runs; else
    AWS, unless the stage was last on the embedded cloud. With `start`, an embedded cloud that does
    not run is started and stopped again.

    Raises:
        CloudNotRunning: `--local`, or the stage was local, and the embedded cloud is not running.
        CredentialsError, CloudError: as `devbridge.cloud.session.connect`.
    """
    from botocore.exceptions import ClientError

    from devbridge.cloud.session import connect
    from devbridge.deploy.refusals import is_denied

    with _endpoint(config, start=start) as endpoint:
        there = connect(config, endpoint)
        try:
            with there.explained():
                yield there
        except ClientError as error:
            raise CloudError(
                f"the cloud refuses {error.operation_name}: {error.response['Error']['Message']}",
                where=f"{there.principal_arn}, {there.endpoint_url or there.region}",
                remedy=(
                    "use credentials that have that permission: --profile"
                    if is_denied(error)
                    else "see what it says of the request; with --verbose, where it came from"
                ),
            ) from error


def _command() -> str:
    """How others are told which command this is."""
    current = click.get_current_context(silent=True)
    return current.command_path if current else "devbridge"


@contextlib.contextmanager
def _endpoint(config: Config, *, start: bool) -> Iterator[str | None]:
    from devbridge.cloud.last import was_local
    from devbridge.emulator.embedded import embedded_cloud
    from devbridge.emulator.state import attach

    embedded = config.endpoint is None and (config.local or config.profile is None)
    running = attach(config) if embedded else None
    if running:
        yield running.endpoint_url
    elif not embedded or not (config.local or was_local(config)):
        yield config.endpoint
    elif config.local and start:
        with embedded_cloud(config, lambda line: click.echo(line, err=True), _command()) as own:
            yield own.running.endpoint_url
    else:
        raise not_running(config, can_start=start)


def not_running(config: Config, *, can_start: bool = False) -> CloudNotRunning:
    """The error of a command that needs the folder's embedded cloud to run.

    Args:
        can_start: the command starts it by itself, with `--local`.
    """
    from devbridge.cloud.last import was_local

    what, remedy = "the embedded cloud of this app is not running", ""
    if not config.local and was_local(config):
        what = f"stage {config.stage!r} is on the embedded cloud of this app, which is not running"
        remedy = "; for AWS, where this stage was not before, give --profile"
        if can_start:
            remedy = f"; or give --local, which starts it for this command{remedy}"
    start = "start it: devbridge dev --local in another terminal, or devbridge cloud start"
    return CloudNotRunning(what, where=str(config.cloud_dir), remedy=f"{start}{remedy}")
