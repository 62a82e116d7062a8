"""Containers that run together as a task of ECS: one role, one life, one end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from . import clients, metadata, roles
from .container import Container, Wanted
from .failure import Failure

Json = dict[str, Any]

_OWN: Final = "ECS"
"""The code of a failure that ECS itself tells of, not what starts containers."""
_REAP: Final = 1.0
"""Seconds for a process that was killed to be gone."""


@dataclass(frozen=True, slots=True)
class Room:
    """What tasks share with this cloud: where roles and documents are found by tokens."""

    roles: roles.Register
    metadata: metadata.Register


@dataclass(frozen=True, slots=True)
class Asked:
    """What a task is to be."""

    arn: str
    region: str
    containers: Sequence[Wanted]
    role_arn: str = ""
    execution_role_arn: str = ""
    execution_service: str = roles.TASKS
    """Who assumes the execution role: an instance its own."""
    volumes: Sequence[Mapping[str, Any]] = ()
    variables: Mapping[str, str] | None = None
    """What every container of it has besides its own variables."""


class Task:
    """Prepared, run once and closed; `stop` and `kill` may come at any time from any thread."""

    def __init__(self, asked: Asked, room: Room) -> None:
        self.asked = asked
        self.containers = [Container(wanted) for wanted in asked.containers]
        self._room = room
        self._stack = ExitStack()

    @property
    def pids(self) -> list[int]:
        """The first process of each container that runs."""
        found = (each.process for each in self.containers)
        return [each.pid for each in found if each is not None and each.returncode is None]

    def prepare(self) -> None:
        """Assume the roles, and prepare the containers.

        Raises:
            Failure: the task cannot be started, for this reason.
        """
        role = self._role(self.asked.role_arn, "task")
        if role:
            self._stack.callback(self._room.roles.add(role))
        service = self.asked.execution_service
        execution = self._role(self.asked.execution_role_arn, "execution", service)
        for container in self.containers:
            container.prepare(self.asked.region, role, execution, self.asked.volumes)

    def start(self, document: Callable[[Container], Json], task: Callable[[], Json]) -> None:
        """Start all containers; `document` and `task` are what their metadata endpoints answer.

        Raises:
            Failure: one has no such program; those that run are still to be stopped.
        """
        for container in self.containers:
            path, forget = self._room.metadata.add(_bound(document, container), task)
            self._stack.callback(forget)
            own = {"ECS_CONTAINER_METADATA_URI_V4": clients.endpoint() + path}
            container.start({**(self.asked.variables or {}), **own})

    def wait(self, on_end: Callable[[Container], object]) -> None:
        """Until all have ended: when an essential one has, the others are stopped.

        `on_end` is called with each that has ended, in threads of their own.
        """

        def one(container: Container) -> None:
            container.wait()
            on_end(container)
            if container.wanted.essential:
                self.stop()

        threads = [
            threading.Thread(target=one, args=(container,), name="container", daemon=True)
            for container in self.containers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """SIGTERM to each container, and SIGKILL when its time to stop is over."""
        for container in self.containers:
            container.terminate()

    def kill(self) -> None:
        """SIGKILL to all of it, without notice."""
        for container in self.containers:
            container.kill()

    def end(self) -> None:
        """SIGKILL to all of it, and its exit codes; its logs may still be written."""
        self.kill()
        for container in self.containers:
            container.reap(_REAP)

    def close(self) -> None:
        """Leave nothing of it: no process, no file, no credentials."""
        with self._stack:  # the roles are needed until the logs are closed
            for container in self.containers:
                container.close()

    def _role(self, arn: str, kind: str, service: str = roles.TASKS) -> roles.Role | None:
        if not arn:
            return None
        name = self.asked.arn.rpartition("/")[2]
        try:
            role = roles.Role(arn, name, service=service, source_arn=self.asked.arn)
        except Failure as failure:
            raise Failure(_OWN, unassumable(arn, kind)) from failure
        self._stack.callback(role.close)
        return role


def unassumable(arn: str, kind: str) -> str:
    """What ECS says of a role that it cannot assume; `kind`: ``task`` or ``execution``."""
    return (
        f"ECS was unable to assume the role '{arn}' that was provided for this"
        f" {'task' if kind == 'task' else 'task execution'}. Please verify that the role being"
        " passed has the proper trust relationship and permissions and that your IAM user has"
        " permissions to pass this role."
    )


def told(failure: Failure) -> str:
    """What is said of a task that does not start."""
    return failure.message if failure.code == _OWN else str(failure)


def _bound(document: Callable[[Container], Json], container: Container) -> Callable[[], Json]:
    return lambda: document(container)
