"""What `devbridge logs` does about functions: which there are, and what one has printed."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from devbridge import names
from devbridge.cli.common import cloud
from devbridge.errors import CloudNotRunning, NotDeployed, NotFound
from devbridge.folders import from_here, has_file

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.constructs import App, Function


def function_named(app: App, name: str) -> Function | None:
    """The app's function of that name.

    Raises:
        NotFound: it is a job's, whose runs have ids.
    """
    from devbridge.constructs import Function, Job

    if found := next((each for each in app.of_type(Function) if each.name == name), None):
        return found
    if any(job.name == name for job in app.of_type(Job)):
        raise NotFound(
            f"{name!r} is a job: each of its runs has a log",
            where=str(app.root),
            remedy=f"find the run's id: devbridge jobs --job {name}",
        )
    return None


def printed(
    config: Config, function: Function, since: timedelta, *, follow: bool, everything: bool
) -> Iterator[bytes]:
    """What a function has printed since then, in pieces: what `devbridge dev` has kept of it here,
    and what CloudWatch has of the time since. While `devbridge dev` runs, that is all of it.

    Raises:
        CloudNotRunning, CredentialsError, CloudError: as `devbridge.cli.common.cloud`.
        NotDeployed: it has no log group.
    """
    from devbridge.runs.function_output import output

    begin = time.time() - since.total_seconds()
    if not everything and function.live:
        from devbridge.daemon.log_files import function_log
        from devbridge.runs.function_file import handled, kept
        from devbridge.runs.lock import daemon_runs

        path = function_log(config.logs_dir, function.name)
        runs = daemon_runs(config)
        until = handled(path)
        if runs or until is not None:
            yield from filter(None, kept(path, begin, follow=follow and runs))
        if runs:
            return
        begin = max(begin, until or begin)
    group = names.function_log_group(function, config.stage)
    try:
        with cloud(config) as there:
            logs = there.client("logs")
            try:
                yield from output(
                    lambda: logs,
                    group,
                    begin,
                    follow=follow,
                    everything=everything,
                    is_apps=functools.partial(has_file, config.root),
                )
            except logs.exceptions.ResourceNotFoundException as error:
                raise NotDeployed(
                    f"{function} is not deployed at stage {config.stage!r}",
                    where=f"log group {group}",
                    remedy="deploy it: devbridge dev or devbridge deploy, or name the right"
                    " --stage",
                ) from error
    except CloudNotRunning:
        _say_what_is_kept(config, function)
        raise


def _say_what_is_kept(config: Config, function: Function) -> None:
    from devbridge.daemon.log_files import function_log

    path = function_log(config.logs_dir, function.name)
    if path.exists():
        told = f"what it printed while `devbridge dev` ran is in {from_here(path)}"
        click.echo(told, err=True)
