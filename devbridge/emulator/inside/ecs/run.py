"""One task's life, from its placement to its end."""

from __future__ import annotations

import copy
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..machines.container import Container, Wanted
from ..machines.events import Put
from ..machines.failure import Failure
from ..machines.task import Asked, Room, Task, told
from . import records
from .definitions import wanted
from .records import Json

log = logging.getLogger("ecs")

EVENT = "ECS Task State Change"


class Live:
    """A task that has not ended: its record, which changes under its lock, and what runs."""

    def __init__(
        self,
        record: Json,
        definition: Mapping[str, Any],
        room: Room,
        put: Put,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.record = record
        self.definition = copy.deepcopy(dict(definition))
        self._put = put
        self._now = now
        self._lock = threading.RLock()
        self.task = Task(asked(record, self.definition), room)
        self.ended = threading.Event()

    def snapshot(self) -> Json:
        """A copy of the record as it is now."""
        with self._lock:
            return copy.deepcopy(self.record)

    def run(self) -> None:
        """Run the task to its end, whatever that is; leaves no process and no file behind."""
        self._tell()
        try:
            self._move("PENDING")
            self.task.prepare()
            self.task.start(self._container_document, self._document)
            self._move("RUNNING")
            self.task.wait(self._exited)
            self._stopping(records.EXITED, records.EXITED_REASON)
        except Failure as failure:
            self._stopping(records.NOT_STARTED, told(failure))
        except Exception as error:  # ours: the user's are exit codes
            log.exception("task %s", self.record["taskArn"])
            self._stopping(records.NOT_STARTED, f"InternalError: {error}")
        finally:
            self.task.close()
            self._stopped()

    def stop(self, code: str, reason: str) -> None:
        """End the task: SIGTERM, and after each container's time to stop SIGKILL."""
        if self._stopping(code, reason):
            self._tell()
        self.task.stop()

    def kill(self, code: str, reason: str) -> None:
        """End the task at once, without notice."""
        self._stopping(code, reason)
        self.task.kill()

    def end(self, code: str, reason: str) -> None:
        """End the task at once and for good, as the end of what it runs on would."""
        self._stopping(code, reason)
        self.task.end()
        for each in self.task.containers:
            if each.exit_code is not None:
                self._exited(each)
        self._stopped()

    def _stopped(self) -> None:
        with self._lock:
            if self.ended.is_set():
                return
            records.stopped(self.record, self._now())
            self.ended.set()
        self._tell()

    def interrupt(self, kill: bool) -> None:
        """Take away where the task runs: with a notice, or without one."""
        end = self.kill if kill else self.stop
        end(records.SPOT, records.SPOT_REASON)

    def _stopping(self, code: str, reason: str) -> bool:
        """Whether the task was not to stop before."""
        with self._lock:
            before = self.record["desiredStatus"]
            records.stopping(self.record, code, reason, self._now())
            return bool(before != "STOPPED")

    def _move(self, status: str) -> None:
        with self._lock:
            records.move(self.record, status, self._now())
        self._tell()

    def _exited(self, container: Container) -> None:
        name, code = container.wanted.name, container.wait()
        with self._lock:
            if self.ended.is_set():
                return
            records.exited(self.record, name, code)
            if container.wanted.essential:
                self._stopping(records.EXITED, records.EXITED_REASON)

    def _tell(self) -> None:
        with self._lock:
            detail = records.event(self.record, self._now())
        self._put(EVENT, [detail["taskArn"]], detail)

    def _document(self) -> Json:
        with self._lock:
            made = records.document(self.record, self.definition)
        containers = [self._container_document(each) for each in self.task.containers]
        return {**made, "Containers": containers}

    def _container_document(self, container: Container) -> Json:
        own = container.wanted
        with self._lock:
            return records.container_document(self.record, self.definition, own.name, own.log)


def asked(record: Mapping[str, Any], definition: Mapping[str, Any]) -> Asked:
    """The task that a record and its definition ask for."""
    arn, overrides = record["taskArn"], record["overrides"]
    return Asked(
        arn=arn,
        region=arn.split(":")[3],
        containers=[
            _wanted(each, records.override_of(overrides, each["name"]), arn.rpartition("/")[2])
            for each in records.containers_of(definition)
        ],
        role_arn=overrides.get("taskRoleArn") or definition.get("taskRoleArn") or "",
        execution_role_arn=overrides.get("executionRoleArn")
        or definition.get("executionRoleArn")
        or "",
        volumes=definition.get("volumes") or (),
        variables={"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"},
    )


def _wanted(definition: Mapping[str, Any], override: Mapping[str, Any], task_id: str) -> Wanted:
    command = override.get("command") or definition.get("command")
    given = [*(definition.get("environment") or ()), *(override.get("environment") or ())]
    own = {**definition, "command": command, "environment": given}
    made = wanted(own, records.stream_of(definition, task_id))
    return dataclasses.replace(made, entry_point=definition.get("entryPoint") or ())
