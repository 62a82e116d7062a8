"""The network of what must be in one and names none: the account's default VPC. And the zones of
subnets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from devbridge.constructs import Construct
from devbridge.deploy.access import Access
from devbridge.deploy.synth.stack import Network
from devbridge.errors import InvalidValue

_EXAMPLE = 'vpc=Vpc("vpc-...", subnets=["subnet-..."], security_groups=["sg-..."])'


def default_network(cloud: Access, needy: Sequence[Construct]) -> Network:
    """The default VPC with the default subnet of each zone, and its default security group.

    Args:
        needy: what is put there.

    Raises:
        InvalidValue: there is none, or it has no such subnet.
    """
    ec2 = cloud.client("ec2")
    found = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not found:
        raise _refused(cloud, needy, "there is no default VPC")
    vpc = str(found[0]["VpcId"])
    inside = {"Name": "vpc-id", "Values": [vpc]}
    subnets = ec2.describe_subnets(
        Filters=[inside, {"Name": "default-for-az", "Values": ["true"]}]
    )["Subnets"]
    if not subnets:
        raise _refused(cloud, needy, f"the default VPC {vpc} has no default subnet")
    groups = ec2.describe_security_groups(
        Filters=[inside, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"]
    return Network(
        vpc,
        tuple(sorted(subnet["SubnetId"] for subnet in subnets)),
        tuple(group["GroupId"] for group in groups),
    )


def zones_of(cloud: Access, subnets: Iterable[str]) -> Mapping[str, str]:
    """The availability zones of these subnets; of those that are not there, none."""
    asked = [{"Name": "subnet-id", "Values": sorted(set(subnets))}]
    found = cloud.client("ec2").describe_subnets(Filters=asked)["Subnets"]
    return {each["SubnetId"]: each["AvailabilityZone"] for each in found}


def _refused(cloud: Access, needy: Sequence[Construct], why: str) -> InvalidValue:
    return InvalidValue(
        f"{', '.join(map(str, needy))} must be in a network, and {why}",
        where=f"account {cloud.account}, region {cloud.region}",
        remedy=f"name one in app.py, {_EXAMPLE}, or make one: aws ec2 create-default-vpc",
    )
