from __future__ import annotations

from typing import Any

import pytest

from devbridge.deploy import kinds
from devbridge.deploy import resource_types as types
from devbridge.deploy.changes import (
    LABELS,
    UNKNOWN,
    Change,
    all_added,
    changed_properties,
    changes_of,
    difference,
    labels_of,
)

TABLE = "AWS::DynamoDB::Table"


def modify(name: str, kind: str, told: str = "Conditional", **fields: Any) -> dict[str, Any]:
    changed = {"Action": "Modify", "LogicalResourceId": name, "ResourceType": kind}
    return {**changed, "Replacement": told, **fields}


def detail(name: str, requires: str, **fields: str) -> dict[str, Any]:
    target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": requires}
    return {"Target": target, "Evaluation": "Static", **fields}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def template(**resources: dict[str, Any]) -> dict[str, Any]:
    return {"Resources": resources}


def one(item: dict[str, Any], old: dict[str, Any] | None, new: dict[str, Any] | None) -> Change:
    name = item["LogicalResourceId"]
    before = template(**{name: old}) if old else {}
    after = template(**{name: new}) if new else {"Resources": {}}
    (change,) = changes_of([item], before, after, {})
    return change


def test_changed_properties_are_named() -> None:
    old = resource("A", Same=1, Other={"a": [1]}, Gone=1)
    new = {**resource("A", Same=1, Other={"a": [2]}, New=0), "DeletionPolicy": "Retain"}
    assert changed_properties(old, new) == ("DeletionPolicy", "Gone", "New", "Other")
    assert changed_properties(old, old) == ()
    assert changed_properties({"Type": "A"}, {"Type": "B"}) == ("Type",)


MAPPING = "AWS::Lambda::EventSourceMapping"


@pytest.mark.parametrize("new", [{"StreamViewType": "KEYS_ONLY"}, None])
def test_a_table_stays_when_its_stream_is_another_one_which_is_told(
    new: dict[str, str] | None,
) -> None:
    old = resource(TABLE, StreamSpecification={"StreamViewType": "NEW_IMAGE"})
    change = one(
        modify("T", TABLE), old, resource(TABLE, **({"StreamSpecification": new} if new else {}))
    )
    assert (change.action, change.data) == ("change", False)
    assert change.properties == ("StreamSpecification",)
    assert change.reason.startswith("its stream ends: ")


def test_a_table_that_gets_a_stream_ends_none() -> None:
    new = resource(TABLE, StreamSpecification={"StreamViewType": "KEYS_ONLY"})
    change = one(modify("T", TABLE), resource(TABLE), new)
    assert (change.action, change.reason) == ("change", "")


def test_what_reads_a_stream_is_replaced_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {each.name: each for each in (types.TABLE, types.made(MAPPING, "EventSourceArn"))}
    monkeypatch.setattr(kinds, "_known", lambda: known)
    reader = resource(MAPPING, EventSourceArn={"Fn::GetAtt": ["T", "StreamArn"]})
    other = resource(MAPPING, EventSourceArn={"Fn::GetAtt": ["T", "Arn"]})
    old, new = (
        template(T=resource(TABLE, StreamSpecification={"StreamViewType": view}), R=reader, O=other)
        for view in ("NEW_IMAGE", "KEYS_ONLY")
    )
    items = difference(old, new)
    assert [item["LogicalResourceId"] for item in items] == ["R", "T"]
    found = {each.logical_id: each for each in changes_of(items, old, new, {"T": "Table 't'"})}
    assert found["T"].action == "change"
    assert found["R"].action == "replace"
    assert found["R"].reason == "EventSourceArn (of StreamArn of Table 't', which is replaced)"


def test_what_is_not_known_to_cloudformation_is_worked_out_from_the_templates() -> None:
    old = resource(TABLE, KeySchema=[1], BillingMode="x")
    change = one(modify("T", TABLE), old, resource(TABLE, KeySchema=[2], BillingMode="x"))
    assert (change.action, change.reason, change.data) == ("replace", "KeySchema", True)
    change = one(modify("T", TABLE), old, resource(TABLE, KeySchema=[1], BillingMode="y"))
    assert (change.action, change.properties, change.data) == ("change", ("BillingMode",), False)


def test_of_a_type_that_we_do_not_know_the_change_set_tells() -> None:
    old, new = resource("AWS::X::Y", Name="a", Size=1), resource("AWS::X::Y", Name="b", Size=2)
    details = [detail("Name", "Always"), detail("Size", "Never")]
    change = one(modify("X", "AWS::X::Y", "True", Details=details), old, new)
    assert (change.action, change.reason) == ("replace", "Name")
    details = [detail("Name", "Conditionally"), detail("Size", "Never")]
    change = one(modify("X", "AWS::X::Y", "Conditional", Details=details), old, new)
    assert (change.action, change.reason) == ("replace", "perhaps: Name")
    change = one(modify("X", "AWS::X::Y", "False", Details=details), old, new)
    assert (change.action, change.properties) == ("change", ("Name", "Size"))


def test_another_type_replaces() -> None:
    change = one(modify("T", TABLE, "True"), resource("AWS::X::Y"), resource(TABLE))
    assert (change.action, change.reason) == ("replace", "Type")


@pytest.mark.parametrize(
    "reference",
    [
        {"Ref": "Api"},
        {"Fn::GetAtt": ["Api", "Id"]},
        {"Fn::GetAtt": "Api.Id"},
        {"Fn::Sub": "x/${Api}/${AWS::Region}"},
        {"Fn::Join": ["", ["a", {"Ref": "Api"}]]},
    ],
)
def test_what_refers_to_a_replaced_resource_by_such_a_property_is_replaced_too(
    reference: object,
) -> None:
    api, route = "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Route"
    same = resource(route, ApiId=reference)
    changes = changes_of(
        [modify("Api", api), modify("R", route), modify("S", "AWS::ApiGatewayV2::Stage")],
        template(Api=resource(api, ProtocolType="HTTP"), R=same),
        template(Api=resource(api, ProtocolType="WEBSOCKET"), R=same),
        {},
    )
    assert [(change.action, change.reason) for change in changes] == [
        ("replace", "ProtocolType"),
        ("replace", "ApiId (of Api, which is replaced)"),
        ("change", ""),
    ]


def test_what_changes_only_by_a_reference_says_whom_it_follows() -> None:
    kind = "AWS::ApiGatewayV2::Integration"
    same = resource(kind, IntegrationUri={"Fn::GetAtt": ["F", "Arn"]})
    caused = detail("IntegrationUri", "Never", CausingEntity="F.Arn")
    item = modify("I", kind, Details=[caused])
    (change,) = changes_of([item], template(I=same), template(I=same), {"F": "Function 'f'"})
    assert (change.action, change.properties) == ("change", ())
    assert change.reason == "follows Function 'f'"


@pytest.mark.parametrize(
    ("policy", "kept"), [("Retain", True), ("RetainExceptOnCreate", True), ("Delete", False)]
)
def test_what_is_removed_is_kept_if_the_deployed_template_says_so(policy: str, kept: bool) -> None:
    item = {"Action": "Remove", "LogicalResourceId": "T", "ResourceType": TABLE}
    change = one(item, {"Type": TABLE, "DeletionPolicy": policy}, None)
    assert (change.data, change.kept) == (True, kept)


def test_what_is_replaced_is_kept_if_the_new_template_says_so() -> None:
    old = resource(TABLE, KeySchema=[1])
    new = {**resource(TABLE, KeySchema=[2]), "UpdateReplacePolicy": "Retain"}
    assert one(modify("T", TABLE), old, new).kept
    assert not one(modify("T", TABLE), old, {**new, "UpdateReplacePolicy": "Delete"}).kept


def test_a_removed_resource_has_the_name_of_its_construct_from_the_deployed_template() -> None:
    item = {"Action": "Remove", "LogicalResourceId": "T", "ResourceType": TABLE}
    old = {**template(T=resource(TABLE)), "Metadata": {LABELS: {"T": "Table 't'"}}}
    (change,) = changes_of([item], old, {"Resources": {}}, {})
    assert change.label == "Table 't'"


def test_the_changes_of_a_role_are_told_in_words() -> None:
    def role(*actions: str) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": {"Ref": "T"}}
        policy = {"PolicyName": "p", "PolicyDocument": {"Statement": [statement]}}
        return resource("AWS::IAM::Role", Policies=[policy])

    item = modify("R", "AWS::IAM::Role", "False")
    change = one(item, role("a:Old", "a:Same"), role("a:Same", "a:New"))
    assert change.iam
    assert (change.granted, change.revoked) == (("may a:New on T",), ("may a:Old on T",))
    assert one({**item, "Action": "Add"}, None, role("a:X")).granted == ("may a:X on T",)
    assert one({**item, "Action": "Remove"}, role("a:X"), None).revoked == ("may a:X on T",)


def test_a_new_stack_adds_everything_but_the_stamp() -> None:
    stamp = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    both = template(Stamp=stamp, T=resource(TABLE))
    assert all_added(both, {"T": "Table 't'"}) == (Change("add", "T", TABLE, "Table 't'"),)


def test_what_is_followed_is_called_by_its_construct_or_else_by_its_own_name() -> None:
    kind = "AWS::ApiGatewayV2::Integration"
    same = resource(kind, IntegrationUri="x")
    caused = [detail("IntegrationUri", "Never", CausingEntity=of) for of in ("F.Arn", "Other", "")]
    item = modify("I", kind, Details=[*caused, {"Target": {"Attribute": "Tags"}}])
    (change,) = changes_of([item], template(I=same), template(I=same), {"F": "Function 'f'"})
    assert change.reason == "follows Function 'f', Other"


def test_of_what_an_older_template_called_otherwise_the_new_name_counts() -> None:
    old = {**template(T=resource(TABLE)), "Metadata": {LABELS: {"T": "Table 'old'"}}}
    (change,) = changes_of([modify("T", TABLE)], old, template(T=resource(TABLE)), {"T": "new"})
    assert change.label == "new"


def test_without_labels_a_resource_has_its_own_name() -> None:
    assert labels_of({}) == labels_of({"Metadata": None}) == {}
    assert labels_of({"Metadata": {LABELS: "x"}}) == {}
    (change,) = changes_of([modify("T", TABLE)], {}, template(T=resource(TABLE)), {})
    assert change.label == "T"


def test_of_a_change_that_no_change_set_has_judged_only_cloudformation_knows() -> None:
    old, new = resource("AWS::X::Y", Size=1), resource("AWS::X::Y", Size=2)
    (item,) = difference(template(X=old), template(X=new))
    assert (item["Action"], item["Replacement"]) == ("Modify", UNKNOWN)
    change = one(item, old, new)
    assert (change.action, change.reason) == (
        "replace",
        "perhaps, only CloudFormation knows: Size",
    )
    assert one({**item, "Details": []}, old, old).action == "change"


def test_what_follows_a_replaced_resource_is_found_without_a_change_set() -> None:
    def table(key: str) -> dict[str, Any]:
        return resource(TABLE, KeySchema=[key])

    same = resource("AWS::X::Y", Table={"Ref": "T"})
    alike = resource("AWS::X::Y", Table={"Ref": "Z"})
    items = difference(
        template(T=table("a"), X=same, Y=alike, Gone=alike),
        template(T=table("b"), X=same, Y=alike, New=alike),
    )
    assert [(each["LogicalResourceId"], each["Action"]) for each in items] == [
        ("Gone", "Remove"),
        ("New", "Add"),
        ("T", "Modify"),
        ("X", "Modify"),
    ]
    assert items[-1]["Details"] == [{"CausingEntity": "T"}]


def test_a_reason_is_named_even_where_the_change_set_names_none() -> None:
    unsaid = "CloudFormation does not say which property"
    assert one(modify("T", TABLE, "True"), resource(TABLE), resource(TABLE)).reason == unsaid
    unknown = one(modify("X", "AWS::X::Y", "True"), resource("AWS::X::Y"), resource("AWS::X::Y"))
    assert unknown.reason == unsaid
