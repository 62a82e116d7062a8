"""One handler in three ways: in fresh interpreters, in forks, and as a build runs it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devbridge.environment import inherited
from devbridge.languages.python.zygote import ZygoteLauncher
from devbridge.workers.base import FreshLauncher, Launcher
from devbridge.workers.rlimits import RUNNER
from runner.host.codebuild import EXPORTS
from tests.corpus import facts
from tests.corpus.libraries import Library
from tests.integration.workers import Bench, Worker, bench, developer

RUNS = 3
_HANDLER = """
import json, facts

def handler(payload):
    result = use()
    with open(payload, "w") as file:
        json.dump(facts.facts(), file)
    return result
"""


class Credentials:
    """The same for all."""

    async def get(self, role_arn: str) -> Mapping[str, str]:
        return {
            "AccessKeyId": "AKIAROLE",
            "SecretAccessKey": "secret",
            "Token": role_arn,
            "Expiration": "2099-01-01T00:00:00Z",
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has returned and printed, and what it has seen of the SDK."""

    result: object
    facts: Mapping[str, str]
    output: str

    def difference(self, other: Outcome, *, results: bool) -> str | None:
        """The first thing in which they differ; None: they are one."""
        if results and self.result != other.result:
            return f"result: {self.result!r} and {other.result!r}"
        if self.output != other.output:
            return f"output: {self.output!r} and {other.output!r}"
        for key in sorted(self.facts.keys() | other.facts.keys()):
            ours, theirs = (str(one.facts.get(key)) for one in (self, other))
            if ours != theirs:
                parts = set(ours.split()) ^ set(theirs.split())
                return f"{key}: {' '.join(sorted(parts))[:500]}"
        return None


def prepare(root: Path, library: Library) -> None:
    """Write the app."""
    (root / "jobs").mkdir(parents=True)
    (root / "jobs/one.py").write_text(library.code + _HANDLER)
    shutil.copy(facts.__file__, root / "facts.py")


async def live(root: Path, library: Library, python: Path, *, fork: bool) -> list[Outcome]:
    """Its outcomes, as `devbridge dev` would have them: after a problem, in fresh interpreters.

    Without `fork` there are only those, and the last one is that of a build.
    """
    launcher: Launcher = (
        ZygoteLauncher(python, inherited(developer()), root=root) if fork else FreshLauncher()
    )
    async with bench(root, lambda: launcher, Credentials()) as one:
        one.python = python
        await launcher.prepare([], ["boto3"])
        outcomes = []
        for number in range(RUNS):
            worker = await _usable(one, library)
            path = root / f"facts-{worker.id}-{number}"
            await worker.run(json.dumps(str(path)).encode())
            result = json.loads(await worker.result())
            await worker.exit()
            output = await worker.output()
            outcomes.append(_outcome(result, path, output))
        if not fork:
            outcomes.append(await asyncio.to_thread(deployed, one, library, python))
        if isinstance(launcher, ZygoteLauncher):
            assert bool(launcher.distrusted) == library.fresh, dict(launcher.distrusted)
    return outcomes


async def _usable(one: Bench, library: Library) -> Worker:
    """A worker that the launcher would have used, as the daemon does it."""
    environment: Any = dict(library.environment)
    for _ in range(2):
        worker = await one.launch(handler="jobs/one.handler", **environment)
        loaded = await one.said.loaded(worker.id)
        if loaded is None or not one.launcher.reported("factorial", loaded):
            return worker
    raise AssertionError("a fresh interpreter was refused")


def deployed(one: Bench, library: Library, python: Path) -> Outcome:
    """Its outcome in a build, which has its credentials from a container's endpoint, too."""
    root = one.root
    path = root / "facts-deployed"
    address = one.api.add_worker("deployed", "arn:aws:iam::1:role/job")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
        "DEVBRIDGE_JOB_NAME": "one",
        "DEVBRIDGE_HANDLER": "jobs/one.handler",
        "DEVBRIDGE_PAYLOAD": json.dumps(str(path)),
        "DEVBRIDGE_INLINE": "1",
        "AWS_REGION": "eu-west-1",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": address.credentials_uri,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": address.credentials_token,
        **dict(library.environment),
    }
    done = subprocess.run(
        [os.fspath(python), os.fspath(RUNNER), "build"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    exported = shlex.split((root / EXPORTS).read_text().replace("\n", " "))
    (result,) = (one.partition("=")[2] for one in exported if one.startswith("DEVBRIDGE_RESULT="))
    own = [
        line for line in done.stdout.splitlines() if not line.startswith(("|  ", '{"devbridge"'))
    ]
    output = "".join(f"{line}\n" for line in own)
    return _outcome(json.loads(result), path, output)


def _outcome(result: object, facts_file: Path, output: str) -> Outcome:
    output = re.sub(r"(/tmp/[a-z]+)\S*", r"\1", output)  # names that are drawn
    return Outcome(result, json.loads(facts_file.read_text()), output)


async def compare(root: Path, library: Library, python: Path) -> list[str]:
    """In what the ways differ; nothing: they do not."""
    prepare(root, library)
    *fresh, build = await live(root, library, python, fork=False)
    forked = await live(root, library, python, fork=True)
    problems = []
    for what, outcome in [*(("forked", one) for one in forked), ("deployed", build)]:
        found = fresh[0].difference(outcome, results=not library.varies)
        if found is not None:
            problems.append(f"fresh and {what}: {found}")
    results = [json.dumps(one.result) for one in (*fresh, *forked, build)]
    if library.varies and len(set(results)) < len(results):
        problems.append(f"runs share what they draw: {results}")
    return problems
