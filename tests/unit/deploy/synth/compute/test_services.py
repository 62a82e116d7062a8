"""Tasks that never stop: the service that they are, what scales it, and what they may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Fargate, Job, OnEvent, OnQueue, Queue, Topic, Workers
from devbridge.constructs.app import loading
from devbridge.deploy.synth import Template
from devbridge.deploy.synth.compute.services import MAKES
from tests.unit.deploy.templates import (
    allowed,
    container_variables,
    lint,
    made,
    of_type,
    properties,
)

ECS = "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}"


@pytest.fixture
def worker(root: Path) -> Any:
    """Makes the template of an app with one job that workers run; cfn-lint must find nothing."""

    def make(workers: Workers | None = None, *, mode: str = "deployed", **options: Any) -> Template:
        with loading(root):
            app = App("demo")
            queue = Queue(app, "orders")
            compute = Fargate(workers=workers or Workers(), spot=options.pop("spot", False))
            given: dict[str, Any] = {
                "handler": "jobs/a.handler",
                "timeout": "5 minutes",
                "triggers": [OnQueue(queue, done="succeeded", batch=options.pop("batch", None))],
                **options,
            }
            Job(app, "a", compute=compute, **given)
        template = made(app, mode=mode)
        assert lint(template) == []
        return template

    return make


def test_a_service_runs_its_own_definition_in_the_stages_cluster(worker: Any) -> None:
    template = worker()
    service, task = properties(template, "AJobWorkers"), properties(template, "AJobWorkerTask")
    assert service["Cluster"] == {"Ref": "Cluster"}
    assert service["TaskDefinition"] == {"Ref": "AJobWorkerTask"}
    assert service["CapacityProviderStrategy"] == [{"CapacityProvider": "FARGATE", "Weight": 1}]
    assert service["DeploymentConfiguration"]["DeploymentCircuitBreaker"]["Rollback"] is True
    assert "DesiredCount" not in service
    assert task["Family"] == "demo_dev_a_worker"
    own = properties(template, "AJobTask")
    assert {**task, "Family": 0, "ContainerDefinitions": 0} == {
        **own,
        "Family": 0,
        "ContainerDefinitions": 0,
    }


def test_on_spare_capacity_if_the_job_is(worker: Any) -> None:
    service = properties(worker(spot=True), "AJobWorkers")
    assert service["CapacityProviderStrategy"][0]["CapacityProvider"] == "FARGATE_SPOT"


def test_its_tasks_know_the_queue_and_how_many_messages_are_a_run(worker: Any) -> None:
    template = worker(batch=10)
    (container,) = properties(template, "AJobWorkerTask")["ContainerDefinitions"]
    found = container_variables(container)
    assert found["DEVBRIDGE_WORKER"] == {"Fn::GetAtt": ["OrdersQueue", "Arn"]}
    assert found["DEVBRIDGE_WORKER_BATCH"] == "10"
    assert found["DEVBRIDGE_PROJECT"] == "demo_dev_a"
    assert '"held":true' in str(found["DEVBRIDGE_TRIGGERS"])
    (run,) = properties(template, "AJobTask")["ContainerDefinitions"]
    assert "DEVBRIDGE_WORKER" not in container_variables(run)


def test_nothing_else_reads_the_queue(worker: Any) -> None:
    assert not of_type(worker(), "AWS::Lambda::EventSourceMapping")


def test_what_comes_to_the_jobs_own_queue_is_read_there(root: Path) -> None:
    with loading(root):
        app = App("demo")
        compute, event = Fargate(workers=Workers()), OnEvent({"source": ["s"]}, done="succeeded")
        Job(app, "a", handler="jobs/a.handler", compute=compute, timeout="1 hour", triggers=[event])
        Topic(app, "t")
    template = made(app, mode="deployed")
    assert lint(template) == []
    assert not of_type(template, "AWS::Lambda::EventSourceMapping")
    (container,) = properties(template, "AJobWorkerTask")["ContainerDefinitions"]
    queue = container_variables(container)["DEVBRIDGE_WORKER"]
    assert queue == {"Fn::GetAtt": ["AJobInbox", "Arn"]}
    assert properties(template, "AJobInbox")["VisibilityTimeout"] == 6 * 3630


def test_the_role_reads_that_queue_keeps_runs_and_protects_its_tasks_alone(worker: Any) -> None:
    found = allowed(worker(), "AJobRole")
    queue = [{"Fn::GetAtt": ["OrdersQueue", "Arn"]}]
    actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")
    for action in actions:
        assert found[f"sqs:{action}"] == queue
    assert found["ecs:UpdateTaskProtection"] == [{"Fn::Sub": f"{ECS}:task/demo_dev/*"}]
    entered = [each["Fn::Sub"].rpartition(":")[2] for each in found["s3:PutObject"]]
    assert "assets/listed/demo/dev/a/*" in entered
    assert not [name for name in found if name.endswith("*")]
    assert not [name for name in allowed(worker(), "InvokerRole") if name == "sqs:ReceiveMessage"]


def test_its_tasks_follow_the_messages_that_wait_or_are_worked_on(worker: Any) -> None:
    template = worker(Workers(min=1, max=3, per_worker=10))
    target = properties(template, "AJobScaled")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 3)
    assert target["ResourceId"] == {"Fn::Sub": "service/demo_dev/${AJobWorkers.Name}"}
    busy = properties(template, "AJobBusy")["StepScalingPolicyConfiguration"]
    assert busy["AdjustmentType"] == "ExactCapacity"
    assert busy["StepAdjustments"] == [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 10, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 2},
        {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 3},
    ]
    alarm = properties(template, "AJobBusyAlarm")
    assert alarm["AlarmActions"] == [{"Ref": "AJobBusy"}]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
    assert alarm["TreatMissingData"] == "notBreaching"
    waiting, taken, backlog = alarm["Metrics"]
    assert backlog["Expression"] == "waiting + taken"
    for each in (waiting, taken):
        (dimension,) = each["MetricStat"]["Metric"]["Dimensions"]
        assert dimension["Value"] == {"Fn::GetAtt": ["OrdersQueue", "QueueName"]}


def test_when_no_message_is_there_for_minutes_there_are_as_few_as_there_may_be(worker: Any) -> None:
    template = worker(Workers(min=2, max=3))
    alarm = properties(template, "AJobIdleAlarm")
    assert (alarm["EvaluationPeriods"], alarm["ComparisonOperator"]) == (3, "LessThanThreshold")
    assert alarm["TreatMissingData"] == "breaching"
    idle = properties(template, "AJobIdle")["StepScalingPolicyConfiguration"]
    assert idle["StepAdjustments"] == [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": 2}]


def test_a_policy_has_no_more_steps_than_aws_allows(worker: Any) -> None:
    template = worker(Workers(max=1000))
    steps = properties(template, "AJobBusy")["StepScalingPolicyConfiguration"]["StepAdjustments"]
    assert len(steps) == 20
    assert steps[-1]["ScalingAdjustment"] == 1000


def test_on_the_laptop_the_stub_reads_the_queue_and_there_is_no_service(worker: Any) -> None:
    template = worker(mode="dev")
    (mapping,) = of_type(template, "AWS::Lambda::EventSourceMapping").values()
    assert mapping["Properties"]["FunctionName"] == {"Ref": "AJobInvoker"}
    for kind in MAKES:
        assert not of_type(template, kind.name)
    assert "ecs:UpdateTaskProtection" not in allowed(template, "AJobRole")
