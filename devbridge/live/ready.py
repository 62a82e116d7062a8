"""The last words of a deployment: what there is now, and what to do next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from devbridge import names, proxies
from devbridge.constructs import Api, App, Job
from devbridge.payload.example import example

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
    calls = []
    for api in app.of_type(Api):
        for route in api.routes:
            method, _, path = route.key.rpartition(" ")
            url = f"{outputs[names.output(api, 'Url')]}{path if path != '$default' else '/'}"
            option = f"-X {method} " if method not in ("", "ANY", "GET") else ""
            calls.append(f"  {proxies.curl(shell, url)} {option}'{url}'")
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


def _payload(schema: Mapping[str, Any]) -> str:
    """An example, as a shell takes it."""
    return shlex.quote(json.dumps(example(schema), ensure_ascii=False))
