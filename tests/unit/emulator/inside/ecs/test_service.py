from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.ecs.run import Live
from devbridge.emulator.inside.ecs.service import Service, keep_definitions
from devbridge.emulator.inside.machines import metadata, roles
from devbridge.emulator.inside.machines.task import Room
from tests.unit.emulator.inside.conftest import MakeModule

DEFINITION = {
    "family": "f",
    "revision": 1,
    "status": "ACTIVE",
    "taskDefinitionArn": "arn:aws:ecs:eu-west-1:1:task-definition/f:1",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "taskRoleArn": "arn:aws:iam::1:role/r",
    "containerDefinitions": [{"name": "job", "image": "i"}],
}
CLUSTER = {
    "clusterName": "c",
    "clusterArn": "arn:aws:ecs:eu-west-1:1:cluster/c",
    "status": "ACTIVE",
    "capacityProviders": ["FARGATE"],
}


SPOT = {"capacityProvider": "FARGATE_SPOT"}


class World:
    """The modules of ministack that know tasks, and tasks that run until they are told."""

    def __init__(self, ministack: MakeModule) -> None:
        self.release = threading.Event()
        self.calls: list[str] = []
        self.ended: list[tuple[str, str]] = []

        def answer(body: Any, status: int = 200) -> Any:
            return status, {}, json.dumps(body).encode()

        def register(request: Any) -> Any:
            arn = f"arn:aws:ecs:eu-west-1:1:task-definition/{request['family']}:1"
            return answer({"taskDefinition": {**request, "taskDefinitionArn": arn, "pidMode": ""}})

        self.ecs: Any = ministack(
            "services.ecs",
            _tasks={},
            _tags={},
            _task_defs={"f:1": dict(DEFINITION), "old:1": {**DEFINITION, "status": "INACTIVE"}},
            _clusters={"c": dict(CLUSTER)},
            _ACTION_MAP={},
            _register_task_definition=register,
            _resolve_cluster_name=lambda ref: ref,
            _resolve_td_key=lambda ref: ref,
            _resolve_task=lambda ref, cluster: self.ecs._tasks.get(ref),
            _sanitize=lambda task: {k: v for k, v in task.items() if k[0] != "_"},
            _stop_task=lambda request: "ministack's own",
            _list_tasks=lambda request: answer({"taskArns": list(self.ecs._tasks)}),
            get_state=lambda: self.calls.append("get_state") or "state",  # type: ignore[func-returns-value]
            reset=lambda: self.calls.append("reset"),
        )
        ministack("core.responses", json_response=answer)
        ministack("app", _get_module=lambda name: self.ecs)
        self.service = Service(Room(roles.Register(), metadata.Register()))
        self.service.plug_in()

    def __call__(self, action: str, **request: Any) -> tuple[int, Any]:
        status, _, body = self.ecs._ACTION_MAP[action](request)
        return status, json.loads(body)

    def run(self, **more: Any) -> tuple[int, Any]:
        network = {"awsvpcConfiguration": {"subnets": ["s"]}}
        request = {"cluster": "c", "taskDefinition": "f:1", "launchType": "FARGATE"}
        return self("RunTask", **{**request, "networkConfiguration": network, **more})


@pytest.fixture
def world(ministack: MakeModule, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(ministack)

    def run(live: Live) -> None:
        made.release.wait(30)
        live.record["lastStatus"] = "STOPPED"
        live.ended.set()

    monkeypatch.setattr(Live, "run", run)
    monkeypatch.setattr(Live, "end", lambda live, code, reason: made.ended.append((code, reason)))
    monkeypatch.setattr(roles, "admits", lambda *_: True)
    yield made
    made.release.set()
    for thread in threading.enumerate():
        if thread.name == "ecs-task":
            thread.join(30)


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"cluster": "x"}, "ClusterNotFoundException", "Cluster not found."),
        ({"taskDefinition": "x"}, "ClientException", "TaskDefinition not found."),
        ({"taskDefinition": "old:1"}, "ClientException", "TaskDefinition is inactive"),
        ({"count": 11}, "InvalidParameterException", "from 1 to 10"),
        ({"networkConfiguration": {}}, "InvalidParameterException", "Network Configuration must"),
        ({"launchType": "EC2"}, "InvalidParameterException", "No Container Instances"),
        (
            {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
            "InvalidParameterException",
            "both a launch type and capacity provider strategy",
        ),
        (
            {
                "launchType": None,
                "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}],
            },
            "InvalidParameterException",
            "not associated with the cluster: FARGATE_SPOT",
        ),
        (
            {"overrides": {"containerOverrides": [{"name": "x"}]}},
            "InvalidParameterException",
            "Override for container named x is not a container",
        ),
        ({"overrides": {"memory": "9"}}, "InvalidParameterException", "No Fargate configuration"),
        (
            {"overrides": {"containerOverrides": [{"name": "job", "command": ["x" * 8192]}]}},
            "InvalidParameterException",
            "at most 8192",
        ),
    ],
)
def test_what_is_refused_is_an_error_of_aws(world: World, more: Any, code: str, words: str) -> None:
    status, answer = world.run(**more)
    assert (status, answer["__type"]) == (400, code)
    assert words in answer["message"]
    assert world.ecs._tasks == {}


def test_a_role_that_does_not_trust_tasks_is_refused_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "admits", lambda *_: False)
    status, answer = world.run()
    assert (status, answer["__type"]) == (400, "ClientException")
    assert "unable to assume the role 'arn:aws:iam::1:role/r'" in answer["message"]


def test_a_token_is_for_one_request(world: World) -> None:
    _, first = world.run(clientToken="t")
    _, again = world.run(clientToken="t")
    assert first["tasks"][0]["taskArn"] == again["tasks"][0]["taskArn"]
    assert world.run(clientToken="t", startedBy="x")[1]["__type"] == "ConflictException"
    assert "_token" not in again["tasks"][0]


def test_what_ministack_runs_for_a_service_is_ministack_s(world: World) -> None:
    world.ecs._tasks["arn"] = {"taskArn": "arn", "lastStatus": "RUNNING"}
    stop = world.ecs._ACTION_MAP["StopTask"]
    assert stop({"cluster": "c", "task": "arn"}) == "ministack's own"
    status, answer = world("StopTask", cluster="c", task="other")
    assert (status, answer["__type"]) == (400, "InvalidParameterException")


def test_tasks_are_described_with_their_tags_if_these_are_asked_for(world: World) -> None:
    tags = [{"key": "k", "value": "v"}]
    arn = world.run(tags=tags)[1]["tasks"][0]["taskArn"]
    _, plain = world("DescribeTasks", cluster="c", tasks=[arn, "other"])
    assert plain["tasks"][0]["tags"] == []
    assert plain["failures"] == [
        {"arn": "arn:aws:ecs:eu-west-1:1:task/c/other", "reason": "MISSING"}
    ]
    _, tagged = world("DescribeTasks", cluster="c", tasks=[arn], include=["TAGS"])
    assert tagged["tasks"][0]["tags"] == tags


@pytest.mark.parametrize("end", ["get_state", "reset"])
def test_tasks_end_before_ministack_saves_or_forgets_them(world: World, end: str) -> None:
    arn = world.run()[1]["tasks"][0]["taskArn"]
    assert world("ListTasks", cluster="c") == (200, {"taskArns": [arn]})
    getattr(world.ecs, end)()
    assert world.calls == [end]
    reason = "the embedded cloud was stopped while the task ran"
    assert world.ended == [("TerminationNotice", reason)]


def test_a_template_s_definition_is_registered_whole_and_anew(world: World) -> None:
    handlers: dict[str, Any] = {"update": lambda *_: ("tags only", {})}
    keep_definitions(SimpleNamespace(_RESOURCE_HANDLERS={"AWS::ECS::TaskDefinition": handlers}))
    properties = {"Memory": "512", "Cpu": "256", "EphemeralStorage": {"SizeInGiB": 30}}
    arn, _ = handlers["create"]("T", properties, "s")
    assert arn == "arn:aws:ecs:eu-west-1:1:task-definition/s-T:1"
    kept = world.ecs._task_defs["s-T:1"]
    assert kept["ephemeralStorage"] == {"sizeInGiB": 30}
    assert "pidMode" not in kept
    assert handlers["update"](arn, properties, {**properties, "Tags": []}, "s")[0] == "tags only"
    changed = {**properties, "Memory": "1024"}
    assert handlers["update"](arn, properties, changed, "s")[0] == arn
    assert world.ecs._task_defs["s-T:1"]["memory"] == "1024"
    bad = {**properties, "RequiresCompatibilities": ["FARGATE"], "Memory": "9"}
    with pytest.raises(Exception, match="No Fargate configuration"):
        handlers["create"]("T", bad, "s")
