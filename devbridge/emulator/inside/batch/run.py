"""One job's life, from its submission over its attempts to its end."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..ecs.definitions import check_overrides, wanted
from ..machines import container, metadata, pace, roles
from ..machines.container import Container
from ..machines.events import Put
from ..machines.failure import Ended, Failure
from ..machines.task import Asked, Room, Task, told
from . import definitions, records, scheduler
from .records import Json
from .retries import End, again
from .scheduler import Environment, Scheduler, Turn

log = logging.getLogger("batch")

EVENT: Final = "Batch Job State Change"
_LOOK: Final = 0.5
"""Seconds between looks at whether a job that no environment can run is at its queue's head."""


@dataclass(frozen=True, slots=True)
class Host:
    """Where a job's attempt runs."""

    name: str
    """The compute environment's."""
    cluster: str
    """The name of its cluster."""
    fargate: bool
    role_arn: str = ""
    """The role of an instance, which writes logs where a definition has no execution role."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a job needs of its queue, which may change while it waits. Each is asked anew."""

    queue: str
    """Its ARN."""
    environments: Callable[[], Sequence[Environment]]
    limits: Callable[[], Mapping[str, float]]
    """Seconds that a job may be RUNNABLE for a reason."""
    host: Callable[[str], Host]
    """Of the environment with an ARN."""
    make_group: Callable[[str], None]
    """Makes Batch's own log group if that is not there."""


class Job:
    """A job that has not ended: its record, which changes under its lock, and what runs."""

    def __init__(
        self,
        record: Json,
        definition: Mapping[str, Any],
        place: Place,
        room: Room,
        turns: Scheduler,
        put: Put,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.record = record
        self.ended = threading.Event()
        self.on_change: Callable[[], object] = lambda: None
        self._definition = definition
        self._place = place
        self._room = room
        self._turns = turns
        self._put = put
        self._now = now
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._task: Task | None = None
        self._why: End | None = None
        """How the attempt ends, whatever its container's exit code is: set from outside."""
        self._cancelled = ""
        self._gone = ""
        """What is said when the attempt's machine has gone."""

    def snapshot(self) -> Json:
        """A copy of the job as it is now."""
        with self._lock:
            return records.detail(self.record)

    @property
    def pids(self) -> list[int]:
        """The processes of its containers."""
        task = self._task
        return task.pids if task else []

    def run(self, depends: Sequence[Job] = ()) -> None:
        """Run the job to its end, whatever that is; leaves no process and no file behind."""
        status, reason = records.FAILED, ""
        try:
            self.tell()
            self._depend(depends)
            attempt, end = 1, self._attempt(1)
            while again(self.record["retryStrategy"], attempt, end):
                attempt, end = attempt + 1, self._attempt(attempt + 1)
            status = records.SUCCEEDED if end.succeeded else records.FAILED
            reason = end.status_reason
        except Ended:
            reason = self._cancelled
        except Exception as error:  # ours: the user's are exit codes
            log.exception("job %s", self.record["jobId"])
            reason = f"InternalError: {error}"
        finally:
            self._over(status, reason)

    def cancel(self, reason: str, *, terminated: bool = False) -> bool:
        """End the job if it has not begun to start; whether that was so."""
        with self._lock:
            if self.ended.is_set() or self._task is not None:
                return False
            if not self._cancelled:
                self._cancelled = reason
                self.record["isTerminated" if terminated else "isCancelled"] = True
        self._wake.set()
        return True

    def terminate(self, reason: str) -> None:
        """End the job wherever it is."""
        if not self.cancel(reason, terminated=True):
            self._stop(End(reason, final=True), isTerminated=True)

    def interrupt(self, kill: bool) -> bool:
        """Take away where it runs: with a notice, or without one; False: it runs nowhere."""
        return self._stop(End(self._gone, None), kill=kill)

    def end(self, reason: str) -> None:
        """End the job at once and for good, as the end of what it runs on would."""
        if self.cancel(reason):
            self._over(records.FAILED, reason)
            return
        with self._lock:
            task = self._task
        if task is None:
            return
        self._stop(End(self._gone, final=True), kill=True)
        task.end()
        end = self._ended(task, End(records.EXITED))
        with self._lock:
            records.attempted(self.record, end, self._ms())
        self._over(records.FAILED, end.status_reason)

    def _stop(self, why: End, *, kill: bool = False, **changes: Any) -> bool:
        with self._lock:
            if self._task is None:
                return False
            self._why = self._why or why
            self.record |= changes
            task = self._task
        if kill:
            task.kill()
        else:
            task.stop()
        return True

    def _depend(self, depends: Sequence[Job]) -> None:
        self._move(records.PENDING)
        for each in depends:
            each.ended.wait()
            if each.record["status"] != records.SUCCEEDED:
                self._cancelled = self._cancelled or "Dependent Job failed"
        self._check()

    def _check(self) -> None:
        if self._cancelled:
            raise Ended

    def _attempt(self, number: int) -> End:
        self._wake.clear()
        self._check()
        self._move(records.RUNNABLE)
        need = definitions.need_of(self._definition)
        turn = Turn(self._place.queue, need, self._place.environments, self._wake)
        self._turns.enter(turn)
        try:
            self._await(turn)
            with self._lock:
                self._check()
                host = self._place.host(turn.environment)
                if refused := self._refused(host, number):
                    return End(refused, final=True)
                task = self._task = self._new_task(host, number)
                self._why = None
            self._move(records.STARTING)
            end = self._run_task(task, host)
            with self._lock:
                self._task = None
                if self.ended.is_set():
                    raise Ended
                records.attempted(self.record, end, self._ms())
            return end
        finally:
            self._turns.leave(turn)

    def _refused(self, host: Host, number: int) -> str:
        """Why ECS does not take the task: Batch itself has taken the job before."""
        own = {n: v for n, v in self._variables(host, number).items() if n.startswith("AWS_BATCH_")}
        added = [{"name": name, "value": value} for name, value in own.items()]
        containers = [
            {**each, "environment": [*(each.get("environment") or ()), *added]}
            for each in self.record["_overrides"]
        ]
        try:
            check_overrides({"containerOverrides": containers})
        except Failure as failure:
            return failure.message
        return ""

    def _await(self, turn: Turn) -> None:
        """Wait for the turn; cancelled by the queue when it cannot come."""
        since = None
        while not self._wake.wait(_LOOK if self._never(turn) else None):
            if not self._turns.is_first(turn):
                continue
            reason = self._never(turn)
            since = since or time.monotonic()
            with self._lock:
                self.record["statusReason"] = scheduler.told(reason) if reason else ""
            limit = self._place.limits().get(reason)
            if limit is not None and time.monotonic() - since >= pace.seconds(limit):
                self.cancel(f"Canceled by JobStateTimeLimit action due to reason: {reason}")
        self._check()

    def _never(self, turn: Turn) -> str:
        return scheduler.never(turn.need, turn.environments())

    def _new_task(self, host: Host, number: int) -> Task:
        _, _, _, region, account, _ = self.record["jobArn"].split(":", 5)
        task_id = uuid.uuid4().hex
        arn = f"arn:aws:ecs:{region}:{account}:task/{host.cluster}/{task_id}"
        instance = f"i-{uuid.uuid4().hex[:17]}"
        self._gone = f"Host EC2 (instance {instance}) terminated."
        if host.fargate:
            self._gone = "Your Spot Task was interrupted."
        place = f"arn:aws:ecs:{region}:{account}:container-instance/{host.cluster}/{instance[2:]}"
        records.begin(self.record, arn, "" if host.fargate else place)
        task = definitions.task_of(self._definition)
        name = records.definition_name(self.record)
        execution = task.get("executionRoleArn") or ""
        asked = Asked(
            arn=arn,
            region=region,
            containers=[
                wanted(each, definitions.log_of(each, name, task_id)) for each in task["containers"]
            ],
            role_arn=task.get("taskRoleArn") or "",
            execution_role_arn=execution or host.role_arn,
            execution_service=roles.TASKS if execution else roles.HOSTS,
            volumes=task.get("volumes") or (),
            variables=self._variables(host, number),
        )
        return Task(asked, self._room)

    def _variables(self, host: Host, number: int) -> dict[str, str]:
        made = {
            "AWS_BATCH_JOB_ID": self.record["jobId"],
            "AWS_BATCH_JOB_ATTEMPT": str(number),
            "AWS_BATCH_JQ_NAME": self._place.queue.rpartition("/")[2],
            "AWS_BATCH_CE_NAME": host.name,
            "AWS_EXECUTION_ENV": f"AWS_ECS_{'FARGATE' if host.fargate else 'EC2'}",
        }
        index = (self.record.get("arrayProperties") or {}).get("index")
        return made if index is None else {**made, "AWS_BATCH_JOB_ARRAY_INDEX": str(index)}

    def _run_task(self, task: Task, host: Host) -> End:
        timer = None
        try:
            for each in task.asked.containers:
                if each.log and each.log[0] == definitions.GROUP:
                    self._place.make_group(definitions.GROUP)
            task.prepare()
            task.start(lambda each: self._document(task, each), lambda: self._whole(task, host))
            self._move(records.RUNNING, startedAt=self._ms())
            if seconds := (self.record.get("timeout") or {}).get("attemptDurationSeconds"):
                late = End(records.TIMED_OUT, final=True)
                timer = threading.Timer(pace.seconds(seconds), self._stop, (late,))
                timer.daemon = True
                timer.start()
            task.wait(lambda _: None)
            return self._ended(task, End(records.EXITED))
        except Failure as failure:
            text = told(failure)
            begun = failure.code != container.INITIALIZE
            return self._ended(task, End(records.NOT_STARTED if begun else text, reason=text))
        finally:
            if timer:
                timer.cancel()
            task.close()

    def _ended(self, task: Task, end: End) -> End:
        """How the attempt has ended, with what was decided from outside."""
        codes = {
            each.wanted.name: each.exit_code
            for each in task.containers
            if each.exit_code is not None
        }
        essential = [codes.get(e.wanted.name) for e in task.containers if e.wanted.essential]
        code = next((each for each in essential if each), essential[0] if essential else None)
        with self._lock:
            why = self._why
            if why is None or (code == 0 and not why.final):
                records.exited(self.record, codes, end.reason)
                return End(end.status_reason, code, end.reason)
            if why.final:  # its containers were there to the end
                records.exited(self.record, codes, "")
                return End(why.status_reason, code, final=True)
            return why

    def _move(self, status: str, **changes: Any) -> None:
        with self._lock:
            if self.ended.is_set():
                raise Ended
            self.record.pop("statusReason", None)
            self.record |= {"status": status, **changes}
        self.tell()
        self.on_change()

    def _over(self, status: str, reason: str) -> None:
        """The job is over. Only the first call counts."""
        with self._lock:
            if self.ended.is_set():
                return
            self.record |= {"status": status, "stoppedAt": self._ms()}
            self.record |= {"statusReason": reason} if reason else {}
            self.ended.set()
        self.tell()
        self.on_change()

    def tell(self) -> None:
        """Put the job's state on the bus."""
        detail = self.snapshot()
        self._put(EVENT, [detail["jobArn"]], detail)

    def _ms(self) -> int:
        return int(self._now() * 1000)

    def _document(self, task: Task, each: Container) -> Json:
        own, arn = each.wanted, task.asked.arn
        return {
            "DockerId": arn.rpartition("/")[2],
            "Name": own.name,
            "DockerName": own.name,
            "Image": own.image,
            "Labels": {"com.amazonaws.ecs.task-arn": arn},
            "DesiredStatus": "RUNNING",
            "KnownStatus": "RUNNING",
            "Type": "NORMAL",
            **metadata.of_log(own.log, task.asked.region),
        }

    def _whole(self, task: Task, host: Host) -> Json:
        arn = task.asked.arn
        return {
            "Cluster": arn.replace(":task/", ":cluster/").rpartition("/")[0],
            "TaskARN": arn,
            "Family": records.definition_name(self.record),
            "Revision": self.record["jobDefinition"].rpartition(":")[2],
            "DesiredStatus": "RUNNING",
            "KnownStatus": "RUNNING",
            "AvailabilityZone": f"{task.asked.region}a",
            "LaunchType": "FARGATE" if host.fargate else "EC2",
            "Containers": [self._document(task, each) for each in task.containers],
        }
