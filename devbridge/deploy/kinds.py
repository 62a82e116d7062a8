"""One row for each type of construct: all that deploying, planning and removing need to know of it.

To add a construct, write its class in `devbridge.constructs`, its row here and, if code reads
anything of it at run time, its class in `devbridge.resources`.

What binding gives, and nothing beyond it:

- Table: read and write items of the table and query its indexes; not change or delete the table.
- Bucket: list it, and read, write and delete its objects; not configure it, nor old versions.
- Queue: send, receive, delete and delay messages, and read its attributes.
- Topic: publish. EventBus: put events.
- Stream: put and read records, and subscribe the consumers that it has.
- Secret: read its own SSM parameter.
- UserPool: read a user by its name; not list, make or change any. Signing up and in needs nothing.
- Function: invoke it. Job: invoke its invoker, which starts, cancels and tells of runs.
- Config, Api, FileSystem: nothing; a value, a URL, a folder are all that there is.
- What has an `encryption_key`: encrypt and decrypt with that key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from devbridge import names
from devbridge.constructs import (
    Alarm,
    Api,
    Bucket,
    CompositeAlarm,
    Config,
    Construct,
    EventBus,
    FileSystem,
    Function,
    Job,
    LoadBalancer,
    Queue,
    Secret,
    Stream,
    Table,
    Topic,
    UserPool,
)
from devbridge.deploy import resource_types as types
from devbridge.deploy.arns import main_arn
from devbridge.deploy.bindings import Binding, Bindings, Grant, Output, Property
from devbridge.deploy.policies import KEY_USE, of_service
from devbridge.deploy.references import arn, arn_of, attribute, ref
from devbridge.deploy.resource_types import ResourceType
from devbridge.deploy.synth import live_functions
from devbridge.deploy.synth.alarms import add_alarm, add_composite_alarm
from devbridge.deploy.synth.api import add_api
from devbridge.deploy.synth.compute.known import made_types
from devbridge.deploy.synth.data import add_bucket, add_table
from devbridge.deploy.synth.event_buses import add_event_bus
from devbridge.deploy.synth.file_systems import (
    ACCESS_POINT,
    FILE_SYSTEM,
    MOUNT_TARGET,
    add_file_system,
)
from devbridge.deploy.synth.functions import add_function
from devbridge.deploy.synth.jobs import add_job, add_shared
from devbridge.deploy.synth.load_balancers import add_load_balancer
from devbridge.deploy.synth.messaging import (
    add_queue,
    add_queue_policies,
    add_topic,
    add_topic_policies,
)
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.streams import add_stream
from devbridge.deploy.synth.user_pools import add_user_pool, issuer

C = TypeVar("C", bound=Construct)


def _nothing(_stack: Stack, _what: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Kind(Generic[C]):
    """A type of construct."""

    construct: type[C]
    add: Callable[[Stack, C], None] = _nothing
    """Adds one to the template."""
    add_shared: Callable[[Stack, Sequence[C]], None] = _nothing
    """Adds what all of them in an app share, before the first one."""
    add_last: Callable[[Stack, Sequence[C]], None] = _nothing
    """Adds what depends on what others have asked of them, when all of the app is there."""
    makes: tuple[ResourceType, ...] = ()
    """The types of the resources that it becomes, the main one first."""
    outputs: tuple[Output, ...] = ()
    """What the stack's outputs say of each."""
    binding: Binding[Any] | None = None
    """What binding one gives; None if it cannot be bound."""


# --- what binding permits -------------------------------------------------------------------------

_TABLE_ACTIONS: Final = of_service(
    "dynamodb",
    *("BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "DescribeTable"),
    *("GetItem", "PutItem", "Query", "Scan", "UpdateItem"),
)
_BUCKET_ACTIONS: Final = of_service("s3", "ListBucket", "GetBucketLocation")
_OBJECT_ACTIONS: Final = of_service(
    "s3",
    *("GetObject", "PutObject", "DeleteObject"),
    *("AbortMultipartUpload", "ListMultipartUploadParts"),
)
_QUEUE_ACTIONS: Final = of_service(
    "sqs",
    *("SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"),
    *("GetQueueAttributes", "GetQueueUrl"),
)
_STREAM_ACTIONS: Final = of_service(
    "kinesis",
    *("PutRecord", "PutRecords", "DescribeStreamSummary"),
    *("GetRecords", "GetShardIterator", "ListShards"),
)
_SECRET_ACTIONS: Final = of_service("ssm", "GetParameter", "GetParameters")
_INVOKE: Final = ("lambda:InvokeFunction",)


def _table(table: Table, _stage: str) -> Iterator[Grant]:
    yield _TABLE_ACTIONS, [main_arn(table), main_arn(table, "/index/*")]
    yield from key_use(table.encryption_key)


def _bucket(bucket: Bucket, _stage: str) -> Iterator[Grant]:
    yield _BUCKET_ACTIONS, [main_arn(bucket)]
    yield _OBJECT_ACTIONS, [main_arn(bucket, "/*")]
    yield from key_use(bucket.encryption_key)


def _queue(queue: Queue, _stage: str) -> Iterator[Grant]:
    yield _QUEUE_ACTIONS, [main_arn(queue)]
    yield from key_use(queue.encryption_key)


def _topic(topic: Topic, _stage: str) -> Iterator[Grant]:
    yield ("sns:Publish",), [main_arn(topic)]
    yield from key_use(topic.encryption_key)


def _stream(stream: Stream, _stage: str) -> Iterator[Grant]:
    yield _STREAM_ACTIONS, [main_arn(stream)]
    yield ("kinesis:SubscribeToShard",), [main_arn(stream, "/consumer/*")]
    yield from key_use(stream.encryption_key)


def _event_bus(bus: EventBus, _stage: str) -> Iterator[Grant]:
    yield ("events:PutEvents",), [main_arn(bus)]


def _secret(secret: Secret, stage: str) -> Iterator[Grant]:
    parameter = names.secret(secret.app.name, stage, secret.name)
    yield _SECRET_ACTIONS, [arn("ssm", f"parameter{parameter}")]
    yield from key_use(secret.encryption_key)


def _user_pool(pool: UserPool, _stage: str) -> Iterator[Grant]:
    yield ("cognito-idp:AdminGetUser",), [arn_of(names.logical(pool))]


def _function(function: Function, _stage: str) -> Iterator[Grant]:
    yield _INVOKE, [arn_of(names.logical(function))]


def _job(job: Job, _stage: str) -> Iterator[Grant]:
    yield _INVOKE, [arn_of(names.logical(job, "Invoker"))]


def key_use(key: str | None) -> Iterator[Grant]:
    """What AWS demands of anyone who uses data encrypted with a KMS key of the user's own."""
    if key:
        yield KEY_USE, [key]


# --- the rows -------------------------------------------------------------------------------------

_TABLE: Final = Output("Table")
_BUCKET: Final = Output("Bucket")
_QUEUE: Final = Output("Queue")
_TOPIC: Final = Output("Topic")
_STREAM: Final = Output("Stream")
_EVENT_BUS: Final = Output("EventBus")
_USER_POOL: Final = Output("UserPool")
_CLIENT: Final = Output("UserPoolClient", lambda title: ref(f"{title}Client"))
_ISSUER: Final = Output("Issuer", issuer)
_URL: Final = Output("Url", lambda title: attribute(title, "ApiEndpoint"))

_TRIGGERED: Final = (
    *(types.RULE, types.QUEUE, types.QUEUE_POLICY, types.MAPPING, types.SUBSCRIPTION),
    *(types.SUBSCRIPTION_FILTER, types.SCHEDULE, types.STREAM_CONSUMER),
    *(types.TARGET_GROUP, types.LISTENER_RULE, *types.API_PARTS),
)
"""What triggers become."""

KINDS: tuple[Kind[Any], ...] = (
    Kind(
        Table,
        add=add_table,
        makes=(types.TABLE,),
        outputs=(_TABLE,),
        binding=Binding((Property("tableName", _TABLE),), _table),
    ),
    Kind(
        Bucket,
        add=add_bucket,
        makes=(types.BUCKET, types.BUCKET_POLICY),
        outputs=(_BUCKET,),
        binding=Binding((Property("bucketName", _BUCKET),), _bucket),
    ),
    Kind(
        Queue,
        add=add_queue,
        add_last=add_queue_policies,
        makes=(types.QUEUE, types.QUEUE_POLICY),
        outputs=(_QUEUE,),
        binding=Binding((Property("queueUrl", _QUEUE),), _queue),
    ),
    Kind(
        Topic,
        add=add_topic,
        add_last=add_topic_policies,
        makes=(types.TOPIC, types.TOPIC_POLICY, types.SUBSCRIPTION, types.PERMISSION),
        outputs=(_TOPIC,),
        binding=Binding((Property("topicArn", _TOPIC),), _topic),
    ),
    Kind(Alarm, add=add_alarm, makes=(types.ALARM,)),
    Kind(CompositeAlarm, add=add_composite_alarm, makes=(types.COMPOSITE_ALARM,)),
    Kind(
        UserPool,
        add=add_user_pool,
        makes=(types.USER_POOL, types.USER_POOL_CLIENT),
        outputs=(_USER_POOL, _CLIENT, _ISSUER),
        binding=Binding(
            (
                Property("userPoolId", _USER_POOL),
                Property("clientId", _CLIENT),
                Property("issuer", _ISSUER),
            ),
            _user_pool,
        ),
    ),
    Kind(
        Stream,
        add=add_stream,
        makes=(types.STREAM,),
        outputs=(_STREAM,),
        binding=Binding((Property("streamName", _STREAM),), _stream),
    ),
    Kind(
        EventBus,
        add=add_event_bus,
        makes=(types.EVENT_BUS,),
        outputs=(_EVENT_BUS,),
        binding=Binding((Property("busName", _EVENT_BUS),), _event_bus),
    ),
    Kind(
        LoadBalancer,
        add=add_load_balancer,
        makes=(types.LOAD_BALANCER, types.LISTENER, types.SECURITY_GROUP),
        outputs=(Output("LoadBalancer"),),
    ),
    Kind(
        Secret,
        binding=Binding(
            (
                Property(
                    "parameterName",
                    lambda secret, stage: names.secret(secret.app.name, stage, secret.name),
                ),
            ),
            _secret,
        ),
    ),
    Kind(
        Config,
        binding=Binding((Property("value", lambda config, _stage: str(config.value)),)),
    ),
    Kind(
        FileSystem,
        add=add_file_system,
        makes=(FILE_SYSTEM, ACCESS_POINT, MOUNT_TARGET, types.SECURITY_GROUP),
        binding=Binding((Property("path", lambda files, _stage: str(files.mount)),)),
    ),
    # Jobs and functions by name: what binds each other would depend on itself.
    Kind(
        Job,
        add=add_job,
        add_shared=add_shared,
        makes=(
            *made_types(),
            types.FUNCTION,
            types.PERMISSION,
            *_TRIGGERED,
            types.TABLE,
            types.SCHEDULE_GROUP,
            types.ROLE,
            types.MANAGED_POLICY,
            types.LOG_GROUP,
            types.SUBSCRIPTION_FILTER,
        ),
        outputs=(Output("Role", lambda title: arn_of(f"{title}Role")),),
        binding=Binding((Property("functionName", names.invoker),), _job),
    ),
    Kind(
        Function,
        add=add_function,
        add_shared=live_functions.add_shared,
        makes=(
            types.FUNCTION,
            types.ROLE,
            types.MANAGED_POLICY,
            types.LOG_GROUP,
            types.SUBSCRIPTION_FILTER,
            types.PERMISSION,
            types.EVENT_INVOKE_CONFIG,
            *_TRIGGERED,
        ),
        outputs=(
            Output("Function"),
            Output("FunctionRole", lambda title: arn_of(f"{title}Role")),
        ),
        binding=Binding((Property("functionName", names.function),), _function),
    ),
    Kind(
        Api,
        add=add_api,
        makes=(types.HTTP_API, *types.API_PARTS, types.PERMISSION, types.LOG_GROUP),
        outputs=(_URL,),
        binding=Binding((Property("url", _URL),)),
    ),
)
"""In the order in which they are added to a template."""


def bindings() -> Bindings:
    """What binding gives, for each type of construct that can be bound."""
    return Bindings((kind.construct, kind.binding) for kind in KINDS if kind.binding)


def resource_types() -> Iterable[ResourceType]:
    """Every type of resource about which anything is known, once each."""
    return _known().values()


def resource_type(name: str) -> ResourceType:
    """What is known about a type of resource: of an unknown one, only its name."""
    return _known().get(name) or ResourceType(name)


def _known() -> Mapping[str, ResourceType]:
    """By their names; those that constructs make come first."""
    known: dict[str, ResourceType] = {}
    for each in (*(made for kind in KINDS for made in kind.makes), *types.FOREIGN):
        known.setdefault(each.name, each)
    return known
