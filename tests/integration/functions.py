"""A workbench for live functions: an app's folder, real workers, and hot reload as it is."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import textwrap
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

from devbridge.daemon.environment import worker_environment
from devbridge.daemon.jobs import Deployment, Jobs
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.pool.functions import Functions
from devbridge.daemon.pool.replies import Reply
from devbridge.daemon.reloading import Reloading
from devbridge.daemon.settings import Settings, Workshop
from devbridge.daemon.told import Told
from devbridge.folders import cache_dir
from devbridge.languages.debuggers import Debuggers
from devbridge.languages.node.bundler import DevBundler
from devbridge.languages.node.launcher import NodeLauncher
from devbridge.protocol.messages import Invoke, Raised, Responded
from devbridge.runs.model import FunctionSpec
from devbridge.testing import MemoryObjects
from devbridge.workers.base import FreshLauncher, Launcher
from tests import node as nodes

PYTHON = Path(sys.executable)
NODE: dict[str, Any] = {
    "runtime": "nodejs24.x",
    "environment": {"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs24.x"},
}
"""What a function in TypeScript is made with."""
DEADLINE = 30.0
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:demo_dev_api-fn"
T = TypeVar("T")


def function(name: str = "api", handler: str = "api/start.handler", **options: Any) -> FunctionSpec:
    given: dict[str, Any] = {
        "environment": {},
        "timeout": 20.0,
        "memory_mb": 512,
        "role_arn": "arn:aws:iam::123456789012:role/api",
        "function_name": f"demo_dev_{name}-fn",
        "log_group": f"/aws/lambda/demo_dev_{name}-fn",
        "definition_arn": ARN,
        **options,
    }
    return FunctionSpec(name=name, handler=handler, **given)


def node_launcher(root: Path, *, blanks: bool = False) -> NodeLauncher:
    """A launcher of Node's workers as `devbridge dev` has it."""
    bundler = DevBundler(root / ".devbridge" / "bundles", cache_dir(), os.environ)
    return NodeLauncher(bundler, lambda _: Path(nodes.NODE), blanks=blanks)


class Kept:
    """A listener that keeps what is told."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.news = asyncio.Event()

    def on(self, event: Told) -> None:
        self.told.append(event)
        self.news.set()


class Bench:
    """Live functions of an app in `root`, in Python or (`suffix`) in TypeScript."""

    def __init__(
        self,
        root: Path,
        launcher: Launcher,
        specs: list[FunctionSpec],
        *,
        concurrency: int = 2,
        standbys: bool = True,
        credentials: Any = None,
        suffix: str = ".py",
        debuggers: Debuggers | None = None,
    ) -> None:
        self.root = root
        self.suffix = suffix
        self.kept = Kept()
        self.narrator = Narrator([self.kept])
        self.answers: dict[str, list[Reply]] = {}
        self._news = asyncio.Event()
        self._numbers = itertools.count(1)
        settings = Settings(
            root=root,
            python=PYTHON,
            logs=root / "logs",
            state_dir=root,
            concurrency=concurrency,
            grace=10,
            standbys=standbys,
        )
        workshop = Workshop(
            launcher,
            lambda spec, address: worker_environment(
                {**os.environ, "AWS_ACCESS_KEY_ID": "AKIADEVELOPER"},
                spec,
                address,
                root=root,
                region="eu-west-1",
            ),
            credentials,
            debuggers,
            objects=MemoryObjects(),
        )
        self.specs = {spec.name: spec for spec in specs}
        self.reloading = Reloading(
            root,
            Deployment(Jobs(), functions=self.specs),
            None,  # type: ignore[arg-type]  # nothing is deployed
            self.narrator,
            post=lambda events: None,
            may_deploy=lambda: False,
        )
        self.functions = Functions(
            settings, workshop, self.narrator, self.reloading, answer=self._answer
        )
        self.reloading.functions = self.functions
        self.launcher = launcher

    def _answer(self, asked: Invoke, reply: Reply) -> None:
        self.answers.setdefault(asked.request_id, []).append(reply)
        self._news.set()

    def write(self, path: str, code: str) -> Path:
        """Write a file as an editor does."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.draft")
        draft.write_text(textwrap.dedent(code))
        draft.replace(file)
        return file

    def code(self, python: str, typescript: str, module: str = "api/start") -> Path:
        """Save a module in the language that the bench is of."""
        return self.write(module + self.suffix, python if self.suffix == ".py" else typescript)

    def ask(self, event: Any = None, name: str = "api", **options: Any) -> str:
        """Call a function; the request's id."""
        given: dict[str, Any] = {"remaining": 25_000, "aws_request_id": str(uuid.uuid4())}
        asked = Invoke(
            request_id=str(uuid.uuid4()),
            stub_id=str(uuid.uuid4()),
            function=name,
            function_arn=ARN,
            **{**given, **options},
        )
        self.functions.invoke(asked, json.dumps(event).encode())
        return asked.request_id

    async def until(self, condition: Callable[[], T | None]) -> T:
        """Return when something is so: it is asked with each news, and as a file has none, without
        any, too."""
        async with asyncio.timeout(DEADLINE):
            while (found := condition()) is None:
                self._news.clear()
                self.kept.news.clear()
                waits = [asyncio.create_task(each.wait()) for each in (self._news, self.kept.news)]
                try:
                    await asyncio.wait(waits, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for each in waits:
                        each.cancel()
        return found

    async def end(self, request_id: str) -> Responded | Raised:
        def ended() -> Responded | Raised | None:
            found = self.answers.get(request_id, [])
            return found[0] if found else None

        return await self.until(ended)

    async def result(self, event: Any = None, name: str = "api", **options: Any) -> Any:
        """What a function answers."""
        end = await self.end(self.ask(event, name, **options))
        assert isinstance(end, Responded), end
        return json.loads(end.body or b"")

    async def error(self, event: Any = None, name: str = "api", **options: Any) -> dict[str, Any]:
        """The document of the error that a function answers."""
        end = await self.end(self.ask(event, name, **options))
        assert isinstance(end, Raised), end
        document: dict[str, Any] = json.loads(end.error)
        return document

    async def told(self, kind: type[T], count: int = 1) -> T:
        """The so-manieth event of a kind."""

        def found() -> T | None:
            events = [each for each in self.kept.told if isinstance(each, kind)]
            return events[count - 1] if len(events) >= count else None

        return await self.until(found)


@contextlib.asynccontextmanager
async def bench(
    root: Path,
    *specs: FunctionSpec,
    launcher: Callable[[], Launcher] = FreshLauncher,
    files: dict[str, str] | None = None,
    debuggers: Debuggers | None = None,
    **options: Any,
) -> AsyncIterator[Bench]:
    one = Bench(root, launcher(), list(specs or [function()]), debuggers=debuggers, **options)
    for path, code in (files or {}).items():
        one.write(path, code)
    await one.functions.start()
    one.functions.adopt(one.specs)
    watching = asyncio.create_task(one.reloading.watch())
    try:
        yield one
    finally:
        watching.cancel()
        await one.functions.close()
        one.reloading.close()
        await one.launcher.close()
        if debuggers is not None:
            await debuggers.close()
