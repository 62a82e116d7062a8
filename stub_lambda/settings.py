"""What the stub is told by its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from devbridge.errors import DevbridgeError
from devbridge.protocol.messages import Topics
from devbridge.transport.base import AwsCredentials, Endpoint
from stub_lambda.environment import Placement, required

OFFLINE_QUEUE: Final = "queue"
OFFLINE_ERROR: Final = "error"
OFFLINE_CLOUD: Final = "cloud"
_POLICIES: Final = (OFFLINE_QUEUE, OFFLINE_ERROR, OFFLINE_CLOUD)


@dataclass(frozen=True, slots=True)
class Settings:
    """One job of one app and stage, and the broker to its daemon."""

    app: str
    stage: str
    job: str
    endpoint: Endpoint
    offline: str = OFFLINE_QUEUE
    placement: Placement | None = None
    """When the job is deployed, too."""

    @property
    def topics(self) -> Topics:
        """The MQTT topics of the stage."""
        return Topics(self.app, self.stage)

    @staticmethod
    def from_environment() -> Settings:
        """What this function's environment variables say.

        Raises:
            DevbridgeError: a variable is missing or wrong.
        """
        offline = os.environ.get("DEVBRIDGE_OFFLINE") or OFFLINE_QUEUE
        if offline not in _POLICIES:
            raise DevbridgeError(
                f"DEVBRIDGE_OFFLINE is {offline!r}", remedy=f"use one of {', '.join(_POLICIES)}"
            )
        dial = None
        if url := os.environ.get("AWS_ENDPOINT_URL"):
            # The embedded cloud: all its services are at one address, the broker too.
            parts = urlsplit(url)
            dial = (parts.hostname or "127.0.0.1", parts.port or 80)
        return Settings(
            app=required("DEVBRIDGE_APP"),
            stage=required("DEVBRIDGE_STAGE"),
            job=required("DEVBRIDGE_JOB"),
            endpoint=Endpoint(required("DEVBRIDGE_IOT_ENDPOINT"), required("AWS_REGION"), dial),
            offline=offline,
            placement=Placement.from_environment(),
        )


def credentials() -> AwsCredentials | None:
    """The function's own credentials, as Lambda gives them now."""
    access_key = os.environ.get("AWS_ACCESS_KEY_ID")
    secret_key = os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        return None
    return AwsCredentials(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN"))
