"""One of each construct that can be bound, and what binding it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devbridge.constructs import (
    Api,
    App,
    Bucket,
    Config,
    Construct,
    EventBus,
    FileSystem,
    Function,
    Job,
    Queue,
    Secret,
    Stream,
    Table,
    Topic,
    UserPool,
)
from devbridge.constructs.app import loading

ARN = "arn:${AWS::Partition}"
HERE = "${AWS::Region}:${AWS::AccountId}"
SECRET = f"{ARN}:ssm:{HERE}:parameter/devbridge/demo/dev/secrets/key"


def arn(title: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [title, "Arn"]}


def sub(text: str) -> dict[str, Any]:
    return {"Fn::Sub": text}


GRANTS: dict[str, dict[str, list[Any]]] = {
    "XTable": {
        f"dynamodb:{action}": [arn("XTable"), sub("${XTable.Arn}/index/*")]
        for action in (
            *("BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem"),
            *("DescribeTable", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"),
        )
    },
    "XBucket": {
        "s3:ListBucket": [arn("XBucket")],
        "s3:GetBucketLocation": [arn("XBucket")],
        **{
            f"s3:{action}": [sub("${XBucket.Arn}/*")]
            for action in (
                *("GetObject", "PutObject", "DeleteObject"),
                *("AbortMultipartUpload", "ListMultipartUploadParts"),
            )
        },
    },
    "XQueue": {
        f"sqs:{action}": [arn("XQueue")]
        for action in (
            *("SendMessage", "ReceiveMessage", "DeleteMessage"),
            *("ChangeMessageVisibility", "GetQueueAttributes", "GetQueueUrl"),
        )
    },
    "XStream": {
        **{
            f"kinesis:{action}": [arn("XStream")]
            for action in (
                *("PutRecord", "PutRecords", "DescribeStreamSummary"),
                *("GetRecords", "GetShardIterator", "ListShards"),
            )
        },
        "kinesis:SubscribeToShard": [sub("${XStream.Arn}/consumer/*")],
    },
    "XEventBus": {"events:PutEvents": [arn("XEventBus")]},
    "XTopic": {"sns:Publish": [{"Ref": "XTopic"}]},
    "KeySecret": {"ssm:GetParameter": [sub(SECRET)], "ssm:GetParameters": [sub(SECRET)]},
    "XUserPool": {"cognito-idp:AdminGetUser": [arn("XUserPool")]},
    "XConfig": {},
    "XFileSystem": {},
    "XFunction": {"lambda:InvokeFunction": [arn("XFunction")]},
    "XApi": {},
    "XJob": {"lambda:InvokeFunction": [arn("XJobInvoker")]},
}
VARIABLES: dict[str, dict[str, Any]] = {
    "XTable": {"DEVBRIDGE_Table_tableName_x": {"Ref": "XTable"}},
    "XBucket": {"DEVBRIDGE_Bucket_bucketName_x": {"Ref": "XBucket"}},
    "XQueue": {"DEVBRIDGE_Queue_queueUrl_x": {"Ref": "XQueue"}},
    "XStream": {"DEVBRIDGE_Stream_streamName_x": {"Ref": "XStream"}},
    "XEventBus": {"DEVBRIDGE_EventBus_busName_x": {"Ref": "XEventBus"}},
    "XTopic": {"DEVBRIDGE_Topic_topicArn_x": {"Ref": "XTopic"}},
    "KeySecret": {"DEVBRIDGE_Secret_parameterName_key": "/devbridge/demo/dev/secrets/key"},
    "XUserPool": {
        "DEVBRIDGE_UserPool_userPoolId_x": {"Ref": "XUserPool"},
        "DEVBRIDGE_UserPool_clientId_x": {"Ref": "XUserPoolClient"},
        "DEVBRIDGE_UserPool_issuer_x": sub("https://${XUserPool.ProviderName}"),
    },
    "XConfig": {"DEVBRIDGE_Config_value_x": "blue"},
    "XFileSystem": {"DEVBRIDGE_FileSystem_path_x": "/mnt/x"},
    "XFunction": {"DEVBRIDGE_Function_functionName_x": "demo_dev_x-fn"},
    "XApi": {"DEVBRIDGE_Api_url_x": {"Fn::GetAtt": ["XApi", "ApiEndpoint"]}},
    "XJob": {"DEVBRIDGE_Job_functionName_x": "demo_dev_x-invoker"},
}


def one_of_each(root: Path) -> tuple[App, dict[str, Construct]]:
    """An app with one of each, by what `GRANTS` calls it."""
    with loading(root):
        app = App("demo")
        made: list[Construct] = [
            Table(app, "x", partition_key="id"),
            Bucket(app, "x"),
            Queue(app, "x"),
            Topic(app, "x"),
            Stream(app, "x"),
            EventBus(app, "x"),
            UserPool(app, "x"),
            Secret(app, "key"),
            Config(app, "x", value="blue"),
            FileSystem(app, "x"),
            function := Function(app, "x", handler="api/start.handler"),
            Api(app, "x", routes={"$default": function}),
            Job(app, "x", handler="jobs/a.handler"),
        ]
    return app, {f"{each.name.capitalize()}{each.type}": each for each in made}
