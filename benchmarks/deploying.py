"""Deploying to the embedded cloud: from "nothing to deploy" to a hundred jobs; a deployed run."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks import harness
from benchmarks.harness import Bench, Stamps, Watched
from benchmarks.report import Figures, Goal, Row, figures
from devbridge import names
from devbridge.cloud import keys
from tests.clients import endpoint_of, root_client

SIZES: Final = (1, 20, 100)
"""Jobs of an app."""
STAGE: Final = "bench"
STACK: Final = names.stack("bench", STAGE)
FLOOR_IS: Final = "python: import boto3, one DescribeStacks"

_DEVBRIDGE: Final = (sys.executable, "-m", "devbridge")
_OPTIONS: Final = ("--local", "--stage", STAGE)
_WITHOUT_TYPES: Final = """\
import devbridge.languages.probing as probing
from devbridge.constructs import Job
from devbridge.types import JobTypes
probing.probe = lambda app, *_, **__: {job.name: JobTypes() for job in app.of_type(Job)}
from devbridge.cli import main
main()
"""


async def unchanged(bench: Bench) -> list[Row]:
    """A job and its stage are deployed, and nothing was changed since."""
    deploy: list[float] = []
    floor: list[float] = []
    again: list[float] = []
    untyped: list[float] = []
    app = bench.scratch / "app"
    harness.write(app, source(1))
    async with cloud(app):
        await devbridge(app, "deploy", *_OPTIONS)
        # `dev` leaves its stubs in place: a stage of its own.
        dev = ["dev", "--local", "--stage", "dev"]
        await until_ready(app, [*_DEVBRIDGE, *dev])
        for _ in range(bench.times(10, 1)):
            took, said = await devbridge(app, "deploy", *_OPTIONS)
            if "nothing to deploy" not in said:
                raise harness.Failed(f"there was something to deploy: {said}")
            deploy.append(took)
            floor.append(await _asks(app))
            again.append(await until_ready(app, [*_DEVBRIDGE, *dev]))
            untyped.append(await until_ready(app, [sys.executable, "-c", _WITHOUT_TYPES, *dev]))
    ready = "devbridge dev, second start -> ready"
    return [
        _row('devbridge deploy -> "nothing to deploy"', deploy, floor, FLOOR_IS),
        _row(ready, again, floor, FLOOR_IS),
        _row(ready, again, untyped, "the same, but no handler is asked for its types"),
    ]


async def scale(bench: Bench) -> list[Row]:
    """1, 20 and 100 jobs: what is the cost of each further one?"""
    sizes = (1, 2, 3) if bench.quick else SIZES
    new: dict[int, list[float]] = {size: [] for size in sizes}
    bare: dict[int, list[float]] = {size: [] for size in sizes}
    same: dict[int, list[float]] = {size: [] for size in sizes}
    asked: dict[int, list[float]] = {size: [] for size in sizes}
    floor: dict[int, list[float]] = {size: [] for size in sizes}
    apps = {size: bench.scratch / f"{size}" for size in sizes}
    for turn in range(bench.times(5, 1)):
        for size, app in apps.items():
            harness.write(app, source(size))
            async with cloud(app):
                await _warmed_up(bench, app)
                harness.write(app, source(size, f"# {turn}"))
                new[size].append((await devbridge(app, "deploy", *_OPTIONS))[0])
                same[size].append((await devbridge(app, "deploy", *_OPTIONS))[0])
                asked[size].append((await devbridge(app, "jobs", *_OPTIONS))[0])
                floor[size].append(await _asks(app))
                bare[size].append(await asyncio.to_thread(_bare, app))
    by_cloud = "the embedded cloud alone: create_stack of the same template"
    return [
        *_scaling("devbridge deploy --local", new, bare, by_cloud),
        *_scaling("devbridge deploy, no change", same, floor, FLOOR_IS),
        *_scaling("devbridge jobs", asked, floor, FLOOR_IS),
    ]


async def places(bench: Bench) -> list[Row]:
    """Twenty jobs in each place that they can run in."""
    count = 2 if bench.quick else 20
    computes = ("CodeBuild()", "Fargate()", "Batch()", "Lambda()")[: 1 if bench.quick else None]
    took: dict[str, list[float]] = {compute: [] for compute in computes}
    bare: dict[str, list[float]] = {compute: [] for compute in computes}
    app = bench.scratch / "app"
    for turn in range(bench.times(3, 1)):
        for compute in computes:
            harness.write(app, source(1))
            async with cloud(app):
                await _warmed_up(bench, app)
                harness.write(app, source(count, f"# {turn}", compute))
                took[compute].append((await devbridge(app, "deploy", *_OPTIONS))[0])
                bare[compute].append(await asyncio.to_thread(_bare, app))
    by = "the embedded cloud alone: create_stack of the same template"
    return [
        _row(f"devbridge deploy --local: {count} jobs, {compute}", took[compute], bare[compute], by)
        for compute in computes
    ]


async def _warmed_up(bench: Bench, app: Path) -> None:
    """The cloud imports its services when they are first used."""
    if not bench.quick:
        await devbridge(app, "deploy", "--local", "--stage", "warm-up")


async def run(bench: Bench) -> list[Row]:
    """A deployed job is invoked -> its first line, in a build of the embedded cloud."""
    ours: list[float] = []
    floor: list[float] = []
    app = bench.scratch / "app"
    with harness.stamps(bench) as stamps:
        harness.write(app, {**source(1), "jobs/job0.py": stamps.source + harness.PLAIN})
        async with cloud(app):
            await devbridge(app, "deploy", *_OPTIONS)
            invoker = client(app, "lambda")
            for turn in range(bench.times(30, 2) + 1):
                line = await _invoked(invoker, stamps, turn)
                bare = await _started(app, stamps, turn)
                if turn:  # the first one is cold: the function's container is made
                    ours.append(line * 1000)
                    floor.append(bare * 1000)
    return [
        Row(
            measure="deployed: lambda.invoke -> first line",
            unit="ms",
            ours=figures(ours),
            floor=figures(floor),
            floor_is="python3 is started and calls the same handler",
        )
    ]


def source(jobs: int, comment: str = "", compute: str = "CodeBuild()") -> dict[str, str]:
    """An app with so many jobs, which import nothing; another comment is other code."""
    names = [f"job{number}" for number in range(jobs)]
    text = (
        "from devbridge import App, Batch, CodeBuild, Fargate, Job, Lambda\napp = App('bench')\n"
        + "".join(
            f"Job(app, '{name}', handler='jobs/{name}.handler', timeout='15 minutes',"
            f" compute={compute})\n"
            for name in names
        )
    )
    handler = f"def handler(payload: int) -> int:\n    return payload\n{comment}\n"
    return {"app.py": text, **{f"jobs/{name}.py": handler for name in names}}


@asynccontextmanager
async def cloud(app: Path) -> AsyncIterator[None]:
    """An embedded cloud of its own for an app's folder, with nothing in it."""
    await devbridge(app, "cloud", "start")
    try:
        yield
    finally:
        await devbridge(app, "cloud", "stop")
        shutil.rmtree(app / ".devbridge")


async def devbridge(app: Path, *arguments: str) -> tuple[float, str]:
    """Run a command in an app's folder: seconds until it has ended, and what it said.

    Raises:
        Failed: its exit code was not 0.
    """
    return await timed(app, [*_DEVBRIDGE, *arguments])


def client(app: Path, service: str) -> Any:
    """A client of the embedded cloud that runs in this folder, as root."""
    return root_client(endpoint_of(app), service)


async def timed(app: Path, command: Sequence[str]) -> tuple[float, str]:
    """Run any command in an app's folder, as `devbridge` does."""

    def call() -> tuple[float, str]:
        began = time.perf_counter()
        printed = harness.run(command, cwd=app)
        return time.perf_counter() - began, printed

    return await asyncio.to_thread(call)


async def _asks(app: Path) -> float:
    """Seconds that a process takes which only imports boto3 and asks for the stack's state."""
    key = keys.of_endpoint(endpoint_of(app))
    session = {
        "region_name": "us-east-1",
        "aws_access_key_id": key.access_key,
        "aws_secret_access_key": key.secret_key,
        "endpoint_url": endpoint_of(app),
    }
    text = (
        "import boto3\n"
        f"made = boto3.client('cloudformation', **{session!r})\n"
        f"made.describe_stacks(StackName={STACK!r})\n"
    )
    return (await timed(app, [sys.executable, "-c", text]))[0]


async def until_ready(app: Path, command: Sequence[str]) -> float:
    """Seconds from starting a `devbridge dev` until it is ready; it is stopped again."""
    began = harness.now()
    process = Watched(command, cwd=app)
    try:
        return (await harness.soon(process.expecting(b"Ready in ")) - began) / 1e9
    finally:
        await process.stop(signal.SIGINT)


def _bare(app: Path) -> float:
    """Seconds in which the cloud makes a stack from the template of the deployed one."""
    cloudformation = client(app, "cloudformation")
    body = cloudformation.get_template(StackName=STACK)["TemplateBody"]
    cloudformation.delete_stack(StackName=STACK)
    _until(cloudformation, "DELETE_COMPLETE")
    s3 = client(app, "s3")
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="bare", Body=json.dumps(body).encode())
    began = time.perf_counter()
    cloudformation.create_stack(
        StackName=STACK,
        TemplateURL=f"{endpoint_of(app)}/templates/bare",
        Capabilities=["CAPABILITY_IAM"],
    )
    _until(cloudformation, "CREATE_COMPLETE")
    return time.perf_counter() - began


def _until(cloudformation: Any, wanted: str) -> None:
    deadline = time.monotonic() + harness.DEADLINE
    while (status := _status(cloudformation)) != wanted:
        if not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
            raise harness.Failed(f"the bare stack is {status}")
        time.sleep(0.01)


def _status(cloudformation: Any) -> str:
    try:
        return str(cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])
    except cloudformation.exceptions.ClientError:
        return "DELETE_COMPLETE"


async def _invoked(invoker: Any, stamps: Stamps, turn: int) -> float:
    """Seconds from calling a deployed job's invoker to the first line of the handler."""
    event = {"devbridge": 1, "action": "run", "payload": turn}
    stamps.forget("loaded")
    began = harness.now()
    await asyncio.to_thread(
        invoker.invoke, FunctionName=f"bench_{STAGE}_job0-invoker", Payload=json.dumps(event)
    )
    return (await stamps.next(f"run {turn}") - began) / 1e9


async def _started(app: Path, stamps: Stamps, turn: int) -> float:
    """The same of a process that does nothing else."""
    began = harness.now()
    await timed(app, [sys.executable, "-c", f"from jobs.job0 import handler; handler({turn})"])
    return (await stamps.next(f"run {turn}") - began) / 1e9


def _row(measure: str, ours: Sequence[float], floor: Sequence[float], floor_is: str) -> Row:
    return Row(
        measure=measure, unit="s", ours=figures(ours), floor=figures(floor), floor_is=floor_is
    )


def _scaling(
    what: str, ours: Mapping[int, Sequence[float]], floor: Mapping[int, Sequence[float]], by: str
) -> list[Row]:
    """The totals, and what each further job costs: of the last ones, and of the first."""
    few, some, many = ours
    rows = [_row(f"{what}: {_jobs(size)}", ours[size], floor[size], by) for size in ours]
    last = f"{what}: each further job, {some} to {many}"
    rows.append(
        Row(
            measure=last,
            unit="ms",
            ours=_each(ours, some, many),
            floor=_each(ours, few, some),
            floor_is=f"each further job, {few} to {some}",
            goals=(Goal("ratio", "<=", 1.5),),
        )
    )
    if min(floor[many]) > 2 * min(floor[few]):
        rows.append(replace(rows[-1], floor=_each(floor, some, many), floor_is=by, goals=()))
    return rows


def _each(totals: Mapping[int, Sequence[float]], few: int, many: int) -> Figures:
    """Milliseconds that each job from the one number to the other has added, of the shortest
    times: noise only makes longer. A thousandth at least, where it is less than the noise."""
    more = min(totals[many]) - min(totals[few])
    return Figures(max(more / (many - few) * 1000, 0.001))


def _jobs(count: int) -> str:
    return f"{count} job" if count == 1 else f"{count} jobs"
