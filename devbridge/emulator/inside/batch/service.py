"""Batch's operations in the place of ministack's, by their paths."""

from __future__ import annotations

import copy
import json
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from ..host import before, ministack
from ..machines import events
from ..machines.failure import Failure
from ..machines.running import Machine, run_of
from ..machines.task import Room
from . import definitions, records
from .definitions import CLIENT, NAME
from .records import Json
from .resources import Resources
from .run import Job, Place
from .scheduler import Scheduler

Answer = tuple[int, dict[str, str], bytes]

PAYLOAD: Final = 30 * 1024
"""Bytes that a SubmitJob has at most. What of it ECS is told has less, when the job begins."""
PAGE: Final = 100
_ARRAY: Final = (2, 10_000)
_ENDED: Final = "the embedded cloud was stopped while the job was RUNNABLE"
_LOST: Final = "Host EC2 (the embedded cloud) terminated."


class Service:
    """Everything of Batch that lives in this process."""

    def __init__(self, room: Room, now: Callable[[], float] = time.time) -> None:
        self._room = room
        self._now = now
        self._lock = threading.Lock()
        self._live: dict[str, Job] = {}
        self.turns = Scheduler()
        self.resources = Resources(self.turns.admit)

    def plug_in(self) -> None:
        """Put the operations in the place of ministack's, and end jobs before it ends."""
        batch = ministack("services.batch")
        load = batch.load_persisted_state

        def load_ended_jobs(data: Any) -> None:
            load(data)
            for _, record in batch._jobs.all_items():
                records.lost(record, _LOST)

        for name in ("get_state", "reset"):
            before(batch, name, lambda: self.end_all(_ENDED))
        batch.load_persisted_state = load_ended_jobs
        operations: dict[str, Callable[[Json], Json]] = {
            **self.resources.operations,
            "deletejobqueue": self.delete_queue,
            "submitjob": self.submit_job,
            "describejobs": self.describe_jobs,
            "listjobs": self.list_jobs,
            "canceljob": self.cancel_job,
            "terminatejob": self.terminate_job,
        }
        batch._DISPATCH |= {f"/v1/{name}": _answered(each) for name, each in operations.items()}

    def live(self) -> list[Job]:
        """The jobs that are not over."""
        with self._lock:
            return list(self._live.values())

    def machines(self) -> Iterable[Machine]:
        """The jobs that are not over."""
        for each in self.live():
            record = each.snapshot()
            parts = [part for _, part in records.containers(record)]
            variables = [v for part in parts for v in part.get("environment") or ()]
            yield Machine(
                compute="batch",
                id=record["jobId"],
                status=record["status"],
                names=[record["jobName"], record["jobArn"]],
                run=run_of(variables),
                pids=each.pids,
                interrupt=each.interrupt,
            )

    def end_all(self, reason: str) -> None:
        """End every job, and its processes at once. What is left of their logs may be lost: who
        takes them is who calls this."""
        for each in reversed(self.live()):  # so that no one's turn comes meanwhile
            each.end(reason)

    def delete_queue(self, request: Json) -> Json:
        """DeleteJobQueue, and with it the jobs that are in the queue.

        Raises:
            Failure: there is no such queue, or it still takes jobs.
        """
        arn = self.resources.queue(request.get("jobQueue"))["jobQueueArn"]
        answer = self.resources.delete_queue(request)
        for each in self.live():
            if each.record["jobQueue"] == arn:
                each.terminate("The job queue was deleted")
        return answer

    def submit_job(self, request: Json) -> Json:
        """SubmitJob.

        Raises:
            Failure: it is refused.
        """
        name = str(request.get("jobName") or "")
        if not NAME.fullmatch(name):
            raise Failure(CLIENT, f"Job name {name!r} does not match {NAME.pattern}")
        if (length := len(json.dumps(request).encode())) > PAYLOAD:
            raise Failure(
                CLIENT,
                "Error executing request, Exception : Job size must be less than"
                f" {PAYLOAD >> 10} KiB, got {math.ceil(length / 1024)} KiB",
            )
        definitions.check(request)
        queue = self.resources.queue(request.get("jobQueue"))
        if queue["state"] != "ENABLED":
            raise Failure(CLIENT, f"The job queue {queue['jobQueueName']} is disabled.")
        found = self.resources.definition(str(request.get("jobDefinition") or ""))
        definition = definitions.overridden(found, request)
        place = self.resources.place(queue, definitions.is_fargate(found))
        size = (request.get("arrayProperties") or {}).get("size")
        if size is not None and not _ARRAY[0] <= size <= _ARRAY[1]:
            raise Failure(CLIENT, f"An array has from {_ARRAY[0]} to {_ARRAY[1]} jobs.")
        with self._lock:
            depends = [
                self._live[each["jobId"]]
                for each in request.get("dependsOn") or ()
                if each.get("jobId") in self._live
            ]
            record = self._new(request, definition, queue["jobQueueArn"])
        if size is None:
            self._start(self._job(record, definition, place), depends)
        else:
            self._start_array(record, definition, place, depends, size)
        return {"jobArn": record["jobArn"], "jobName": name, "jobId": record["jobId"]}

    def describe_jobs(self, request: Json) -> Json:
        """DescribeJobs: those that are there."""
        found = []
        for job_id in request.get("jobs") or ():
            asked = str(job_id).rpartition("job/")[2]
            live = self._live.get(asked)
            record = ministack("services.batch")._jobs.get(asked)
            if record is not None:
                found.append(live.snapshot() if live else records.detail(record))
        return {"jobs": found}

    def list_jobs(self, request: Json) -> Json:
        """ListJobs, a page of them.

        Raises:
            Failure: not one of a queue and an array is named, or there is no such queue.
        """
        known: list[Json] = list(ministack("services.batch")._jobs.values())
        array, queue = request.get("arrayJobId"), request.get("jobQueue")
        if bool(array) == bool(queue):
            raise Failure(CLIENT, "exactly one of jobQueue and arrayJobId must be specified")
        if array:
            own = [each for each in known if each["jobId"].startswith(f"{array}:")]
        else:
            arn = self.resources.queue(queue)["jobQueueArn"]
            own = [e for e in known if e["jobQueue"] == arn and ":" not in e["jobId"]]
        filters = request.get("filters") or [{}]
        found = records.listed(
            own,
            status=str(request.get("jobStatus") or ""),
            name=filters[0].get("name", ""),
            values=filters[0].get("values") or (),
        )
        start, most = int(request.get("nextToken") or 0), int(request.get("maxResults") or PAGE)
        page = [records.summary(each) for each in found[start : start + most]]
        more = {"nextToken": str(start + most)} if len(found) > start + most else {}
        return {"jobSummaryList": page, **more}

    def cancel_job(self, request: Json) -> Json:
        """CancelJob; nothing happens to one that has begun.

        Raises:
            Failure: the request names no job, or gives no reason.
        """
        for each in self._asked(request):
            each.cancel(request["reason"])
        return {}

    def terminate_job(self, request: Json) -> Json:
        """TerminateJob.

        Raises:
            Failure: the request names no job, or gives no reason.
        """
        for each in self._asked(request):
            each.terminate(request["reason"])
        return {}

    def _asked(self, request: Json) -> Sequence[Job]:
        """The job that a request names, or an array's jobs; none when they are over."""
        job_id = str(request.get("jobId") or "").rpartition("job/")[2]
        if not request.get("reason") or not job_id:
            raise Failure(CLIENT, "jobId and reason must be specified")
        if job_id not in ministack("services.batch")._jobs:
            raise Failure(CLIENT, f"Job {job_id} does not exist")
        with self._lock:
            return [
                job
                for known, job in self._live.items()
                if known == job_id or known.startswith(f"{job_id}:")
            ]

    def _new(self, request: Json, definition: Json, queue_arn: str) -> Json:
        job_id, base = str(uuid.uuid4()), queue_arn.partition(":job-queue/")[0]
        return records.new_job(
            request,
            definition,
            job_id=job_id,
            arn=f"{base}:job/{job_id}",
            queue_arn=queue_arn,
            now=int(self._now() * 1000),
        )

    def _job(self, record: Json, definition: Mapping[str, Any], place: Place) -> Job:
        ministack("services.batch")._jobs[record["jobId"]] = record
        _, _, _, region, account, _ = record["jobArn"].split(":", 5)
        put = events.putter("aws.batch", account, region)
        return Job(record, definition, place, self._room, self.turns, put, now=self._now)

    def _start(self, job: Job, depends: Sequence[Job]) -> None:
        with self._lock:
            self._live[job.record["jobId"]] = job

        def life() -> None:
            try:
                job.run(depends)
            finally:
                with self._lock:
                    self._live.pop(job.record["jobId"], None)

        threading.Thread(target=life, name="batch-job", daemon=True).start()

    def _start_array(
        self, parent: Json, definition: Json, place: Place, depends: Sequence[Job], size: int
    ) -> None:
        whole = self._job(parent, definition, place)
        children = [
            self._job(records.child_of(parent, index), definition, place) for index in range(size)
        ]

        def changed() -> None:
            statuses = [each.record["status"] for each in children]
            with self._lock:
                before = parent["status"]
                parent["status"] = records.of_children(parent, statuses, int(self._now() * 1000))
                over = parent["status"] in records.OVER
                if over:
                    parent["stoppedAt"] = int(self._now() * 1000)
            if before != parent["status"]:
                whole.tell()
            if over:
                whole.ended.set()

        whole.tell()
        for each in children:
            each.on_change = changed
            self._start(each, depends)


def _answered(operation: Callable[[Json], Json]) -> Callable[[Json], Answer]:
    def answer(request: Json) -> Answer:
        try:
            status, content = 200, copy.deepcopy(operation(request))
        except Failure as failure:
            status, content = 400, {"__type": failure.code, "message": failure.message}
        headers = {"Content-Type": "application/json"}
        if status != 200:
            headers["x-amzn-errortype"] = content["__type"]
        return status, headers, json.dumps(content).encode()

    return answer
