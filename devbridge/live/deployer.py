"""The steps of a deployment by `devbridge dev`, on a real cloud."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from devbridge.cloud.session import Cloud
from devbridge.config import Config
from devbridge.constructs import App
from devbridge.constructs.load import load_app
from devbridge.deploy import Deployed, Request, deploy
from devbridge.live.broken import Broken
from devbridge.live.consent import Consent
from devbridge.live.left_out import LeftOut
from devbridge.live.schemas import Schemas, known_schemas
from devbridge.live.steps import Kept, Steps
from devbridge.live.unloaded import Unloaded
from devbridge.live.voice import Voice
from devbridge.runs.model import JobSpec


@dataclass(frozen=True, slots=True)
class Deployer:
    """Deploys one stage's stubs (`devbridge.live.redeployer.Deploys`)."""

    config: Config
    cloud: Cloud
    voice: Voice
    consent: Consent
    broken: Broken
    unloaded: Unloaded
    stopped: threading.Event = field(default_factory=threading.Event)
    """The daemon ends: nothing that is imported is waited for any more."""

    @property
    def whole(self) -> bool:
        """Whether the last deployment has left no function out."""
        return not self.broken

    def load(self) -> App:
        """The app as it is saved now; a handler that is not there yet is no error."""
        return load_app(self.config.root, self.config.stage, lenient=True, slow=self.voice)

    def schemas(self, app: App) -> Schemas:
        """What the app's jobs take; it is written down for live jobs and type checkers, too."""
        try:
            return known_schemas(
                app,
                self.config,
                self.voice.warn,
                self.voice,
                self.stopped.is_set,
                unloaded=self.unloaded,
            )
        finally:
            self.unloaded.tell()

    def deploy(self, app: App, schemas: Schemas) -> Deployed:
        """Deploy the difference, and say how it goes. Functions that cannot be packed are left
        out, and said.

        Raises:
            Undecided: it would take data away, and nobody has agreed to that yet.
            DevbridgeError: it cannot be deployed.
        """
        self.broken.begin()
        steps = self._steps()
        request = Request.of(
            self.config, app, self.cloud, "dev", schemas=schemas, on_progress=steps
        )

        approve = steps.after(self.consent.approve)
        try:
            deployed = deploy(request, approve=approve, broken=self.broken)
        finally:
            self.unloaded.tell()
        steps.end()
        self.consent.settled()
        deployed = replace(deployed, jobs=[self._timed(spec) for spec in deployed.jobs])
        if not deployed.changed and not self.broken:
            self.voice("nothing to deploy: the stage is up to date")
        return deployed

    def _timed(self, spec: JobSpec) -> JobSpec:
        """With the timeout that all jobs have here, if they have one."""
        timeout = self.config.timeout
        return spec if timeout is None else replace(spec, timeout=timeout.total_seconds())

    def _steps(self) -> Steps:
        """What is warned of with each deployment is said when it is new. On a terminal a later
        deployment is one line in the end, which is not said here."""
        kept: Kept = "all"
        if self.voice.brief:
            kept = "nothing" if self.consent.running else "summary"
        left = None if kept == "all" else LeftOut(self.config.left_out)
        return Steps(self.voice, self.voice.style, kept, warn=self.voice.once, left=left)
