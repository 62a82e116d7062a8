"""The part of the chaos test's stage that is on a cloud: queues, a topic, a bucket, and the roles
that messages are given up with. The mappings are processes of the test's own, too,
`tests.chaos.mapping`, because the stubs are: their broker is the one that is broken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from devbridge import names
from devbridge.cloud.session import Cloud, connect
from devbridge.config import Config
from devbridge.constructs import Job
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy
from devbridge.messages.mover import count
from devbridge.runs.model import State
from stub_lambda.records import VARIABLE
from tests.chaos import messages
from tests.chaos.messages import Dead, Fate, Sent
from tests.chaos.plan import APP, STAGE
from tests.chaos.senders import Senders

JOBS: Final = {"queue": "told", "topic": "told", "object": "stored"}
"""Which job hears of what."""
HIDDEN: Final = 12
"""Seconds that a message is hidden while it is read, 60 otherwise: what was not taken comes again
within a run."""


def cloud_of(root: Path, endpoint: str) -> Cloud:
    """The cloud at that endpoint, for an app's folder."""
    config = Config(root=root, stage=STAGE, python=Path(sys.executable), local=True)
    return connect(config, endpoint)


class Post:
    """Deployed when it is made."""

    def __init__(self, root: Path, endpoint: str) -> None:
        self.endpoint = endpoint
        self.sent: list[Sent] = []
        cloud, app = cloud_of(root, endpoint), load_app(root)
        deployed = deploy(Request(app, cloud, stage=STAGE, mode="dev", pace=_fast))
        self.roles = {spec.name: spec.role_arn for spec in deployed.jobs}
        """The ARN of each job's."""
        self.senders = Senders(endpoint, names.stack(APP, STAGE), APP, STAGE, JOBS)
        self.mappings = [_taken_over(cloud, job) for job in app.of_type(Job) if job.triggers]
        """What is known of the mappings of each job that messages start."""

    def send(self, kind: str, number: int, fate: Fate) -> None:
        """Send one message."""
        self.sent.append(self.senders.send(kind, number, fate))

    def dead(self) -> list[Dead]:
        """What is in the dead-letter queues."""
        return messages.dead(self.senders.sqs, self.senders.dead)

    def open(self, ledger: Path) -> int:
        """How many messages have not come to anything yet, or are still in a queue that is read."""
        letters = sum(count(self.senders.sqs, url) for url in self.senders.dead)
        well = sum(each.state is State.SUCCEEDED for each in messages.ran(ledger))
        return max(0, len(self.sent) - well - letters) + self.senders.waiting()


def _taken_over(cloud: Cloud, job: Job) -> dict[str, Any]:
    """The settings of `tests.chaos.mapping`, in place of the job's own mappings."""
    lambdas, sqs = cloud.client("lambda"), cloud.client("sqs")
    function, queues = names.invoker(job, STAGE), []
    found = lambdas.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    for mapping in found:
        lambdas.delete_event_source_mapping(UUID=mapping["UUID"])
        arn = mapping["EventSourceArn"]
        url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(HIDDEN)})
        queues.append({"url": url, "arn": arn})
    told = lambdas.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    return {"job": job.name, "queues": queues, "triggers": told[VARIABLE]}


def _fast() -> Iterator[float]:
    while True:
        yield 0.02
