"""The network of a job or function: what is taken and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import Vpc
from devbridge.constructs.network import vpc_problem

ID, SUBNET, GROUP = "vpc-0123456789abcdef0", "subnet-0123456789abcdef0", "sg-0123456789abcdef0"


def ids(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number:08x}" for number in range(count)]


@pytest.mark.parametrize(
    "vpc",
    [
        None,
        Vpc(ID, [SUBNET], [GROUP]),
        Vpc("vpc-01234567", ("subnet-01234567",), ("sg-01234567",)),
        Vpc(ID, ids("subnet", 16), ids("sg", 5)),
    ],
)
def test_networks_that_are_allowed_are_taken(vpc: Vpc | None) -> None:
    assert vpc_problem(vpc) is None


@pytest.mark.parametrize(
    ("vpc", "what", "allowed"),
    [
        (ID, repr(ID), "Vpc("),
        (Vpc("vpc", [SUBNET], [GROUP]), "id 'vpc'", "an id such as 'vpc-0123456789abcdef0'"),
        (Vpc(SUBNET, [SUBNET], [GROUP]), f"id {SUBNET!r}", "an id such as"),
        (Vpc(3, [SUBNET], [GROUP]), "id 3", "an id such as"),  # type: ignore[arg-type]
        (Vpc(ID, [], [GROUP]), "subnets []", "1 to 16 different ids"),
        (Vpc(ID, ids("subnet", 17), [GROUP]), "subnets", "1 to 16 different ids"),
        (Vpc(ID, [SUBNET] * 2, [GROUP]), "subnets", "1 to 16 different ids"),
        (Vpc(ID, SUBNET, [GROUP]), f"subnets {SUBNET!r}", "such as 'subnet-0123456789abcdef0'"),
        (Vpc(ID, [GROUP], [GROUP]), "subnets", "such as 'subnet-0123456789abcdef0'"),
        (Vpc(ID, [SUBNET], []), "security_groups []", "1 to 5 different ids"),
        (Vpc(ID, [SUBNET], ids("sg", 6)), "security_groups", "1 to 5 different ids"),
        (Vpc(ID, [SUBNET], ["sg-0123456"]), "security_groups", "such as 'sg-0123456789abcdef0'"),
    ],
    ids=str,
)
def test_networks_that_are_not_allowed_are_refused_with_what_is(
    vpc: Any, what: str, allowed: str
) -> None:
    problem = vpc_problem(vpc)
    assert problem
    assert problem[0].startswith(what)
    assert allowed in problem[1]
