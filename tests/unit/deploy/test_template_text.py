from __future__ import annotations

import pytest

from devbridge.deploy.template_text import condition, named, text

LABELS = {"Files": "Bucket 'files'", "Api": "Api 'api'"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("plain", "plain"),
        ({"Ref": "Files"}, "Bucket 'files'"),
        ({"Ref": "Other"}, "Other"),
        ({"Fn::GetAtt": ["Files", "Arn"]}, "Bucket 'files'"),
        ({"Fn::GetAtt": "Files.DomainName"}, "Bucket 'files'.DomainName"),
        ({"Fn::Sub": "arn:aws:s3:::${Files}/*"}, "Bucket 'files'/*"),
        ({"Fn::Sub": "arn:${AWS::Partition}:s3:::${Other}/*"}, "s3:Other/*"),
        (
            {"Fn::Sub": ["${bucket}/${key}", {"bucket": {"Ref": "Files"}, "key": "k"}]},
            "Bucket 'files'/k",
        ),
        ({"Fn::Join": ["", ["arn:aws:s3:::", {"Ref": "Files"}, "/*"]]}, "Bucket 'files'/*"),
        (
            {"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"},
            "https://Api 'api'.execute-api.this region.amazonaws.com",
        ),
        ({"Fn::ImportValue": {"Fn::Sub": "${AWS::StackName}-vpc"}}, "the export this stack-vpc"),
        ([{"Ref": "AWS::AccountId"}, "x"], "this account, x"),
        ({"Fn::Select": [0, "x"]}, '{"Fn::Select": [0, "x"]}'),
    ],
)
def test_a_reference_has_the_name_of_its_construct(value: object, said: str) -> None:
    assert named(text(value), LABELS) == said


def test_before_it_is_named_the_same_text_is_the_same_value() -> None:
    assert text({"Ref": "A"}) != text("A")
    assert text({"Fn::GetAtt": ["A", "Arn"]}) == text({"Fn::Sub": "${A.Arn}"})


def test_a_condition_is_a_sentence() -> None:
    made = {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnLike": {"aws:SourceArn": ["arn:a", {"Ref": "Files"}]},
        "DateLessThan": {"aws:CurrentTime": "2030"},
    }
    assert named(condition(made), LABELS) == (
        "aws:SourceArn is like arn:a or Bucket 'files'"
        " and aws:CurrentTime DateLessThan 2030"
        " and aws:SourceAccount is this account"
    )
    assert condition("odd") == "odd"
