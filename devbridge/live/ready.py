"""The last words of a deployment: what there is now, and what to do next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from devbridge import names, proxies
from devbridge.constructs import Api, App, Function, Job, OnLog, OnRequest, Schedule
from devbridge.constructs.owners import triggers
from devbridge.payload.example import example
from devbridge.words import few

CLOUD_STAYS: Final = "the embedded cloud goes on; stop it with: devbridge cloud stop"

TRIED: Final = 5
"""Calls that are shown; of others it is said how many there are."""

Emphasis = Callable[[str], str]


def ready(
    app: App,
    outputs: Mapping[str, str],
    said: str,
    *,
    schemas: Mapping[str, Any] = {},
    options: str = "",
    shell: Mapping[str, str] = {},
    bold: Emphasis = str,
) -> Iterator[str]:
    """What was deployed, and what to do next, a line each.

    Args:
        outputs: the stack's, by name.
        said: the line between the two: ``Ready in 1.2s: factorial.``
        schemas: of the jobs' payloads, by the job's name.
        options: those that a devbridge command needs to mean this stage, e.g. ``--stage prod``.
        shell: its variables, of which the proxies count: loopback is reached past them.
    """
    for key, value in outputs.items():
        if key.endswith("Url"):
            yield f"{key:<12} {bold(value)}"
    calls = [
        _curl(outputs[names.output(api, "Url")], route, data, shell)
        for api in app.of_type(Api)
        for route, data in _routes(app, api, schemas)
    ]
    if not calls:
        given = f"{options} " if options else ""
        calls = [
            f"  devbridge invoke {job.name} {given}--payload {_payload(schemas.get(job.name, {}))}"
            for job in app.of_type(Job)
        ]
    yield f"{said} Try:" if calls else said
    yield from calls[:TRIED]
    if more := calls[TRIED:]:
        yield f"  ... and {len(more)} more"


def schedules_off(app: App) -> Iterator[str]:
    """That the clock starts no live jobs, and calls no functions, if it would."""
    waiting = [
        owner.name
        for owner, each in triggers(app, Schedule)
        if each.enabled and (isinstance(owner, Function) or owner.live)
    ]
    if waiting:
        them = few(list(dict.fromkeys(waiting)))
        yield f"schedules are off ({them}): turn them on with `devbridge dev --schedules`"


def outside(app: App) -> Iterator[str]:
    """That functions run on this machine, and so outside the VPC that they are deployed in."""
    found: dict[str, list[str]] = {}
    for function in app.of_type(Function):
        if function.live and function.vpc:
            subnets = ", ".join(function.vpc.subnets)
            found.setdefault(f"{function.vpc.id} ({subnets})", []).append(function.name)
    for where, inside in found.items():
        yield (
            f"{few(inside)}: here, and not in {where}: addresses that only that network has are"
            " reached through a VPN or a tunnel; enable_live_dev=False leaves a function there"
        )


def older(whose: Sequence[str]) -> Iterator[str]:
    """That what stands in for them from now on is not what was saved last."""
    if whose:
        them = few(list(whose))
        yield f"deployed code is older than your last saves: {them}; `devbridge dev` deploys it"


def unheard(app: App) -> Iterator[str]:
    """That what runs on this machine logs here, and so starts nothing that listens to a log."""
    found: dict[str, list[str]] = {}
    for owner, trigger in triggers(app, OnLog):
        if isinstance(trigger.of, Function | Job) and trigger.of.live:
            found.setdefault(trigger.of.name, []).append(owner.name)
    for name, owners in found.items():
        yield f"what {name} prints is here, and in no log group: unheard by {few(owners)}"


def _routes(app: App, api: Api, schemas: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The keys of an API's routes, and what is sent by those that start a job."""
    for route in api.routes:
        yield route.key, ""
    for owner, trigger in triggers(app, OnRequest):
        if trigger.api is api:
            bodiless = trigger.route.startswith(("GET ", "HEAD ", "DELETE ", "OPTIONS "))
            sends = isinstance(owner, Job) and not bodiless
            yield trigger.route, _payload(schemas.get(owner.name, {})) if sends else ""


def _curl(url: str, route: str, data: str, shell: Mapping[str, str]) -> str:
    method, _, path = route.rpartition(" ")
    url += path if path != "$default" else "/"
    # With data, it is POST.
    shown = method not in ("", "ANY", "POST" if data else "GET")
    option = f"-X {method} " if shown else ""
    sent = f" --data {data}" if data else ""
    return f"  {proxies.curl(shell, url)} {option}'{url}'{sent}"


def _payload(schema: Mapping[str, Any]) -> str:
    """An example, as a shell takes it."""
    return shlex.quote(json.dumps(example(schema), ensure_ascii=False))
