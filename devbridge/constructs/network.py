"""The network that a job or function runs in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from devbridge.constructs import values
from devbridge.sources.base import Problem

_SUBNETS: Final = 16
_GROUPS: Final = 5


@dataclass(frozen=True, slots=True)
class Vpc:
    """Subnets of an existing VPC, for `vpc` of a Job or Function.

    What runs there reaches the internet and AWS only as the subnets do: through a NAT gateway or
    VPC endpoints.

    Args:
        id: ``vpc-...``.
        subnets: 1 to 16 ids ``subnet-...`` (the bound of CodeBuild and Lambda).
        security_groups: 1 to 5 ids ``sg-...`` (the bound of CodeBuild and Lambda).
    """

    id: str
    subnets: Sequence[str]
    security_groups: Sequence[str]


def vpc_problem(vpc: object) -> Problem | None:
    """What of a `vpc` is not allowed, and what is."""
    if vpc is None:
        return None
    if not isinstance(vpc, Vpc):
        return repr(vpc), 'Vpc("vpc-...", subnets=["subnet-..."], security_groups=["sg-..."])'
    if not _is_id("vpc", vpc.id):
        return f"id {vpc.id!r}", "an id such as 'vpc-0123456789abcdef0'"
    for what, prefix, ids, most in (
        ("subnets", "subnet", vpc.subnets, _SUBNETS),
        ("security_groups", "sg", vpc.security_groups, _GROUPS),
    ):
        found = values.strings(ids)
        if (
            found is None
            or not 1 <= len(set(found)) == len(found) <= most
            or not all(_is_id(prefix, item) for item in found)
        ):
            example = f"{prefix}-0123456789abcdef0"
            return f"{what} {ids!r}", f"1 to {most} different ids such as {example!r}"
    return None


def _is_id(prefix: str, value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(rf"{prefix}-[0-9a-f]{{8,17}}", value))
