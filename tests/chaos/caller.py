"""A caller, as a process: the real stub's handler, one bridge for each job, as Lambda keeps them.

``python -m tests.chaos.caller SETTINGS.json``. Each answer is one line of the answers' file.
"""

from __future__ import annotations

import heapq
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devbridge.protocol import codec
from stub_lambda import handler as stub
from stub_lambda.bridge import Bridge
from tests.chaos.plan import APP, JOBS, STAGE
from tests.integration.brokers import HOST

FUNCTION_TIMEOUT = 10.0


@dataclass
class Context:
    """What the stub uses of Lambda's."""

    aws_request_id: str
    ends: float
    invoked_function_arn: str = ""

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.ends - time.monotonic()) * 1000))


class Caller:
    def __init__(self, settings: dict[str, Any]) -> None:
        self._orders = settings["orders"]
        self._start = settings["start"]
        self._until = settings["until"]
        self._name = settings["name"]
        self._file = os.open(
            settings["answers"], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        self._bridges: dict[str, Bridge | None] = {}
        self._later: list[tuple[float, int, str, str, str]] = []
        self._offline = {job.name: job.offline for job in JOBS}

    def run(self) -> None:
        for order in self._orders:
            self._wait(self._start + order["at"])
            self._send(order)
        while self._later:
            self._wait(self._later[0][0])
            self._follow_up()

    def _send(self, order: dict[str, Any]) -> None:
        event = {"devbridge": 1, "action": "run", "payload": order["payload"]}
        if order["key"] is not None:
            event["idempotencyKey"] = order["key"]
        key = order["key"] or order["request_id"]
        job_id = codec.job_id(APP, STAGE, order["job"], key)
        tries = order["tries"]
        for attempt in range(tries):
            answer = self._call(order["job"], event, order["request_id"], job_id)
            if "error" not in answer:
                break
            if attempt + 1 == tries or time.time() > self._until:
                return
            time.sleep(min(2.0, 0.1 * 2**attempt))
        if order["twice"]:
            self._call(order["job"], event, codec.new_id(), job_id)
        now = time.time()
        for action, after in (("cancel", order["cancel_after"]), ("status", order["ask_after"])):
            if after is not None:
                entry = (now + after, order["number"], action, order["job"], job_id)
                heapq.heappush(self._later, entry)

    def _wait(self, until: float) -> None:
        while True:
            self._follow_up()
            left = until - time.time()
            if left <= 0:
                return
            if self._later:
                left = min(left, max(0.0, self._later[0][0] - time.time()))
            time.sleep(left)

    def _follow_up(self) -> None:
        while self._later and self._later[0][0] <= time.time():
            _, _, action, job, job_id = heapq.heappop(self._later)
            event = {"devbridge": 1, "action": action, "jobId": job_id}
            self._call(job, event, codec.new_id(), job_id)

    def _call(
        self, job: str, event: dict[str, Any], request_id: str, job_id: str
    ) -> dict[str, Any]:
        os.environ.update(DEVBRIDGE_JOB=job, DEVBRIDGE_OFFLINE=self._offline[job])
        stub._bridge = self._bridges.get(job)
        began = time.time()
        context = Context(request_id, time.monotonic() + FUNCTION_TIMEOUT)
        try:
            answer: dict[str, Any] = stub.handler(event, context)
        except Exception as error:
            answer = {"error": {"code": "Unhandled", "message": f"{type(error).__name__}: {error}"}}
        self._bridges[job] = stub._bridge
        self._record(
            {
                "caller": self._name,
                "action": event["action"],
                "job": job,
                "id": job_id,
                "began": began,
                "ended": time.time(),
                "answer": answer,
            }
        )
        return answer

    def _record(self, line: dict[str, Any]) -> None:
        os.write(self._file, (json.dumps(line) + "\n").encode())


def environment(port: int) -> None:
    """What a stub's environment says, but for its job; the broker is at that port."""
    os.environ.update(
        DEVBRIDGE_APP=APP,
        DEVBRIDGE_STAGE=STAGE,
        DEVBRIDGE_IOT_ENDPOINT=HOST,
        AWS_REGION="us-east-1",
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
    )


def main(settings_file: str) -> None:
    settings = json.loads(Path(settings_file).read_text())
    environment(settings["port"])
    Caller(settings).run()


if __name__ == "__main__":
    main(sys.argv[1])
