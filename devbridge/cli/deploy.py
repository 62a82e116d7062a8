"""`devbridge deploy`: the whole app in the cloud, its jobs too."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from devbridge.cli.common import app_options, loaded, say_slow
from devbridge.cli.deploying import (
    confirm,
    interruptible,
    only_this,
    show_plan,
    steps,
    warn_once,
)
from devbridge.cli.runs import list_runs, under_way
from devbridge.words import many
from runner.outcome import RUNNING, STARTING

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.constructs import App
    from devbridge.deploy import Deployed, Request
    from devbridge.deploy.plan import Plan
    from devbridge.runs.base import Run


@click.command(
    epilog="""\b
Examples:
  devbridge deploy --local                     on this machine, no AWS account
  devbridge deploy --profile work --stage prod
  devbridge deploy --stage prod --yes          in CI: does not ask
  devbridge diff --stage prod                  only say what it would change

It prints each change: + added, ~ changed, ! replaced, - removed. A change that fails is
rolled back, and the first cause is named. Ctrl-C cancels an update, and waits until everything
is as it was; the creation of a new stage goes on without devbridge.
"""
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--python", metavar="PATH", help="The app's interpreter (default: the active venv).")
@app_options
def deploy(config: Config, *, yes: bool) -> None:
    """Deploy the stage: its jobs and functions run in the cloud.

    Asks before it replaces or removes what holds data, before it makes a stage of
    `devbridge dev` a deployed one, and before it moves a job from where runs of it are under way.
    """
    from devbridge.cloud.last import remember
    from devbridge.cloud.session import connect
    from devbridge.constructs import Job
    from devbridge.deploy import Request, stage_mode
    from devbridge.deploy import deploy as make
    from devbridge.emulator.embedded import embedded_cloud
    from devbridge.interpreter import verify_interpreter
    from devbridge.live.ready import CLOUD_STAYS
    from devbridge.live.schemas import keep, payload_schemas
    from devbridge.runs.find import mark_deployed

    began = time.monotonic()
    app = loaded(config)
    verify_interpreter(config.python)
    config.make_dirs()
    with contextlib.ExitStack() as stack:
        stack.enter_context(interruptible())
        stack.enter_context(only_this(config, "deploy"))
        schemas = stack.enter_context(payload_schemas(app, config, warn_once, say_slow, kept=False))
        embedded = None
        if config.local and config.endpoint is None:
            embedded = stack.enter_context(embedded_cloud(config, click.echo, "devbridge deploy"))
        there = connect(config, embedded.running.endpoint_url if embedded else config.endpoint)
        place = there.endpoint_url or f"account {there.account}, region {there.region}"
        click.echo(f"app {app.name}, stage {config.stage}, to {place}")
        was_dev = stage_mode(there, app.name, config.stage) == "dev"
        said = steps(config)
        request = Request.of(
            config, app, there, "deployed", schemas=schemas.result(), on_progress=said
        )

        def begun(moving: frozenset[str]) -> Sequence[Run]:
            jobs = {job.name for job in app.of_type(Job) if str(job) in moving}
            found = under_way(config, app, there) if jobs else ()
            runs = [run for run in found if run.record.job in jobs]
            return [run for run in runs if run.record.state in (STARTING, RUNNING)]

        agree = _approval(config.stage, begun, was_dev=was_dev, yes=yes)
        done = make(request, approve=said.after(agree))
        said.end()
        mark_deployed(config)
        keep(config, schemas.result())
        remember(config, local=embedded is not None)
        if embedded:
            embedded.stay()
    _say_deployed(app, request, done, time.monotonic() - began)
    if embedded:
        click.echo(CLOUD_STAYS)


def _say_deployed(app: App, request: Request, done: Deployed, took: float) -> None:
    from devbridge.constructs import Job
    from devbridge.live.ready import ready
    from devbridge.words import few

    jobs = few([job.name for job in app.of_type(Job)]) or "no jobs yet"
    said = f"Deployed in {took:.1f}s: {jobs}."
    if not done.changed:
        said = "nothing to deploy: the stage is up to date."
    options, schemas = request.options, request.schemas
    for line in ready(app, done.outputs, said, schemas=schemas, options=options, shell=os.environ):
        click.echo(line)


def _approval(
    stage: str, begun: Callable[[frozenset[str]], Sequence[Run]], *, was_dev: bool, yes: bool
) -> Callable[[Plan], None]:
    """Shows the plan, and raises unless it may be carried out.

    Args:
        begun: finds the runs that have begun, of jobs by their labels.
    """

    def approve(plan: Plan) -> None:
        show_plan(plan)
        doubts = []
        if was_dev:
            click.echo(
                f"stage {stage} was made by `devbridge dev`:"
                " its stubs go, and its jobs and functions run in the cloud"
            )
            doubts.append("makes a stage of `devbridge dev` a deployed one")
        if plan.dangerous:
            named = ", ".join(sorted({change.label for change in plan.dangerous}))
            doubts.append(f"replaces or removes what holds data: {named}")
        if runs := begun(plan.moving):
            list_runs("under way in places that their jobs leave, without their rights there", runs)
            doubts.append(f"takes their rights from {many(len(runs), 'run')} under way")
        if doubts and not yes:
            confirm("deploy this?", f"the deployment {' and '.join(doubts)}")

    return approve
