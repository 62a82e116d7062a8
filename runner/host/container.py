"""A container: a job of AWS Batch, or a task of Amazon ECS on Fargate.

What it tells is in S3, because those services forget: when the first attempt begins, at each
change, and at the end. SIGTERM says that its machine is taken away: the run goes on, as the same
attempt and at its last checkpoint, on the next one, which finds there how far it has come.
"""

from __future__ import annotations

import functools
import json
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runner.host.base import Pause, Window
from runner.host.settings import Settings
from runner.host.store import Store
from runner.host.told import Told
from runner.outcome import CANCELLED, End

FOLDER = "DEVBRIDGE_FOLDER"
"""The variable with the folder in which code and packages were unpacked."""
METADATA = "ECS_CONTAINER_METADATA_URI_V4"
_PATIENCE = 2.0
"""Seconds for ECS to tell what is only good to know."""
_RESERVE = 20.0
"""Seconds of the provider's notice that are not the handler's: what it has started is ended, and
somebody is told."""


class ContainerHost:
    """The container."""

    interruptible = True
    cancelled = False

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._store = Store(settings)
        folder = environment.get(FOLDER)
        self.root = os.path.join(folder, "src") if folder else os.getcwd()
        packages = os.path.join(folder or "", "packages")
        self.packages = packages if folder and os.path.isdir(packages) else ""
        self.grace = max(settings.grace - _RESERVE, settings.grace / 2)
        metadata = read_metadata(environment.get(METADATA, ""))
        self.arn = str((metadata.get("Labels") or {}).get("com.amazonaws.ecs.task-arn") or "")
        options = metadata.get("LogOptions") or {}
        group, stream = options.get("awslogs-group"), options.get("awslogs-stream")
        self._logs = (str(group), str(stream)) if group and stream else None

    def variables(self) -> Mapping[str, str]:
        """See `Host`."""
        group, stream = self._logs or ("", "")
        return {"AWS_LAMBDA_LOG_GROUP_NAME": group, "AWS_LAMBDA_LOG_STREAM_NAME": stream}

    def logs(self) -> tuple[str, str] | None:
        """See `Host`."""
        return self._logs

    def earlier(self) -> Told | None:
        """See `Host`."""
        found = self._store.told()
        told = found and found[0]
        if self._is_cancelled() and not (told and told.ended):
            return replace(told or Told(), state=CANCELLED)
        return told

    def _is_cancelled(self) -> bool:
        self.cancelled = self._store.ended()
        return self.cancelled

    def window(self, timeout: float, spent: float) -> Window:
        """See `Host`. Who begins anew has all the time again."""
        return Window(timeout)

    def pause(self, timeout: float, delay: float) -> Pause:
        """See `Host`."""
        return Pause(delay)

    def tell(self, told: Told) -> None:
        """See `Host`."""
        self._store.tell(told)

    def hand_over(self, told: Told, *, progress: bool | None) -> End | None:
        """See `Host`. The provider, or the job's invoker, starts the next machine, unless what
        was called an interruption is a cancellation."""
        if self._is_cancelled():
            return End(CANCELLED)
        if told.started_at is not None:
            self.tell(told)
        return None


def read_metadata(url: str) -> Mapping[str, Any]:
    """What ECS tells of the container; nothing if it does not. It is asked again only then."""
    try:
        return _metadata(url) if url else {}
    except (OSError, ValueError):
        return {}


@functools.cache  # a worker has a host for each message
def _metadata(url: str) -> Mapping[str, Any]:
    """
    Raises:
        OSError, ValueError: ECS does not tell it.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_PATIENCE) as response:
        found = json.load(response)
    return found if isinstance(found, dict) else {}
