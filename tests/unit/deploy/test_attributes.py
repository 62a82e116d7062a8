from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import (
    Api,
    App,
    Batch,
    Bucket,
    CodeBuild,
    Construct,
    EventBus,
    Fargate,
    Function,
    Job,
    Lambda,
    LoadBalancer,
    Queue,
    Reference,
    Schedule,
    Secret,
    Stream,
    Table,
    Topic,
    UserPool,
    Vpc,
)
from devbridge.constructs.app import loading
from devbridge.deploy.attributes import Deployed, known, resolved
from devbridge.errors import InvalidValue
from tests.unit.deploy.templates import lint, made, of_type, properties, statements

BALANCERS = "arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012"
NET = Vpc("vpc-12345678", ["subnet-12345678", "subnet-87654321"], ["sg-12345678"])
PLACE = Deployed(
    "aws-cn",
    "cn-north-1",
    "123456789012",
    {
        "XTable": "notes-1",
        "XBucket": "files-1",
        "XQueue": "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/work-1",
        "XTopic": "arn:aws-cn:sns:cn-north-1:123456789012:news-1",
        "XTableStream": "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/notes-1/stream/2026",
        "XStream": "clicks-1",
        "XEventBus": "demo_dev_x",
        "YLoadBalancer": f"{BALANCERS}:loadbalancer/app/y/1",
        "YListener": f"{BALANCERS}:listener/app/y/1/2",
        "YUrl": "http://y-1.elb.cn-north-1.amazonaws.com.cn",
        "XUserPool": "cn-north-1_a1",
        "XUserPoolClient": "client-1",
        "XIssuer": "https://cognito-idp.cn-north-1.amazonaws.com/cn-north-1_a1",
        "XUrl": "https://a1.execute-api.cn-north-1.amazonaws.com.cn",
        "XRole": "arn:aws-cn:iam::123456789012:role/r-1",
    },
)
HERE = "cn-north-1:123456789012"
LOGS = f"arn:aws-cn:logs:{HERE}:log-group"


@pytest.fixture
def constructs(root: Path) -> dict[str, Construct]:
    with loading(root):
        app = App("demo")
        function = Function(app, "x", handler="api/start.handler")
        found: list[Construct] = [
            function,
            Table(app, "x", partition_key="id", stream="keys_only"),
            Bucket(app, "x"),
            Stream(app, "x"),
            EventBus(app, "x"),
            LoadBalancer(app, "y", vpc=NET),
            Queue(app, "x"),
            Topic(app, "x"),
            UserPool(app, "x"),
            Api(app, "x", routes={"$default": function}),
            Secret(app, "x"),
            Job(app, "x", handler="jobs/a.handler", triggers=[Schedule("rate(1 day)")]),
        ]
    return {type(each).__name__: each for each in found}


def filled_in(value: Any) -> str:
    """A template's value as CloudFormation fills it in at `PLACE`."""
    if isinstance(value, str):
        return value
    outputs = PLACE.outputs
    names = {
        "AWS::Partition": PLACE.partition,
        "AWS::Region": PLACE.region,
        "AWS::AccountId": PLACE.account,
        **outputs,
        "XQueue.QueueName": "work-1",
        "XApi.ApiEndpoint": outputs["XUrl"],
        "XTable.StreamArn": outputs["XTableStream"],
        "YLoadBalancerListener": outputs["YListener"],
        "YLoadBalancer.DNSName": outputs["YUrl"].removeprefix("http://"),
        "XUserPool.ProviderName": "cognito-idp.cn-north-1.amazonaws.com/cn-north-1_a1",
        "XJobRole.Arn": outputs["XRole"],
    }
    match value.to_dict():
        case {"Ref": name}:
            return names[name]
        case {"Fn::GetAtt": [name, attribute]}:
            return names[f"{name}.{attribute}"]
        case {"Fn::Sub": text}:
            for name, known in names.items():
                text = text.replace(f"${{{name}}}", known)
            return str(text)
    raise AssertionError(value)


@pytest.mark.parametrize(
    ("kind", "what", "text"),
    [
        ("Table", "table_name", "notes-1"),
        ("Table", "arn", f"arn:aws-cn:dynamodb:{HERE}:table/notes-1"),
        ("Bucket", "bucket_name", "files-1"),
        ("Bucket", "arn", "arn:aws-cn:s3:::files-1"),
        ("Queue", "queue_url", PLACE.outputs["XQueue"]),
        ("Queue", "queue_name", "work-1"),
        ("Queue", "arn", f"arn:aws-cn:sqs:{HERE}:work-1"),
        ("Table", "stream_arn", PLACE.outputs["XTableStream"]),
        ("Stream", "stream_name", "clicks-1"),
        ("Stream", "arn", f"arn:aws-cn:kinesis:{HERE}:stream/clicks-1"),
        ("EventBus", "bus_name", "demo_dev_x"),
        ("EventBus", "arn", f"arn:aws-cn:events:{HERE}:event-bus/demo_dev_x"),
        ("LoadBalancer", "arn", PLACE.outputs["YLoadBalancer"]),
        ("LoadBalancer", "listener_arn", PLACE.outputs["YListener"]),
        ("LoadBalancer", "url", PLACE.outputs["YUrl"]),
        ("Topic", "arn", PLACE.outputs["XTopic"]),
        ("UserPool", "user_pool_id", "cn-north-1_a1"),
        ("UserPool", "client_id", "client-1"),
        ("UserPool", "issuer", PLACE.outputs["XIssuer"]),
        ("UserPool", "arn", f"arn:aws-cn:cognito-idp:{HERE}:userpool/cn-north-1_a1"),
        ("Api", "url", PLACE.outputs["XUrl"]),
        ("Secret", "parameter_name", "/devbridge/demo/dev/secrets/x"),
        ("Secret", "arn", f"arn:aws-cn:ssm:{HERE}:parameter/devbridge/demo/dev/secrets/x"),
        ("Function", "function_name", "demo_dev_x-fn"),
        ("Function", "arn", f"arn:aws-cn:lambda:{HERE}:function:demo_dev_x-fn"),
        (
            "Function",
            "log_group_arn",
            f"{LOGS}:/aws/lambda/demo_dev_x-fn",
        ),
        ("Job", "role_arn", PLACE.outputs["XRole"]),
        ("Job", "log_group_arn", f"{LOGS}:/aws/codebuild/demo_dev_x"),
        ("Job", "definition_arn", f"arn:aws-cn:codebuild:{HERE}:project/demo_dev_x"),
        ("Job", "invoker_arn", f"arn:aws-cn:lambda:{HERE}:function:demo_dev_x-invoker"),
    ],
)
def test_a_reference_is_the_same_in_a_template_and_on_the_laptop(
    constructs: dict[str, Construct], kind: str, what: str, text: str
) -> None:
    reference = getattr(constructs[kind], what)
    assert isinstance(reference, Reference)
    assert known(reference, "dev", PLACE) == text
    assert filled_in(resolved(reference, "dev")) == text
    more = "<" + reference + ">"
    assert known(more, "dev", PLACE) == filled_in(resolved(more, "dev")) == f"<{text}>"


def test_every_reference_that_a_construct_gives_is_known(constructs: dict[str, Construct]) -> None:
    given = 0
    for construct in constructs.values():
        for name, attribute in vars(type(construct)).items():
            if isinstance(attribute, property) and isinstance(
                reference := getattr(construct, name), Reference
            ):
                assert reference.what == name
                assert known(reference, "dev", PLACE)
                given += 1
    assert given == 30


@pytest.mark.parametrize(
    ("compute", "arn"),
    [
        (CodeBuild(), f"arn:aws-cn:codebuild:{HERE}:project/demo_dev_a"),
        (Batch(), f"arn:aws-cn:batch:{HERE}:job-definition/demo_dev_a"),
        (Fargate(), f"arn:aws-cn:ecs:{HERE}:task-definition/demo_dev_a"),
        (Lambda(), f"arn:aws-cn:lambda:{HERE}:function:demo_dev_a-job"),
    ],
)
def test_a_definition_is_what_its_place_starts_runs_from(
    root: Path, compute: Any, arn: str
) -> None:
    with loading(root):
        job = Job(App("demo"), "a", handler="jobs/a.handler", compute=compute)
    assert known(job.definition_arn, "dev", PLACE) == arn


def test_a_text_is_itself_and_its_braces_are_no_reference(root: Path) -> None:
    with loading(root):
        bucket = Bucket(App("demo"), "x")
    assert resolved("a ${b}", "dev") == known("a ${b}", "dev", PLACE) == "a ${b}"
    value = resolved(bucket.bucket_name + "/${user}", "dev")
    assert value.to_dict() == {"Fn::Sub": "${XBucket}/${!user}"}


def test_environment_permissions_and_outputs_take_them(root: Path) -> None:
    with loading(root):
        app = App("demo")
        files, queue = Bucket(app, "x"), Queue(app, "x")
        other = Job(app, "other", handler="jobs/a.handler")
        Job(
            app,
            "a",
            handler="jobs/a.handler",
            environment={"QUEUE": queue.queue_url, "PLACE": "s3://" + files.bucket_name},
            permissions=[
                {"actions": ["iam:PassRole"], "resources": [other.role_arn]},
                {"actions": ["s3:GetObject"], "resources": [files.arn + "/*", "arn:aws:s3:::b/*"]},
            ],
        )
        app.output("Queue", queue.arn)
        app.output("Fixed", "1")
    template = made(app, mode="deployed")
    assert lint(template) == []
    outputs = json.loads(template.body)["Outputs"]
    assert outputs["Queue"]["Value"]["Fn::Sub"].endswith(":${XQueue.QueueName}")
    assert outputs["Fixed"]["Value"] == "1"
    variables = {
        each["Name"]: each["Value"]
        for each in properties(template, "AJobProject")["Environment"]["EnvironmentVariables"]
    }
    assert variables["QUEUE"] == {"Ref": "XQueue"}
    assert variables["PLACE"] == {"Fn::Sub": "s3://${XBucket}"}
    given = [each["Resource"] for each in statements(template, "AJobRole")]
    assert [{"Fn::GetAtt": ["OtherJobRole", "Arn"]}] in given
    objects = {"Fn::Sub": "arn:${AWS::Partition}:s3:::${XBucket}/*"}
    assert [objects, "arn:aws:s3:::b/*"] in given


def test_jobs_and_functions_may_refer_to_each_other(root: Path) -> None:
    with loading(root):
        app = App("demo")
        job = Job(app, "a", handler="jobs/a.handler")
        function = Function(
            app,
            "f",
            handler="api/start.handler",
            environment={"JOB": job.invoker_arn, "ROLE": job.role_arn},
        )
        Job(app, "b", handler="jobs/a.handler", environment={"NEXT": function.arn}, bind=[function])
    template = made(app)
    assert lint(template) == []
    assert of_type(template, "AWS::Lambda::Function")


@pytest.mark.parametrize("wrong", ["queue_url", "before", "other"])
def test_a_permission_is_for_arns_of_this_app(root: Path, wrong: str) -> None:
    with loading(root):
        app = App("demo")
        queue, other = Queue(app, "x"), Queue(App("other"), "x")
    resource = {"queue_url": queue.queue_url, "before": "x" + queue.arn, "other": other.arn}[wrong]
    with pytest.raises(InvalidValue, match="permission "):
        Job(
            app,
            "b",
            handler="jobs/a.handler",
            permissions=[{"actions": ["a:B"], "resources": [resource]}],
        )
