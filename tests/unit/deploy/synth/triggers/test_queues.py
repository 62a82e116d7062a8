"""The queues that an invoker reads, and who may do what with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Function, Job, Lambda, OnEvent, OnQueue, Queue
from devbridge.constructs.app import loading
from devbridge.deploy.arns import main_arn
from devbridge.deploy.synth import Template
from devbridge.deploy.synth.triggers.queues import function_grants
from tests.unit.deploy.synth.triggers.conftest import Triggered
from tests.unit.deploy.templates import lint, made, of_type, properties, resources, statements


@pytest.fixture
def app(root: Path) -> App:
    with loading(root):
        return App("demo")


def job(app: App, *triggers: Any, **options: Any) -> Job:
    return Job(app, "a", handler="jobs/a.handler", triggers=list(triggers), **options)


def template(app: App, **settings: Any) -> Template:
    found = made(app, **{"mode": "deployed", **settings})
    assert lint(found) == []
    return found


def arn(title: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [title, "Arn"]}


def test_a_queue_is_read_by_the_invoker_which_tells_what_it_could_not_start(app: App) -> None:
    queue = Queue(app, "orders")
    job(app, OnQueue(queue, batch_size=1, max_concurrency=5, filter={"body": {"a": ["b"]}}))
    assert properties(template(app), "AJobOnQueueOrders") == {
        "FunctionName": {"Ref": "AJobInvoker"},
        "EventSourceArn": arn("OrdersQueue"),
        "BatchSize": 1,
        "ScalingConfig": {"MaximumConcurrency": 5},
        "FilterCriteria": {"Filters": [{"Pattern": '{"body": {"a": ["b"]}}'}]},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "Enabled": "true",
    } | {"Enabled": properties(template(app), "AJobOnQueueOrders")["Enabled"]}


@pytest.mark.parametrize(
    ("mode", "live", "enabled"),
    [("deployed", True, True), ("dev", True, False), ("dev", False, True)],
)
def test_on_a_dev_stage_nothing_is_read_before_somebody_is_there(
    app: App, mode: str, live: bool, enabled: bool
) -> None:
    job(app, OnQueue(Queue(app, "q")), OnEvent({"source": ["s"]}), enable_live_dev=live)
    found = template(app, mode=mode)
    for title in ("AJobOnQueueQ", "AJobReadsInbox"):
        assert properties(found, title)["Enabled"] in (enabled, str(enabled).lower())


def test_a_queue_without_a_dead_letter_queue_has_the_jobs(app: App) -> None:
    job(app, OnQueue(Queue(app, "q", max_receives=7)))
    found = template(app)
    assert properties(found, "QQueue")["RedrivePolicy"] == {
        "deadLetterTargetArn": arn("AJobDeadLetters"),
        "maxReceiveCount": 7,
    }
    assert properties(found, "QQueue")["VisibilityTimeout"] == 60
    assert properties(found, "AJobInvoker")["Timeout"] * 6 == 60


def test_a_queue_keeps_its_own_dead_letter_queue_and_visibility(app: App) -> None:
    dead = Queue(app, "dead")
    queue = Queue(app, "q", dead_letter=dead, visibility_timeout="2 minutes")
    job(app, OnQueue(queue))
    found = template(app)
    assert properties(found, "QQueue")["RedrivePolicy"]["deadLetterTargetArn"] == arn("DeadQueue")
    assert properties(found, "QQueue")["VisibilityTimeout"] == 120
    assert properties(found, "DeadQueue")["VisibilityTimeout"] == 30


def test_on_failure_is_in_place_of_a_queue_that_is_made(app: App) -> None:
    job(app, OnEvent({"source": ["s"]}), on_failure=Queue(app, "failed"))
    found = template(app)
    assert "AJobDeadLetters" not in resources(found)
    assert properties(found, "AJobInbox")["RedrivePolicy"] == {
        "deadLetterTargetArn": arn("FailedQueue"),
        "maxReceiveCount": 5,
    }


def test_the_jobs_own_queues_keep_messages_as_long_as_sqs_does(app: App) -> None:
    job(app, OnEvent({"source": ["s"]}))
    found = template(app)
    for title in ("AJobInbox", "AJobDeadLetters"):
        assert properties(found, title)["MessageRetentionPeriod"] == 14 * 86400
        assert properties(found, title)["SqsManagedSseEnabled"] in (True, "true")
        assert resources(found)[title]["DeletionPolicy"] == "RetainExceptOnCreate"


def test_a_job_without_such_triggers_has_no_queue(app: App) -> None:
    job(app)
    assert not of_type(template(app), "AWS::SQS::Queue")
    assert (
        "DEVBRIDGE_TRIGGERS"
        not in properties(template(app), "AJobInvoker")["Environment"]["Variables"]
    )


@pytest.mark.parametrize(("mode", "role"), [("deployed", "InvokerRole"), ("dev", "StubRole")])
def test_the_invoker_may_read_those_queues_and_send_to_the_dead_letter_queues_alone(
    app: App, mode: str, role: str
) -> None:
    own = Queue(app, "q", dead_letter=Queue(app, "dead"))
    job(app, OnQueue(own), OnEvent({"source": ["s"]}))
    sqs = [
        statement
        for statement in statements(template(app, mode=mode), role)
        if any(action.startswith("sqs:") for action in statement["Action"])
    ]
    assert sqs == [
        {
            "Effect": "Allow",
            "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            "Resource": [arn("AJobInbox"), arn("QQueue")],
        },
        {
            "Effect": "Allow",
            "Action": ["sqs:SendMessage", "sqs:GetQueueUrl"],
            "Resource": [arn("AJobDeadLetters"), arn("DeadQueue")],
        },
    ]


def test_the_jobs_own_role_may_send_to_its_dead_letter_queues_alone(app: App) -> None:
    job(app, OnQueue(Queue(app, "q")))
    sqs = [s for s in statements(template(app), "AJobRole") if "sqs:SendMessage" in s["Action"]]
    assert [statement["Resource"] for statement in sqs] == [[arn("AJobDeadLetters")]]


def held(app: App, **options: Any) -> Job:
    queue = Queue(app, "q")
    triggers = [OnQueue(queue, done="succeeded"), OnEvent({"source": ["s"]}, done="succeeded")]
    return job(app, *triggers, compute=Lambda(), timeout="2 minutes", retries=3, **options)


@pytest.mark.parametrize("title", ["AJobOnQueueQ", "AJobReadsInbox"])
def test_the_jobs_own_function_reads_what_is_held_until_its_run_has_succeeded(
    app: App, title: str
) -> None:
    held(app)
    found = properties(template(app), title)
    assert (found["FunctionName"], found["BatchSize"]) == ({"Ref": "AJobRunner"}, 1)
    assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize(("done", "receives"), [("started", 3), ("succeeded", 2)])
def test_a_queue_with_dead_letters_of_its_own_gives_up_as_the_job_does(
    app: App, done: Any, receives: int
) -> None:
    queue = Queue(app, "q", dead_letter=Queue(app, "dead"))
    options: Any = {"compute": Lambda(), "timeout": "1 minute"}
    job(app, OnQueue(queue, done=done), retries=1, **options)
    found = properties(template(app), "QQueue")["RedrivePolicy"]
    assert found == {"deadLetterTargetArn": arn("DeadQueue"), "maxReceiveCount": receives}


@pytest.mark.parametrize("title", ["QQueue", "AJobInbox"])
def test_a_held_message_is_hidden_for_six_times_the_function_and_tried_as_often_as_the_job_says(
    app: App, title: str
) -> None:
    held(app)
    made = template(app)
    queue, function = properties(made, title), properties(made, "AJobRunner")
    assert (function["Timeout"], queue["VisibilityTimeout"]) == (150, 900)
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": arn("AJobDeadLetters"),
        "maxReceiveCount": 4,
    }


def test_the_function_is_told_what_it_reads_and_which_runs_are_its_own(app: App) -> None:
    held(app)
    variables = properties(template(app), "AJobRunner")["Environment"]["Variables"]
    parts = variables["DEVBRIDGE_TRIGGERS"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "arn" for part in parts)
    assert text.count('"held":true') == 2
    assert variables["DEVBRIDGE_PROJECT"] == "demo_dev_a"


def may(made: Template, role: str, action: str) -> list[Any]:
    """The statements that allow it."""
    return [each for each in statements(made, role) if action in each["Action"]]


def test_only_the_function_may_read_what_it_reads_itself(app: App) -> None:
    held(app)
    made = template(app)
    (reads,) = may(made, "AJobRole", "sqs:ReceiveMessage")
    assert reads["Action"] == [
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ChangeMessageVisibility",
    ]
    assert reads["Resource"] == [arn("AJobInbox"), arn("QQueue")]
    assert may(made, "InvokerRole", "sqs:ReceiveMessage") == []


def test_on_the_laptop_the_stub_reads_and_the_jobs_role_tells_the_queue_of_the_end(
    app: App,
) -> None:
    held(app)
    made = template(app, mode="dev")
    assert properties(made, "AJobOnQueueQ")["FunctionName"] == {"Ref": "AJobInvoker"}
    (own,) = may(made, "AJobRole", "sqs:DeleteMessage")
    assert own["Action"] == ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ChangeMessageVisibility"]
    assert own["Resource"] == [arn("AJobInbox"), arn("QQueue")]
    assert len(may(made, "StubRole", "sqs:ReceiveMessage")) == 1


@pytest.mark.parametrize(
    ("fifo", "options", "size", "deployed"),
    [(True, {}, 1, 1), (False, {"batch_size": 3}, 10, 3), (True, {"batch": 4}, 4, 4)],
)
def test_on_the_laptop_nothing_overtakes_in_a_group(
    app: App, fifo: bool, options: dict[str, Any], size: int, deployed: int
) -> None:
    dead = Queue(app, "dead", fifo=True) if fifo else None
    queue = Queue(app, "q", fifo=fifo, dead_letter=dead, max_receives=1)
    trigger = OnQueue(queue, done="succeeded", **options)
    job(app, trigger, compute=Lambda(), timeout="1 minute")
    assert properties(template(app, mode="dev"), "AJobOnQueueQ")["BatchSize"] == size
    assert properties(template(app), "AJobOnQueueQ")["BatchSize"] == deployed


def test_a_queue_that_calls_a_function_has_that_ones_dead_letters(calling: Triggered) -> None:
    found = calling(lambda to: [OnQueue(to.queue, batch_size=5)])
    assert properties(found, "SeeFunctionOnQueueQ")["BatchSize"] == 5
    redrive = properties(found, "QQueue")["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == arn("SeeFunctionDeadLetters")
    assert properties(found, "QQueue")["VisibilityTimeout"] == 120


KEY = "arn:aws:kms:eu-west-1:111122223333:key/of-the-queue"


def test_a_function_may_use_the_keys_of_what_it_is_given_and_gives_up(app: App) -> None:
    read = Queue(app, "q", encryption_key=KEY)
    failed = Queue(app, "failed", encryption_key=KEY)
    sold = OnEvent({"source": ["shop"]}, name="sold")
    function = Function(
        app, "f", handler="api/start.handler", triggers=[OnQueue(read), sold], on_failure=failed
    )
    reads, sends, keys = function_grants(function)
    assert (reads["Resource"], sends["Resource"]) == ([main_arn(read)], [main_arn(failed)])
    assert sends["Action"] == ["sqs:SendMessage"]
    assert keys["Resource"] == [KEY]
