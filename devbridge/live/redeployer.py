"""Deploys the app anew while the daemon runs: only what has changed, and one after the other."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from devbridge.constructs import App
from devbridge.daemon.jobs import Deployment, Jobs
from devbridge.deploy import Deployed
from devbridge.live.consent import Undecided
from devbridge.live.ready import Emphasis, ready
from devbridge.live.schemas import Schemas, retyped
from devbridge.live.steps import deployed
from devbridge.live.threads import in_thread
from devbridge.live.voice import Voice
from devbridge.runs.model import CodeSpec
from devbridge.workers.signatures import Declarations


@dataclass(frozen=True, slots=True)
class Good:
    """What was deployed last."""

    app: App
    schemas: Schemas
    deployed: Deployed
    options: str = ""
    """Those that a devbridge command needs to mean this stage."""

    def ready(self, said: str, bold: Emphasis) -> list[str]:
        """What there is, and what to do next: see `devbridge.live.ready`."""
        outputs = self.deployed.outputs
        schemas, options, shell = self.schemas, self.options, os.environ
        shown = ready(
            self.app, outputs, said, schemas=schemas, options=options, shell=shell, bold=bold
        )
        return list(shown)


class Deploys(Protocol):
    """The steps of a deployment, each of which may take seconds: they run in a thread."""

    @property
    def whole(self) -> bool:
        """The last deployment has left nothing out."""
        ...

    def load(self) -> App:
        """The app as it is saved now.

        Raises:
            DevbridgeError: it cannot be loaded.
        """
        ...

    def schemas(self, app: App) -> Schemas:
        """What the app's jobs take, as their handlers are saved now."""
        ...

    def deploy(self, app: App, schemas: Schemas) -> Deployed:
        """Make the stage what the app says.

        Raises:
            Undecided: that would take data away, and nobody has agreed.
            DevbridgeError: it cannot be deployed.
        """
        ...


class Redeployer:
    """Knows what was deployed last, and replaces it (`devbridge.daemon.jobs.Redeploys`).

    Args:
        listen: calls what it is given once somebody has agreed to what the deployment asked.
        prepare: has workers find imported already what they are going to import, and what the
            app vouches for.
    """

    def __init__(
        self,
        deploys: Deploys,
        good: Good,
        voice: Voice,
        *,
        listen: Callable[[Callable[[], None]], None],
        prepare: Callable[[Iterable[CodeSpec], Iterable[str]], Awaitable[None]],
    ) -> None:
        self._deploys = deploys
        self._voice = voice
        self._listen = listen
        self._prepare = prepare
        self._one = asyncio.Lock()
        """A save may ask for both at once; the second is to see what the first has done."""
        self.good = good

    @property
    def deployment(self) -> Deployment:
        """What was deployed last, as the daemon is told it."""
        return self._deployment(self.good.app)

    async def redeploy(self, again: Callable[[], None]) -> Deployment:
        """Load the app and deploy the difference. What would take data away, and
        is not agreed to, leaves all that is deployed as it is; `again` is called once it is.

        Raises:
            DevbridgeError: the app cannot be loaded or deployed; what was deployed last stays.
        """
        async with self._one:
            began = time.monotonic()
            app = await in_thread(self._deploys.load)
            schemas = await asyncio.to_thread(self._deploys.schemas, app)
            try:
                deployed = await asyncio.to_thread(self._deploys.deploy, app, schemas)
            except Undecided:
                self._listen(again)
                return self._deployment(app)
            before = self.good
            self.good = Good(app, schemas, deployed, before.options)
            took = time.monotonic() - began
            deployment = self.deployment
            await self._prepare(deployment.codes.values(), app.preload)
            if not deployed.changed:
                return deployment
            return replace(deployment, say=partial(self._tell, before, took))

    async def outdated(self) -> bool:
        """Whether callers hold other schemas than the handlers have now; says whose."""
        async with self._one:
            schemas = await asyncio.to_thread(self._deploys.schemas, self.good.app)
            changed = retyped(self.good.schemas, schemas)
        if changed:
            callers = f"the callers of {', '.join(changed)}"
            self._voice(f"payload types changed: redeploying {callers}")
        return bool(changed)

    def _deployment(self, loaded: App) -> Deployment:
        folders = (Declarations(each, read.signed) for each, read in loaded.job_folders.items())
        return Deployment(
            Jobs(self.good.deployed.jobs),
            frozenset((*loaded.files, *self.good.deployed.files, *folders)),
            loaded.loaded_at,
            functions=self.good.deployed.functions,
            whole=self._deploys.whole,
        )

    def _tell(self, before: Good, took: float) -> None:
        """Say that it is deployed; and what there is and how to call it, if that is new."""
        bold = self._voice.style.bold
        word = self._voice.style.good("Deployed")
        said = deployed(word, self.good.deployed.changes, took)
        known, news = before.ready(said, bold), self.good.ready(said, bold)
        for line in news if {*news} - {*known} else [said]:
            self._voice(line)
