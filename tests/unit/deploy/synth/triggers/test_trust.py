"""Whom a trigger makes trust whom: the embedded cloud does not ask about all of it, AWS does.

Each kind adds these statements to a template, and no other.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from devbridge.constructs import (
    OnEvent,
    OnLoadBalancer,
    OnLog,
    OnObject,
    OnQueue,
    OnRequest,
    OnStream,
    OnTable,
    OnTopic,
    Schedule,
)
from devbridge.deploy.synth import Template
from devbridge.deploy.synth.triggers.known import ROWS
from devbridge.names import Mode
from tests.unit.deploy.synth.triggers.conftest import Listened, Triggered, Triggers
from tests.unit.deploy.templates import resources

ACCOUNT = {"Ref": "AWS::AccountId"}
READS = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
SENDS = ["sqs:SendMessage", "sqs:GetQueueUrl"]
STREAM = {"Fn::GetAtt": ["NTable", "StreamArn"]}


def arn(title: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [title, "Arn"]}


def named(service: str, resource: str) -> dict[str, Any]:
    place = "${AWS::Region}:${AWS::AccountId}"
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:{place}:{resource}"}


def allow(actions: list[str], *on: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": list(on)}


def of_service(service: str, *actions: str) -> list[str]:
    return [f"{service}:{action}" for action in actions]


def tls_only(queue: str) -> dict[str, Any]:
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": [arn(queue)],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def sent_by(service: str, source: Any) -> tuple[str, Any]:
    """In the policy of the job's own queue."""
    return "SeeJobInboxPolicy", {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn("SeeJobInbox"),
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }


def called_by(service: str, source: Any) -> dict[str, Any]:
    """A permission of the invoker."""
    return {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": "SeeJobInvoker"},
        "Principal": f"{service}.amazonaws.com",
        "SourceArn": source,
        "SourceAccount": ACCOUNT,
    }


ALL = [
    ("SeeJobDeadLettersPolicy", tls_only("SeeJobDeadLetters")),
    ("SeeJobRole", allow(SENDS, arn("SeeJobDeadLetters"))),
    ("INVOKER", allow(SENDS, arn("SeeJobDeadLetters"))),
]
"""What all of them have."""
PAYLOADS = {"Fn::Sub": "arn:${AWS::Partition}:s3:::assets/payloads/demo/dev/*"}
GIVES_UP: list[tuple[str, Any]] = [
    (
        "SeeJobEndedMayInvoke",
        {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": "SeeJobInvoker"},
            "Principal": "events.amazonaws.com",
            "SourceArn": arn("SeeJobEnded"),
        },
    ),
    ("INVOKER", allow(["s3:GetObject"], PAYLOADS)),
]
"""And where they are deployed: a machine that has died leaves its message to the invoker."""
INBOX = [
    ("SeeJobInboxPolicy", tls_only("SeeJobInbox")),
    ("INVOKER", allow(READS, arn("SeeJobInbox"))),
]
"""And those that come to the job's own queue."""
READS_TABLE = of_service(
    "dynamodb", "DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"
)
READS_STREAM = of_service(
    "kinesis",
    *("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"),
)
SUBSCRIBES = of_service("kinesis", "DescribeStreamConsumer", "SubscribeToShard")
SCHEDULER = {
    "Effect": "Allow",
    "Principal": {"Service": "scheduler.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
}


TABLE: dict[str, tuple[type, Triggers, list[tuple[str, Any]]]] = {
    "queue": (OnQueue, lambda to: [OnQueue(to.queue)], [("INVOKER", allow(READS, arn("QQueue")))]),
    "topic": (
        OnTopic,
        lambda to: [OnTopic(to.topic)],
        [*INBOX, sent_by("sns", {"Ref": "TTopic"})],
    ),
    "object": (
        OnObject,
        lambda to: [OnObject(to.bucket)],
        [*INBOX, sent_by("events", arn("SeeJobOnObjectB"))],
    ),
    "event": (
        OnEvent,
        lambda _: [OnEvent({"source": ["shop"]}, name="sold")],
        [*INBOX, sent_by("events", arn("SeeJobOnEventSold"))],
    ),
    "event of a bus": (
        OnEvent,
        lambda to: [OnEvent({"source": ["shop"]}, bus=to.bus, name="sold")],
        [*INBOX, sent_by("events", arn("SeeJobOnEventSold"))],
    ),
    "schedules": (
        Schedule,
        lambda _: [Schedule("rate(2 hours)"), Schedule("rate(3 hours)")],
        [
            *INBOX,
            ("SeeJobSchedulerRole", SCHEDULER),
            ("SeeJobSchedulerRole", allow(["sqs:SendMessage"], arn("SeeJobInbox"))),
        ],
    ),
    "log": (
        OnLog,
        lambda to: [OnLog(to.function, "ERROR")],
        [("SeeJobOnLogFPermission", called_by("logs", arn("FFunctionLogs")))],
    ),
    "request": (
        OnRequest,
        lambda to: [OnRequest(to.api, "ANY /a/{b}", authorizer="users", name="asked")],
        [
            (
                "SeeJobOnRequestAskedPermission",
                called_by("apigateway", named("execute-api", "${WApi}/*/*/a/*")),
            )
        ],
    ),
    "load balancer": (
        OnLoadBalancer,
        lambda to: [OnLoadBalancer(to.balancer, paths=["/a"])],
        [
            (
                "SeeJobOnLoadBalancerL1Permission",
                called_by(
                    "elasticloadbalancing",
                    named("elasticloadbalancing", "targetgroup/TARGETS/*"),
                ),
            )
        ],
    ),
    "table": (
        OnTable,
        lambda to: [OnTable(to.table)],
        [("INVOKER", allow(READS_TABLE, STREAM))],
    ),
    "stream": (
        OnStream,
        lambda to: [OnStream(to.stream)],
        [("INVOKER", allow(READS_STREAM, arn("SStream")))],
    ),
    "stream with a consumer": (
        OnStream,
        lambda to: [OnStream(to.stream, consumer=True)],
        [
            ("INVOKER", allow(READS_STREAM, arn("SStream"))),
            ("INVOKER", allow(SUBSCRIBES, {"Ref": "SeeJobOnStreamSConsumer"})),
        ],
    ),
}


DEAD = arn("SeeFunctionDeadLetters")
OWN_DEAD = ("SeeFunctionDeadLettersPolicy", tls_only("SeeFunctionDeadLetters"))
"""A function has such a queue where somebody may give something up."""
GIVEN_UP = [OWN_DEAD, ("SeeFunctionRole", allow(SENDS[:1], DEAD))]


def lost_by(service: str, source: Any) -> tuple[str, Any]:
    """In the policy of its dead-letter queue: what cannot be delivered to it."""
    return "SeeFunctionDeadLettersPolicy", {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": DEAD,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }


def calls(title: str, service: str, source: Any) -> tuple[str, Any]:
    """A permission of the function's."""
    own = called_by(service, source) | {"FunctionName": {"Ref": "SeeFunction"}}
    return f"SeeFunction{title}Permission", own


OF_A_FUNCTION: dict[str, tuple[Triggers, list[tuple[str, Any]]]] = {
    "queue": (
        lambda to: [OnQueue(to.queue)],
        [OWN_DEAD, ("SeeFunctionRole", allow(READS, arn("QQueue")))],
    ),
    "topic": (
        lambda to: [OnTopic(to.topic)],
        [
            *GIVEN_UP,
            lost_by("sns", {"Ref": "TTopic"}),
            calls("OnTopicT", "sns", {"Ref": "TTopic"}),
        ],
    ),
    "object": (
        lambda to: [OnObject(to.bucket)],
        [
            *GIVEN_UP,
            lost_by("events", arn("SeeFunctionOnObjectB")),
            calls("OnObjectB", "events", arn("SeeFunctionOnObjectB")),
        ],
    ),
    "event of a bus": (
        lambda to: [OnEvent({"source": ["shop"]}, bus=to.bus, name="sold")],
        [
            *GIVEN_UP,
            lost_by("events", arn("SeeFunctionOnEventSold")),
            calls("OnEventSold", "events", arn("SeeFunctionOnEventSold")),
        ],
    ),
    "schedules": (
        lambda _: [Schedule("rate(2 hours)"), Schedule("rate(3 hours)")],
        [
            *GIVEN_UP,
            ("SeeFunctionSchedulerRole", SCHEDULER),
            ("SeeFunctionSchedulerRole", allow(["lambda:InvokeFunction"], arn("SeeFunction"))),
            ("SeeFunctionSchedulerRole", allow(["sqs:SendMessage"], DEAD)),
        ],
    ),
    "log": (
        lambda to: [OnLog(to.function, "ERROR")],
        [*GIVEN_UP, calls("OnLogF", "logs", arn("FFunctionLogs"))],
    ),
    "request": (
        lambda to: [OnRequest(to.api, "ANY /a/{b}", authorizer="users", name="asked")],
        [calls("OnRequestAsked", "apigateway", named("execute-api", "${WApi}/*/*/a/*"))],
    ),
    "load balancer": (
        lambda to: [OnLoadBalancer(to.balancer, paths=["/a"])],
        [
            calls(
                "OnLoadBalancerL1",
                "elasticloadbalancing",
                named("elasticloadbalancing", "targetgroup/TARGETS/*"),
            )
        ],
    ),
    "table": (
        lambda to: [OnTable(to.table)],
        [*GIVEN_UP, ("SeeFunctionRole", allow(READS_TABLE, STREAM))],
    ),
    "stream with a consumer": (
        lambda to: [OnStream(to.stream, consumer=True)],
        [
            *GIVEN_UP,
            ("SeeFunctionRole", allow(READS_STREAM, arn("SStream"))),
            ("SeeFunctionRole", allow(SUBSCRIBES, {"Ref": "SeeFunctionOnStreamSConsumer"})),
        ],
    ),
}
"""Of a function, which AWS calls itself; it reads with its own role."""


def trusting(template: Template) -> list[tuple[str, str]]:
    """All statements of a template about who may do what, and whose they are."""
    found: list[tuple[str, Any]] = []
    for title, resource in resources(template).items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Permission":
            found.append((title, properties))
        documents = [
            properties.get("AssumeRolePolicyDocument"),
            properties.get("PolicyDocument"),
            *(each["PolicyDocument"] for each in properties.get("Policies", ())),
        ]
        for document in filter(None, documents):
            found += [(title, statement) for statement in document["Statement"]]
    return sorted((title, json.dumps(statement, sort_keys=True)) for title, statement in found)


def target_group(template: Template) -> str:
    """The name of the target group, if there is one."""
    for resource in resources(template).values():
        if resource["Type"] == "AWS::ElasticLoadBalancingV2::TargetGroup":
            return str(resource["Properties"]["Name"])
    return ""


@pytest.mark.parametrize("mode", ["dev", "deployed"])
@pytest.mark.parametrize("kind", TABLE)
def test_a_trigger_adds_these_statements_and_no_others(
    triggered: Triggered, kind: str, mode: Mode
) -> None:
    _, triggers, more = TABLE[kind]
    before, template = triggered(mode=mode), triggered(triggers, mode=mode)
    expected = [*ALL, *more]
    if mode == "deployed":
        expected += GIVES_UP
    invoker, group = "StubRole" if mode == "dev" else "InvokerRole", target_group(template)
    told = [
        (
            title.replace("INVOKER", invoker),
            json.dumps(each, sort_keys=True).replace("TARGETS", group),
        )
        for title, each in expected
    ]
    assert trusting(template) == sorted([*trusting(before), *told])
    for _, each in expected:
        assert each.get("Resource") not in ("*", ["*"])


@pytest.mark.parametrize("kind", OF_A_FUNCTION)
def test_a_trigger_of_a_function_adds_these_statements_and_no_others(
    calling: Triggered, kind: str
) -> None:
    triggers, more = OF_A_FUNCTION[kind]
    before, template = calling(), calling(triggers)
    group = target_group(template)
    told = [
        (title, json.dumps(each, sort_keys=True).replace("TARGETS", group)) for title, each in more
    ]
    assert trusting(template) == sorted([*trusting(before), *told])
    assert trusting(calling(triggers, mode="dev")) == sorted(
        [*trusting(calling(mode="dev")), *told]
    )
    for _, each in more:
        assert each.get("Resource") not in ("*", ["*"])


def test_the_tables_have_all_kinds() -> None:
    assert {kind for kind, _, _ in TABLE.values()} == {row.trigger for row in ROWS}
    others = {"event", "stream"}  # of which the table has the larger ones
    assert OF_A_FUNCTION.keys() == TABLE.keys() - others


def listened_to(to: Listened) -> list[Any]:
    return [
        OnQueue(to.queue, batch=2),
        OnTopic(to.topic, name="a-b"),
        OnRequest(to.api, "GET /x"),
        OnLog(to.function),
        OnTable(to.table),
    ]


def test_an_invoker_is_told_how_its_triggers_are_called(triggered: Triggered) -> None:
    template = triggered(listened_to)
    variables = resources(template)["SeeJobInvoker"]["Properties"]["Environment"]["Variables"]
    parts = variables["DEVBRIDGE_TRIGGERS"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else referred(part) for part in parts)
    assert json.loads(text) == {
        "dead": "SeeJobDeadLetters.Arn",
        "inbox": "SeeJobInbox.Arn",
        "sources": {
            "QQueue.Arn": {"name": "q", "together": True},
            "TTopic": {"name": "a-b"},
            "GET /x": {"name": "GET /x"},
            "/aws/lambda/demo_dev_f-fn": {"name": "f"},
            "NTable.StreamArn": {"name": "n"},
        },
    }


def referred(part: dict[str, Any]) -> str:
    (value,) = part.values()
    return value if isinstance(value, str) else ".".join(value)


def test_a_job_without_triggers_has_nothing_of_them(triggered: Triggered) -> None:
    found = resources(triggered())
    assert not {title for title in found if title.startswith(("SeeJobInbox", "SeeJobDead"))}
    variables = found["SeeJobInvoker"]["Properties"]["Environment"]["Variables"]
    assert "DEVBRIDGE_TRIGGERS" not in variables
