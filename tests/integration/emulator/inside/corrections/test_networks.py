"""What a template has for machines in a network, as it is made of it and found again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import Stack, role

DOCS: Final = Path(__file__).parents[5] / "docs"
GROUP: Final = {
    "Type": "AWS::EC2::SecurityGroup",
    "Properties": {"GroupDescription": "jobs"},
}


@pytest.fixture(scope="module")
def stack(shared_cloud: Running) -> Stack:
    reset(shared_cloud.endpoint_url)
    return Stack(shared_cloud.endpoint_url, "networks")


def rule(kind: str, **properties: Any) -> dict[str, Any]:
    given = {"GroupId": {"Fn::GetAtt": ["Group", "GroupId"]}, "IpProtocol": "tcp"}
    ports = {"FromPort": 2049, "ToPort": 2049}
    return {
        "Type": f"AWS::EC2::SecurityGroup{kind}",
        "Properties": {**given, **ports, **properties},
    }


def default_network(stack: Stack) -> tuple[list[Any], list[Any], list[Any]]:
    ec2 = stack.client("ec2")

    def named(name: str, value: str) -> list[dict[str, Any]]:
        return [{"Name": name, "Values": [value]}]

    return (
        ec2.describe_vpcs(Filters=named("isDefault", "true"))["Vpcs"],
        ec2.describe_subnets(Filters=named("default-for-az", "true"))["Subnets"],
        ec2.describe_security_groups(Filters=named("group-name", "default"))["SecurityGroups"],
    )


def test_an_account_has_a_default_network(stack: Stack) -> None:
    (vpc,), subnets, (group,) = default_network(stack)
    assert {each["VpcId"] for each in (*subnets, group)} == {vpc["VpcId"]}
    assert [each["AvailabilityZone"][-1] for each in subnets] == ["a", "b", "c"]
    assert all(each["MapPublicIpOnLaunch"] for each in subnets)
    page = (DOCS / "binding.md").read_text("utf-8")
    named = re.findall(r'"((?:vpc|subnet|sg)-\w+)"', page.partition("and one is:\n")[2])
    ids = [each["SubnetId"] for each in subnets[:2]]
    assert named[:4] == [vpc["VpcId"], *ids, group["GroupId"]]


def test_groups_rules_templates_and_profiles_are_made_changed_and_deleted(stack: Stack) -> None:
    ec2, iam = stack.client("ec2"), stack.client("iam")
    own = {"SourceSecurityGroupId": {"Fn::GetAtt": ["Group", "GroupId"]}}
    volume = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 50, "VolumeType": "gp3"}}
    resources = {
        "Group": GROUP,
        "Ingress": rule("Ingress", **own),
        "Egress": rule("Egress", CidrIp="10.0.0.0/8"),
        "Template": {
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": {"LaunchTemplateData": {"BlockDeviceMappings": [volume]}},
        },
        "Role": role(service="ec2.amazonaws.com"),
        "Profile": {
            "Type": "AWS::IAM::InstanceProfile",
            "Properties": {"Roles": [{"Ref": "Role"}]},
        },
    }
    assert stack.deploy(resources) == ("CREATE_COMPLETE", "")
    group_id = stack.resource("Group")

    def group() -> Any:
        return ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]

    (ingress,) = group()["IpPermissions"]
    assert (ingress["FromPort"], ingress["UserIdGroupPairs"][0]["GroupId"]) == (2049, group_id)
    assert [each["IpProtocol"] for each in group()["IpPermissionsEgress"]] == ["-1", "tcp"]
    (profile,) = iam.list_instance_profiles()["InstanceProfiles"]
    assert profile["InstanceProfileName"] == stack.resource("Profile")
    assert profile["Roles"][0]["RoleName"] == stack.resource("Role")
    template = stack.resource("Template")
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateId=template)[
        "LaunchTemplateVersions"
    ]
    assert version["LaunchTemplateData"]["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 50

    changed = {**resources, "Ingress": rule("Ingress", CidrIp="10.1.0.0/16")}
    changed.pop("Egress")
    assert stack.deploy(changed, update=True) == ("UPDATE_COMPLETE", "")
    (ingress,) = group()["IpPermissions"]
    assert ingress["IpRanges"] == [{"CidrIp": "10.1.0.0/16"}]
    assert [each["IpProtocol"] for each in group()["IpPermissionsEgress"]] == ["-1"]

    stack.delete()
    assert iam.list_instance_profiles()["InstanceProfiles"] == []
    left = ec2.describe_security_groups()["SecurityGroups"]
    assert [each["GroupName"] for each in left] == ["default"]


def test_without_a_default_network_there_is_none_and_no_group_in_it(stack: Stack) -> None:
    ec2 = stack.client("ec2")
    (vpc,), subnets, _ = default_network(stack)
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    for gateway in ec2.describe_internet_gateways()["InternetGateways"]:
        named = gateway["InternetGatewayId"]
        ec2.detach_internet_gateway(InternetGatewayId=named, VpcId=vpc["VpcId"])
    ec2.delete_vpc(VpcId=vpc["VpcId"])
    assert default_network(stack) == ([], [], [])
    homeless = Stack(stack.endpoint, "homeless")
    status, reason = homeless.deploy({"Group": GROUP})
    assert (status, "No default VPC for this user" in reason) == ("ROLLBACK_COMPLETE", True)
    ec2.create_default_vpc()
    assert len(default_network(stack)[1]) == 3
