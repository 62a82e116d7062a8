from __future__ import annotations

from typing import Any

import pytest

from devbridge.deploy.iam_diff import compare


def policy(*statements: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"Properties": {"PolicyDocument": {"Statement": list(statements)}, **properties}}


def allow(action: object, resource: object, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def granted(resource: dict[str, Any]) -> tuple[str, ...]:
    new, gone = compare(None, resource)
    assert gone == ()
    return new


def test_resources_with_the_same_actions_share_a_sentence() -> None:
    table = {"Fn::GetAtt": ["NotesTable", "Arn"]}
    index = {"Fn::Sub": "${NotesTable.Arn}/index/*"}
    assert granted(policy(allow(["b:Get", "a:Put"], [table, index]))) == (
        "may a:Put, b:Get on NotesTable, NotesTable/index/*",
    )


def test_only_the_actions_that_differ_are_told_whatever_the_statements_order() -> None:
    old = policy(allow(["a:1", "a:2"], "x"), allow("b:1", "y"))
    new = policy(allow("b:1", "y"), allow("a:2", "x"), allow("a:3", "x"))
    assert compare(old, new) == (("may a:3 on x",), ("may a:1 on x",))
    assert compare(old, old) == ((), ())


def test_an_action_on_one_resource_more_names_that_resource() -> None:
    old, new = policy(allow("a:1", ["x"])), policy(allow("a:1", ["x", "y"]))
    assert compare(old, new) == (("may a:1 on y",), ())


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ({"Ref": "A"}, "A"),
        ({"Fn::GetAtt": ["A", "StreamArn"]}, "A.StreamArn"),
        (
            {"Fn::Sub": "arn:${AWS::Partition}:iot:${AWS::Region}:${AWS::AccountId}:topic/a/*"},
            "iot:topic/a/*",
        ),
        ({"Fn::Sub": "arn:${AWS::Partition}:s3:::${B}/x"}, "s3:B/x"),
        ({"Fn::Join": ["/", ["a", {"Ref": "A"}]]}, "a/A"),
        ("arn:aws:s3:::b/x", "s3:b/x"),
    ],
)
def test_references_are_short(resource: object, said: str) -> None:
    assert granted(policy(allow("a:1", resource))) == (f"may a:1 on {said}",)


def test_what_is_referred_to_has_the_name_of_its_construct() -> None:
    bucket = {"Fn::Sub": "arn:${AWS::Partition}:s3:::${FilesBucket}/*"}
    old, new = policy(allow("s3:Get", [bucket])), policy(allow("s3:Get", [{"Ref": "OtherBucket"}]))
    labels = {"FilesBucket": "Bucket 'files'", "OtherBucket": "Bucket 'files'"}
    assert compare(old, new, labels) == (
        ("may s3:Get on Bucket 'files'",),
        ("may s3:Get on Bucket 'files'/*",),
    )


def test_the_same_name_is_not_the_same_resource() -> None:
    old, new = ({"Ref": name} for name in ("Invoker", "Project"))
    labels = {"Invoker": "Job 'a'", "Project": "Job 'a'"}
    granted, revoked = compare(policy(allow("a:1", old)), policy(allow("a:1", new)), labels)
    assert (granted, revoked) == (("may a:1 on Job 'a'",), ("may a:1 on Job 'a'",))


def test_denials_conditions_and_exceptions_are_said() -> None:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "x"}
    but = {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "y"}
    assert granted(policy({**deny, "Condition": condition}, but)) == (
        "forbids anybody s3:* on x if aws:SecureTransport is false",
        "may all but iam:* on all but y",
    )


def test_who_may_assume_a_role_is_said() -> None:
    trust = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["codebuild.amazonaws.com"], "AWS": "arn:x"},
                "Action": "sts:AssumeRole",
            }
        ]
    }
    role = {
        "Properties": {
            "AssumeRolePolicyDocument": trust,
            "ManagedPolicyArns": ["arn:m"],
            "PermissionsBoundary": "arn:b",
        }
    }
    assert granted(role) == (
        "has the policy arn:m",
        "is bounded by arn:b",
        "may be assumed by arn:x, codebuild.amazonaws.com",
    )


def test_a_lambda_permission_says_whom_it_lets() -> None:
    permission = {
        "Properties": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": "F"},
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": {
                "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:"
                "${AWS::AccountId}:${Api}/*"
            },
        }
    }
    assert granted(permission) == (
        "lets apigateway.amazonaws.com lambda:InvokeFunction on F for execute-api:Api/*",
    )
