"""What the deployment needs of a cloud. `devbridge.cloud.session.Cloud` is one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from devbridge.runs.base import Account
from devbridge.transport.base import Endpoint


class Access(Account, Protocol):
    """One AWS account and region, real or embedded, and who we are there."""

    @property
    def principal_arn(self) -> str:
        """Who asks, as STS calls them."""

    def iot_endpoint(self) -> Endpoint:
        """Where the account's MQTT broker is."""

    def explained(self) -> AbstractContextManager[None]:
        """Turns failures of credentials and connection into errors of devbridge."""


Step = Literal["build", "upload", "plan", "wait", "resource", "warning", "left"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a deployment, as it is done."""

    step: Step
    text: str
    """What the step is about: a construct, an asset, the stack."""
    type: str = ""
    """``AWS::Lambda::Function``, for resources."""
    status: str = ""
    """CloudFormation's, e.g. ``CREATE_COMPLETE``."""
    logical_id: str = ""
    """CloudFormation's name of the resource."""
    reason: str = ""
    """Why it failed."""
    size: int = 0
    """Bytes, of what was uploaded."""

    @property
    def failed(self) -> bool:
        """Whether the resource could not be created, changed or deleted."""
        return self.status.endswith("FAILED")

    def __str__(self) -> str:
        if self.step != "resource":
            step = "warning" if self.step == "left" else self.step
            return f"{step:<8} {self.text}"
        status = self.status.lower().replace("_", " ")
        reason = f": {self.reason}" if self.failed and self.reason else ""
        return f"{status:<18} {self.type:<32} {self.text}{reason}"


OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Nobody hears of it."""
