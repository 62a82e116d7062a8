"""cfn-lint passes over what it has seen in another template, and over nothing else."""

from __future__ import annotations

import json
from typing import Any

from devbridge.deploy.synth import Template
from tests.unit.deploy.templates import lint


def template(function: dict[str, Any], role: dict[str, Any]) -> Template:
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {**TRUST, **role}},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {**CODE, "Role": {"Fn::GetAtt": ["Role", "Arn"]}, **function},
        },
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "news"}},
    }
    return Template(json.dumps({"Resources": resources}), "", {})


CODE = {
    "Code": {"S3Bucket": "assets", "S3Key": "a.zip"},
    "Handler": "a.handler",
    "Runtime": "python3.13",
}
STATEMENT = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
TRUST = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [STATEMENT]}}


def test_what_was_well_is_told_once_it_is_wrong_and_as_often_as_it_is_looked_at() -> None:
    for _ in range(2):
        assert lint(template({}, {})) == []
        for wrong in ({"Timeout": 901}, {"Role": {"Fn::GetAtt": ["Role", "Nothing"]}}):
            first, second = lint(template(wrong, {})), lint(template(wrong, {}))
            assert first == second != []
        assert len(lint(template({}, {"MaxSessionDuration": 1}))) == 1


def test_what_is_well_is_looked_at_once_more_when_what_it_refers_to_has_changed() -> None:
    assert lint(template({}, {})) == []
    body = json.loads(template({}, {}).body)
    body["Resources"]["Role"] = {"Type": "AWS::SNS::Topic"}
    (told,) = lint(Template(json.dumps(body), "", {}))
    assert told.startswith("[E1010: ")
