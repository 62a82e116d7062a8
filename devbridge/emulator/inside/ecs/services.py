"""Services: as many tasks as they ask for, each of which runs, and what scales them.

ministack's own services start tasks that run nothing, and it knows no Application Auto Scaling.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from ..corrections.alarms import QUEUES, measure
from ..host import ministack
from ..machines.failure import Failure
from . import scaling
from .records import Json
from .run import Live

log = logging.getLogger("ecs")


class Services:
    """Keeps all services of this process."""

    def __init__(
        self,
        run_task: Callable[[Json], Any],
        live: Callable[[], list[Live]],
        pause: float,
    ) -> None:
        """`pause`: seconds between two looks at all services."""
        self._run_task = run_task
        self._live = live
        self._pause = pause
        self._lock = threading.RLock()

    def plug_in(self, ecs: Any) -> None:
        """Keep services in the place of ministack."""
        ecs._reconcile_service_tasks = self.keep

    def begin(self) -> None:
        """Look at all services from now on."""
        threading.Thread(target=self._look_forever, name="ecs-services", daemon=True).start()

    def keep(self, cluster: str, key: str) -> None:
        """Start the tasks that a service wants and has not, and stop those that it has too many, or
        of an older definition."""
        ecs = ministack("services.ecs")
        service = ecs._services.get(key)
        if not service:
            return
        with self._lock:
            wanted = int(service["desiredCount"]) if service["status"] == "ACTIVE" else 0
            current: list[Live] = []
            for live in self._of(service):
                if live.record["taskDefinitionArn"] == service["taskDefinition"]:
                    current.append(live)
                else:
                    live.stop(scaling.SCHEDULER, "Task definition updated")
            current.sort(key=lambda each: float(each.record["createdAt"]))
            for live in current[wanted:]:
                live.stop(scaling.SCHEDULER, "Service scaling down")
            try:
                for _ in range(wanted - len(current)):
                    self._run_task(_request(service, cluster))
            except Failure as failure:
                log.warning("service %s: %s", service["serviceName"], failure.message)
            self._count(service)

    def _of(self, service: Json) -> list[Live]:
        """The tasks of a service that are not to stop."""
        group, cluster = f"service:{service['serviceName']}", service["clusterArn"]
        return [
            each
            for each in self._live()
            if (each.record["group"], each.record["clusterArn"]) == (group, cluster)
            and each.record["desiredStatus"] != "STOPPED"
        ]

    def _count(self, service: Json) -> None:
        states = [each.record["lastStatus"] for each in self._of(service)]
        running = states.count("RUNNING")
        counts = {"runningCount": running, "pendingCount": len(states) - running}
        service.update(counts)
        for each in service.get("deployments") or ():
            if each["status"] == "PRIMARY":
                each.update(counts, rolloutState="COMPLETED")
                each["desiredCount"] = service["desiredCount"]
                service["deployments"] = [each]

    # --- what changes by itself ------------------------------------------------------------------

    def _look_forever(self) -> None:
        while True:
            time.sleep(self._pause)
            self.look()

    def look(self) -> None:
        """Scale all services as their alarms say, and replace tasks that have ended."""
        ecs, scope = ministack("services.ecs"), ministack("core.responses").request_scope
        for (account, region, key), service in list(ecs._services._data.items()):
            try:
                with scope(account, region):
                    wanted = scaling.wanted(service, _messages)
                    if wanted is not None and wanted != service["desiredCount"]:
                        log.info("service %s: %s tasks", service["serviceName"], wanted)
                        service["desiredCount"] = wanted
                    self.keep(key.partition("/")[0], key)
            except Exception:
                log.exception("service %s", key)


def _request(service: Json, cluster: str) -> Json:
    """What RunTask is asked for a task of a service."""
    return {
        "cluster": cluster,
        "taskDefinition": service["taskDefinition"],
        "group": f"service:{service['serviceName']}",
        "startedBy": f"ecs-svc/{service['serviceName']}"[:36],
        "launchType": service.get("launchType"),
        "capacityProviderStrategy": service.get("capacityProviderStrategy"),
        "networkConfiguration": service.get("networkConfiguration"),
    }


def _messages(namespace: str, metric: str, dimensions: Json) -> float | None:
    """A metric of a queue as it is now; None: not one that is measured here."""
    sqs = ministack("services.sqs")
    url = sqs._queue_name_to_url.get(dimensions.get("QueueName"))
    queue = sqs._queues.get(url) if url else None
    if namespace != QUEUES or queue is None:
        return None
    return measure(list(queue["messages"]), metric, time.time())
