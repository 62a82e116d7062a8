"""`devbridge cloud`: the embedded cloud of this folder on its own, without `devbridge dev`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from devbridge.cli.common import app_options, not_running, print_json
from devbridge.cli.text import ago
from devbridge.errors import EXIT_CLOUD
from devbridge.runs.text import iso

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.emulator.state import Running


@click.group(
    epilog="""\b
Examples:
  devbridge cloud start
  devbridge cloud status --json
  devbridge cloud stop
"""
)
def cloud() -> None:
    """Start, stop, look at, and use the embedded cloud of this folder.

    `devbridge dev --local` starts it by itself and stops it again. Started here, it stays, with all
    that is deployed in it: for `devbridge deploy --local`, for tests, for the API that others call.
    """


@cloud.command(
    epilog="""\b
Examples:
  devbridge cloud start
  devbridge cloud start --port 4566
"""
)
@app_options
@click.option("--port", type=int, help="Its port (default: the last one, or a free one).")
@click.option("--python", metavar="PATH", help="The app's interpreter (default: the active venv).")
def start(config: Config) -> None:
    """Start the embedded cloud, which then stays until it is stopped. Does nothing if it runs."""
    from devbridge.emulator.embedded import start_detached

    running = start_detached(config, lambda line: click.echo(line, err=True))
    click.echo(f"the embedded cloud runs at {running.endpoint_url}")


@cloud.command(
    epilog="""\b
Examples:
  devbridge cloud stop
"""
)
@app_options
def stop(config: Config) -> None:
    """Stop the embedded cloud. What is deployed in it is there again when it is started again.

    It is not stopped while a command uses it: the error says which.
    """
    from devbridge.emulator.embedded import stop_running

    stopped = stop_running(config)
    click.echo("the embedded cloud has stopped" if stopped else "the embedded cloud is not running")


@cloud.command(
    epilog="""\b
Examples:
  devbridge cloud status
  devbridge cloud status --json | jq -r .endpoint
"""
)
@click.option("--json", "json_", is_flag=True, help="Print JSON, times in UTC.")
@app_options
def status(config: Config, *, json_: bool) -> None:
    """Say whether the embedded cloud runs, and where; exit code 6 when it does not."""
    from devbridge.emulator.state import attach
    from devbridge.emulator.users import users_of

    running = attach(config)
    users = users_of(config.cloud_dir)
    log = config.cloud_dir / "ministack.log"
    if json_:
        known = running and {
            "endpoint": running.endpoint_url,
            "pid": running.pid,
            "startedAt": iso(running.started_at),
            "detached": running.detached,
            "usedBy": users,
        }
        print_json({"running": running is not None, "log": str(log), **(known or {})})
    elif running:
        click.echo(f"endpoint  {running.endpoint_url}")
        click.echo(f"pid       {running.pid}")
        click.echo(f"started   {iso(running.started_at)}  {ago(time.time() - running.started_at)}")
        click.echo(f"stops     with {_END[running.detached]}")
        for user in users:
            click.echo(f"used by   {user}")
        click.echo(f"log       {log}")
    else:
        click.echo("the embedded cloud is not running")
    if running is None:
        click.get_current_context().exit(EXIT_CLOUD)


@cloud.command(
    epilog="""\b
Examples:
  devbridge cloud running
  devbridge cloud running --json | jq '.[] | select(.pids != []) | .run'
"""
)
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@app_options
def running(config: Config, *, json_: bool) -> None:
    """List what runs on the embedded cloud now: builds, jobs, tasks, invocations.

    What only waits for its turn has no process ids: it holds no machine.
    """
    from devbridge.emulator.machines import listed

    machines = listed(_running(config), config.cloud_dir)
    if json_:
        print_json(machines)
        return
    for each in machines:
        pids = ",".join(map(str, each["pids"])) or "waits"
        click.echo(f"{each['compute']:<9}  {each['status']:<12}  {pids:<8}  {_name(each)}")


@cloud.command(
    epilog="""\b
Examples:
  devbridge cloud interrupt jobs-dev-zip:7c9e6679-7425-40de-944b-e07fc1f90ae7
  devbridge cloud interrupt 7c9e6679-7425-40de-944b-e07fc1f90ae7 --kill
"""
)
@click.argument("run", metavar="RUN")
@click.option("--kill", is_flag=True, help="Give no notice, as the death of a host.")
@app_options
def interrupt(config: Config, *, run: str, kill: bool) -> None:
    """Take away the machine on which a run runs, as AWS takes back spare capacity.

    RUN is a run's id or the beginning of it, or what the service calls it: a build's id, a Batch
    job's id or name, the ARN of a task or who has started it. `devbridge cloud running` lists them.

    A task and a Batch job get SIGTERM, and SIGKILL when their time to stop is over: 120 seconds for
    jobs of devbridge. A job that yields checkpoints goes on at the last one, on another machine. A
    build and a function are killed at once, for AWS gives them no notice; with --kill, all are.
    """
    from devbridge.emulator.machines import interrupt as take_away
    from devbridge.emulator.machines import listed
    from devbridge.errors import UnknownRun

    there, where = _running(config), str(config.cloud_dir)
    found = take_away(there, config.cloud_dir, run, kill=kill)
    if not found.known:
        ids = sorted(_beginning(listed(there, config.cloud_dir), run))
        if len(ids) > 1:
            text = "\n".join(f"    {each}" for each in ids)
            what = f"{len(ids)} runs have an id that begins with {run!r}:\n{text}"
            raise UnknownRun(what, where=where, remedy="give more of the id")
        for whole in ids:
            found = take_away(there, config.cloud_dir, whole, kill=kill)
    if not found.machines:
        waits = [each for each in found.known if not each["pids"]]
        raise UnknownRun(
            f"{run} waits, and holds no machine" if waits else f"nothing runs that is called {run}",
            where=where,
            remedy="`devbridge cloud running` lists what runs now; a run of `devbridge dev` is a"
            " process of this machine: kill that one",
        )
    for each in found.machines:
        click.echo(f"{'killed' if kill else 'interrupted'} {_name(each)}")


def _beginning(machines: Iterable[Mapping[str, Any]], run: str) -> set[str]:
    """The runs of which this is the beginning of the id."""
    ids = {str(each["run"]) for each in machines if each["run"]}
    return {each for each in ids if run and each.rpartition(":")[2].startswith(run.lower())}


def _name(machine: Mapping[str, Any]) -> str:
    return str(machine["run"] or machine["id"])


@cloud.command(
    epilog="""\b
Examples:
  eval "$(devbridge cloud env)"
"""
)
@app_options
def env(config: Config) -> None:
    """Print the endpoint, the region and the root key of the embedded cloud, for a shell's eval.

    From then on the AWS CLI and SDKs speak to it as root, in that shell. The key is this cloud's
    alone: whoever has it may do everything there, and runs code as you.
    """
    import shlex

    from devbridge.environment import of_sdks

    variables = _variables(config)
    lines = [f"unset {name}" for name in sorted(of_sdks(os.environ) - variables.keys())]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    # As bytes: in text that is printed, a key is hidden, and here it is what was asked for.
    click.echo("\n".join(lines).encode())


@cloud.command(
    "exec",
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  devbridge cloud exec -- aws s3 ls
  devbridge cloud exec -- python fill.py
""",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@app_options
def exec_(config: Config, *, command: tuple[str, ...]) -> None:
    """Run a command as the root user of the embedded cloud.

    It has the terminal and gets the signals; its exit code is this command's.
    """
    import asyncio

    from devbridge.cli.bind import run_child
    from devbridge.environment import of_sdks

    variables, others = _variables(config), os.environ.keys() - of_sdks(os.environ)
    environ = {name: os.environ[name] for name in others} | variables
    click.get_current_context().exit(asyncio.run(run_child(command, environ)))


def _variables(config: Config) -> dict[str, str]:
    """What makes an AWS SDK use this folder's embedded cloud, as root.

    Raises:
        CloudNotRunning: it does not run.
    """
    from devbridge.cloud import keys
    from devbridge.cloud.session import LOCAL_REGION
    from devbridge.environment import isolated
    from devbridge.proxies import past_proxies

    running = _running(config)
    key = keys.of_endpoint(running.endpoint_url, config.cloud_dir)
    return {
        **isolated(config.region or LOCAL_REGION),
        "AWS_ENDPOINT_URL": running.endpoint_url,
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        **past_proxies(os.environ),
    }


def _running(config: Config) -> Running:
    """This folder's embedded cloud.

    Raises:
        CloudNotRunning: it does not run.
    """
    from devbridge.emulator.state import attach

    found = attach(config)
    if found is None:
        raise not_running(replace(config, local=True))
    return found


_END = {True: "`devbridge cloud stop`", False: "the last command that uses it"}
