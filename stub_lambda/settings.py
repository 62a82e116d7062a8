"""What the stub is told by its environment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from devbridge.errors import DevbridgeError
from devbridge.protocol.messages import Topics
from devbridge.transport.base import AwsCredentials, Endpoint
from stub_lambda.environment import Placement, required

OFFLINE_QUEUE: Final = "queue"
OFFLINE_ERROR: Final = "error"
OFFLINE_CLOUD: Final = "cloud"
_POLICIES: Final = (OFFLINE_QUEUE, OFFLINE_ERROR, OFFLINE_CLOUD)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """An app's stage, and the broker to its daemon."""

    app: str
    stage: str
    endpoint: Endpoint
    offline: str = OFFLINE_QUEUE

    @property
    def topics(self) -> Topics:
        """The MQTT topics of the stage."""
        return Topics(self.app, self.stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StageSettings):
    """One job of it."""

    job: str
    placement: Placement | None = None
    """When the job is deployed, too."""

    @staticmethod
    def from_environment() -> Settings:
        """What this function's environment variables say.

        Raises:
            DevbridgeError: a variable is missing or wrong.
        """
        return Settings(
            **_of_stage(OFFLINE_QUEUE, _POLICIES),
            job=required("DEVBRIDGE_JOB"),
            placement=Placement.from_environment(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings(StageSettings):
    """One live function of it."""

    function: str
    bucket: str
    """It has the events and answers that are too large for the wire."""
    timeout: float
    """Seconds that the function itself may take."""
    copy: str = ""
    """The function with the deployed code, which answers when nobody is at home, if one does."""

    @staticmethod
    def from_environment() -> FunctionSettings:
        """What this function's environment variables say.

        Raises:
            DevbridgeError: a variable is missing or wrong.
        """
        return FunctionSettings(
            **_of_stage(OFFLINE_ERROR, (OFFLINE_CLOUD, OFFLINE_ERROR)),
            function=required("DEVBRIDGE_FUNCTION_NAME"),
            bucket=required("DEVBRIDGE_BUCKET"),
            timeout=float(required("DEVBRIDGE_TIMEOUT")),
            copy=os.environ.get("DEVBRIDGE_COPY", ""),
        )


def _of_stage(default: str, policies: Sequence[str]) -> dict[str, Any]:
    offline = os.environ.get("DEVBRIDGE_OFFLINE") or default
    if offline not in policies:
        raise DevbridgeError(
            f"DEVBRIDGE_OFFLINE is {offline!r}", remedy=f"use one of {', '.join(policies)}"
        )
    dial = None
    if url := os.environ.get("AWS_ENDPOINT_URL"):
        # The embedded cloud: all its services are at one address, the broker too.
        parts = urlsplit(url)
        dial = (parts.hostname or "127.0.0.1", parts.port or 80)
    return {
        "app": required("DEVBRIDGE_APP"),
        "stage": required("DEVBRIDGE_STAGE"),
        "endpoint": Endpoint(required("DEVBRIDGE_IOT_ENDPOINT"), required("AWS_REGION"), dial),
        "offline": offline,
    }


def credentials() -> AwsCredentials | None:
    """The function's own credentials, as Lambda gives them now."""
    access_key = os.environ.get("AWS_ACCESS_KEY_ID")
    secret_key = os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        return None
    return AwsCredentials(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN"))
