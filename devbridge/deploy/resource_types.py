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
    leftover: Leftover | None = None
    """How to deal with ones that outlive their stack; None: nobody looks for them."""
    pins: Callable[[Mapping[str, Any]], Iterator[Pin]] = _unpinned
    """The versions of zips that one's properties name."""


def _made(name: str, *replacing: str, **more: Any) -> ResourceType:
    return ResourceType(name, frozenset(replacing), **more)


TABLE: Final = _made(
    "AWS::DynamoDB::Table",
    *("ImportSourceSpecification", "KeySchema", "LocalSecondaryIndexes", "TableName"),
    holds_data=True,
    leftover=leftovers.TABLES,
)
BUCKET: Final = _made(
    "AWS::S3::Bucket",
    *("BucketName", "BucketNamePrefix", "BucketNamespace"),
    holds_data=True,
    leftover=leftovers.BUCKETS,
)
BUCKET_POLICY: Final = _made("AWS::S3::BucketPolicy", "Bucket")
QUEUE: Final = _made(
    "AWS::SQS::Queue", "FifoQueue", "QueueName", holds_data=True, leftover=leftovers.QUEUES
)
QUEUE_POLICY: Final = _made("AWS::SQS::QueuePolicy")
TOPIC: Final = _made("AWS::SNS::Topic", "FifoTopic", "TopicName")
TOPIC_POLICY: Final = _made("AWS::SNS::TopicPolicy")
PROJECT: Final = _made("AWS::CodeBuild::Project", "Name", pins=pins.of_project)
FUNCTION: Final = _made(
    "AWS::Lambda::Function",
    *("FunctionName", "PackageType", "TenancyConfig"),
    pins=pins.of_function,
)
PERMISSION: Final = _made(
    "AWS::Lambda::Permission",
    *("Action", "EventSourceToken", "FunctionName", "FunctionUrlAuthType"),
    *("InvokedViaFunctionUrl", "Principal", "PrincipalOrgID", "SourceAccount", "SourceArn"),
)
ROLE: Final = _made("AWS::IAM::Role", "Path", "RoleName")
MANAGED_POLICY: Final = _made("AWS::IAM::ManagedPolicy", "Description", "ManagedPolicyName", "Path")
LOG_GROUP: Final = _made("AWS::Logs::LogGroup", "LogGroupName", leftover=leftovers.LOG_GROUPS)
HTTP_API: Final = _made("AWS::ApiGatewayV2::Api", "ProtocolType")
API_PARTS: Final = (
    _made("AWS::ApiGatewayV2::Authorizer", "ApiId"),
    _made("AWS::ApiGatewayV2::Integration", "ApiId"),
    _made("AWS::ApiGatewayV2::Route", "ApiId"),
    _made("AWS::ApiGatewayV2::Stage", "ApiId", "StageName"),
)

FOREIGN: Final = (
    _made("AWS::IAM::Policy"),
    _made("AWS::SSM::Parameter", "Name"),
    *(
        ResourceType(f"AWS::{name}", holds_data=True)
        for name in (
            "Cognito::UserPool",
            "DynamoDB::GlobalTable",
            "EC2::Volume",
            "ECR::Repository",
            "EFS::FileSystem",
            "ElastiCache::CacheCluster",
            "Kinesis::Stream",
            "OpenSearchService::Domain",
            "RDS::DBCluster",
            "RDS::DBInstance",
            "SecretsManager::Secret",
        )
    ),
)
"""Types that no construct creates but that an app can have through `App.add`."""
