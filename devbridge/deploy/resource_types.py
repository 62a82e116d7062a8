"""The types of CloudFormation resources that devbridge knows anything about, one row each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from devbridge.deploy import leftovers, pins
from devbridge.deploy.leftovers import Leftover
from devbridge.deploy.pins import Pin


def _unpinned(_properties: Mapping[str, Any]) -> Iterator[Pin]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Renewed:
    """A part of a resource that cannot change: another one takes its place."""

    property: str
    """That whose change or loss ends it."""
    attribute: str
    """The attribute that has its ARN."""
    note: str
    """What that means, for who reads a plan."""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """What planning a deployment and removing a stage need to know about a type."""

    name: str
    """``AWS::S3::Bucket``"""
    replacing: frozenset[str] | None = None
    """The properties whose change makes CloudFormation create another one; None: not known. Source:
    "Update requires: Replacement" in the CloudFormation template reference, which is
    ``createOnlyProperties`` in the types' schemas, and a table's keys and local indexes."""
    holds_data: bool = False
    """Its content cannot be made again."""
    part: bool = False
    """It belongs to another one, and goes with it."""
    revised: bool = False
    """Another one is the next revision of it: nothing is lost, and its name stays."""
    renewed: tuple[Renewed, ...] = ()
    """Its parts that have ARNs of their own, and end before it does."""
    leftover: Leftover | None = None
    """How to deal with ones that outlive their stack; None: nobody looks for them."""
    pins: Callable[[Mapping[str, Any]], Iterator[Pin]] = _unpinned
    """The versions of zips that one's properties name."""


def made(name: str, *replacing: str, **more: Any) -> ResourceType:
    """A type, and the properties whose change makes another one."""
    return ResourceType(name, frozenset(replacing), **more)


TABLE: Final = made(
    "AWS::DynamoDB::Table",
    *("ImportSourceSpecification", "KeySchema", "LocalSecondaryIndexes", "TableName"),
    holds_data=True,
    # "When you modify the StreamViewType property, DynamoDB creates a new stream" (CloudFormation's
    # reference); the old one is deleted after 24 hours.
    renewed=(
        Renewed(
            "StreamSpecification",
            "StreamArn",
            "its stream ends: what has not been read of it goes to no trigger",
        ),
    ),
    leftover=leftovers.TABLES,
)
BUCKET: Final = made(
    "AWS::S3::Bucket",
    *("BucketName", "BucketNamePrefix", "BucketNamespace"),
    holds_data=True,
    leftover=leftovers.BUCKETS,
)
BUCKET_POLICY: Final = made("AWS::S3::BucketPolicy", "Bucket", part=True)
QUEUE: Final = made(
    "AWS::SQS::Queue", "FifoQueue", "QueueName", holds_data=True, leftover=leftovers.QUEUES
)
QUEUE_POLICY: Final = made("AWS::SQS::QueuePolicy", part=True)
TOPIC: Final = made("AWS::SNS::Topic", "FifoTopic", "TopicName")
TOPIC_POLICY: Final = made("AWS::SNS::TopicPolicy")
STREAM: Final = made("AWS::Kinesis::Stream", "Name", holds_data=True, leftover=leftovers.STREAMS)
EVENT_BUS: Final = made("AWS::Events::EventBus", "Name")
LOAD_BALANCER: Final = made("AWS::ElasticLoadBalancingV2::LoadBalancer", "Name", "Scheme", "Type")
LISTENER: Final = made("AWS::ElasticLoadBalancingV2::Listener", "LoadBalancerArn")
SECURITY_GROUP: Final = made("AWS::EC2::SecurityGroup", "GroupDescription", "GroupName", "VpcId")
SUBSCRIPTION: Final = made("AWS::SNS::Subscription", "Endpoint", "Protocol", "TopicArn")
ALARM: Final = made("AWS::CloudWatch::Alarm", "AlarmName")
COMPOSITE_ALARM: Final = made("AWS::CloudWatch::CompositeAlarm", "AlarmName")
USER_POOL: Final = made("AWS::Cognito::UserPool", holds_data=True, leftover=leftovers.USER_POOLS)
USER_POOL_CLIENT: Final = made(
    "AWS::Cognito::UserPoolClient", "GenerateSecret", "UserPoolId", part=True
)
FUNCTION: Final = made(
    "AWS::Lambda::Function",
    *("FunctionName", "PackageType", "TenancyConfig"),
    pins=pins.of_function,
)
PERMISSION: Final = made(
    "AWS::Lambda::Permission",
    *("Action", "EventSourceToken", "FunctionName", "FunctionUrlAuthType"),
    *("InvokedViaFunctionUrl", "Principal", "PrincipalOrgID", "SourceAccount", "SourceArn"),
)
EVENT_INVOKE_CONFIG: Final = made("AWS::Lambda::EventInvokeConfig", "FunctionName", "Qualifier")
SCHEDULE: Final = made("AWS::Scheduler::Schedule", "Name")
SCHEDULE_GROUP: Final = made("AWS::Scheduler::ScheduleGroup", "Name")
MAPPING: Final = made(
    "AWS::Lambda::EventSourceMapping",
    *("EventSourceArn", "SelfManagedEventSource", "StartingPosition", "StartingPositionTimestamp"),
)
STREAM_CONSUMER: Final = made("AWS::Kinesis::StreamConsumer", "ConsumerName", "StreamARN", "Tags")
TARGET_GROUP: Final = made(
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    *("IpAddressType", "Name", "Port", "Protocol", "ProtocolVersion", "TargetType", "VpcId"),
)
LISTENER_RULE: Final = made("AWS::ElasticLoadBalancingV2::ListenerRule", "ListenerArn")
RULE: Final = made("AWS::Events::Rule", "Name")
ROLE: Final = made("AWS::IAM::Role", "Path", "RoleName")
MANAGED_POLICY: Final = made("AWS::IAM::ManagedPolicy", "Description", "ManagedPolicyName", "Path")
LOG_GROUP: Final = made("AWS::Logs::LogGroup", "LogGroupName", leftover=leftovers.LOG_GROUPS)
SUBSCRIPTION_FILTER: Final = made("AWS::Logs::SubscriptionFilter", "FilterName", "LogGroupName")
HTTP_API: Final = made("AWS::ApiGatewayV2::Api", "ProtocolType")
API_PARTS: Final = (
    made("AWS::ApiGatewayV2::Authorizer", "ApiId"),
    made("AWS::ApiGatewayV2::Integration", "ApiId"),
    made("AWS::ApiGatewayV2::Route", "ApiId"),
    made("AWS::ApiGatewayV2::Stage", "ApiId", "StageName"),
)

FOREIGN: Final = (
    made("AWS::IAM::Policy"),
    made("AWS::SSM::Parameter", "Name"),
    *(
        ResourceType(f"AWS::{name}", holds_data=True)
        for name in (
            "DynamoDB::GlobalTable",
            "EC2::Volume",
            "ECR::Repository",
            "ElastiCache::CacheCluster",
            "OpenSearchService::Domain",
            "RDS::DBCluster",
            "RDS::DBInstance",
            "SecretsManager::Secret",
        )
    ),
)
"""Types that no construct creates but that an app can have through `App.add`."""
