"""Templates of an app with a job, or a function, and what triggers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import (
    Api,
    App,
    Bucket,
    EventBus,
    Function,
    Job,
    JwtAuthorizer,
    LoadBalancer,
    Queue,
    Stream,
    Table,
    Topic,
    Trigger,
    Vpc,
)
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Template
from tests.unit.deploy.templates import lint, made

VPC = Vpc(
    "vpc-0123456789abcdef0",
    ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    ["sg-0123456789abcdef0"],
)


class Listened:
    """What there is to listen to."""

    def __init__(self, app: App) -> None:
        self.queue, self.topic, self.bucket = Queue(app, "q"), Topic(app, "t"), Bucket(app, "b")
        self.table = Table(app, "n", partition_key="id")
        self.stream, self.bus = Stream(app, "s"), EventBus(app, "e")
        self.balancer = LoadBalancer(app, "l", vpc=VPC)
        self.function = Function(app, "f", handler="api/start.handler")
        self.job = Job(app, "work", handler="jobs/a.handler")
        self.api = Api(app, "w", authorizers={"users": JwtAuthorizer("https://a.b", ["c"])})


Triggers = Callable[[Listened], Sequence[Trigger]]
Triggered = Callable[..., Template]


@pytest.fixture
def triggered(root: Path) -> Triggered:
    """Makes the template; cfn-lint must find nothing wrong."""

    def see(app: App, triggers: Sequence[Trigger], options: Mapping[str, Any]) -> None:
        Job(app, "see", handler="jobs/a.handler", triggers=triggers, **options)

    return _maker(root, see)


@pytest.fixture
def calling(root: Path) -> Triggered:
    """The same with a function."""

    def see(app: App, triggers: Sequence[Trigger], options: Mapping[str, Any]) -> None:
        Function(app, "see", handler="api/start.handler", triggers=triggers, **options)

    return _maker(root, see)


def _maker(
    root: Path, see: Callable[[App, Sequence[Trigger], Mapping[str, Any]], None]
) -> Triggered:
    def make(
        triggers: Triggers = lambda _: [],
        options: Callable[[Listened], Mapping[str, Any]] = lambda _: {},
        **settings: Any,
    ) -> Template:
        with loading(root):
            app = App("demo")
            listened = Listened(app)
            see(app, triggers(listened), options(listened))
        template = made(app, **{"mode": "deployed", **settings})
        assert lint(template) == []
        return template

    return make
