"""Request: what is to be deployed, where, and who hears of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from devbridge.config import Config
from devbridge.constructs import App
from devbridge.deploy.access import Access, OnProgress, silent
from devbridge.deploy.stacks import Pace, patient
from devbridge.names import Mode


@dataclass(frozen=True, slots=True)
class Request:
    """One deployment, or the question what it would change or make."""

    app: App
    cloud: Access
    _: KW_ONLY
    stage: str
    mode: Mode
    """"dev": with stubs, for `devbridge dev`; "deployed": all jobs in the cloud."""
    python: Path = Path(sys.executable)
    """The app's interpreter, whose packages its code gets."""
    offline: str = "queue"
    """What the stubs do when no daemon is connected: queue, error or cloud."""
    schedules: bool = False
    """The clock starts live jobs, and calls functions, too."""
    schemas: Mapping[str, Any] = field(default_factory=dict)
    """JSON Schemas of the jobs' payloads by the job's name, for those who bind them."""
    on_progress: OnProgress = silent
    pace: Pace = patient
    """The pauses between questions to CloudFormation."""
    local: bool = False
    """Whether who asks named the cloud with ``--local``."""

    @classmethod
    def of(cls, config: Config, app: App, cloud: Access, mode: Mode, **more: Any) -> Request:
        """That of a command, for the stage and with the interpreter of its options."""
        return cls(
            app,
            cloud,
            stage=config.stage,
            mode=mode,
            python=config.python,
            offline=config.offline,
            schedules=config.schedules,
            local=config.local,
            **more,
        )

    @property
    def options(self) -> str:
        """Those with which other commands mean this stage: ``--stage prod --local``."""
        return f"--stage {self.stage}{' --local' if self.local else ''}"

    @property
    def tags(self) -> Mapping[str, str]:
        """Those of the stage's stack."""
        return {"devbridge:app": self.app.name, "devbridge:stage": self.stage}
