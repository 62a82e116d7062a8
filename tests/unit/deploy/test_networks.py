"""Where jobs run that must be in a network and name none."""

from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.constructs import App, Job
from devbridge.constructs.app import loading
from devbridge.constructs.compute import Fargate
from devbridge.deploy.networks import default_network, zones_of
from devbridge.errors import InvalidValue
from tests.unit.deploy.conftest import FakeCloud


@pytest.fixture
def job(root: Path) -> Job:
    with loading(root):
        return Job(App("demo"), "a", handler="jobs/a.handler", compute=Fargate())


def test_it_is_the_default_vpc_with_a_subnet_of_each_zone(aws: FakeCloud, job: Job) -> None:
    found = default_network(aws, [job])
    assert found.vpc.startswith("vpc-")
    assert len(found.subnets) == 3
    assert sorted(found.subnets) == [*found.subnets]
    (group,) = found.groups
    assert group.startswith("sg-")


def test_without_one_it_says_what_to_do(aws: FakeCloud, job: Job) -> None:
    ec2 = aws.client("ec2")
    vpc = default_network(aws, [job]).vpc
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    with pytest.raises(InvalidValue, match=f"default VPC {vpc} has no default subnet"):
        default_network(aws, [job])
    for gateway in ec2.describe_internet_gateways()["InternetGateways"]:
        ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    ec2.delete_vpc(VpcId=vpc)
    with pytest.raises(InvalidValue) as caught:
        default_network(aws, [job])
    assert str(caught.value).startswith("Job 'a' must be in a network, and there is no default VPC")
    assert "aws ec2 create-default-vpc" in (caught.value.remedy or "")


def test_subnets_have_zones_unless_they_are_not_there(aws: FakeCloud, job: Job) -> None:
    subnets = default_network(aws, [job]).subnets
    found = zones_of(aws, [*subnets[:2], "subnet-0123456789abcdef0"])
    assert {*found} == {*subnets[:2]}
    assert len({*found.values()}) == 2
    assert all(zone.startswith("eu-west-1") for zone in found.values())
