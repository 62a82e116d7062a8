"""The door of a network for HTTP: LoadBalancer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Final

from devbridge.constructs import values
from devbridge.constructs.app import App, Construct, Transform
from devbridge.constructs.existing import Arn, Existing
from devbridge.constructs.network import Vpc, vpc_problem
from devbridge.constructs.references import Reference

_CERTIFICATE: Final = re.compile(
    r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[\w-]+", re.ASCII
)
_RANGES: Final = 50
"""Fewer than the 60 rules of a security group (VPC quotas)."""


def _existing_balancer(app: App, name: str, *, listener_arn: str) -> LoadBalancer:
    """A listener that exists, of the stage's own account and region: rules are added to it, and
    nothing else of it is made, changed or removed.

    Args:
        listener_arn: ``arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener/app/NAME/ID/ID``.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """
    it = Arn(app, "LoadBalancer", name, listener_arn, "listener_arn")
    balancer = LoadBalancer.__new__(LoadBalancer)
    Construct.__init__(balancer, app, name)
    balancer.known = {"listener_arn": it.text}
    balancer.register()
    return balancer


class LoadBalancer(Construct):
    """An Application Load Balancer, with one listener that answers 404 to what no rule takes.

    Args:
        vpc: where it is: 2 or more subnets, each in a zone of its own. What has its security groups
            may reach it.
        internal: it is reached from its network only; False: from the internet, too.
        certificate: the ARN of a certificate of ACM's: it listens to HTTPS on port 443. By default
            to HTTP on port 80.
        ingress: who may reach it, too: up to 50 ranges of addresses.
        transform: called with its `troposphere.elasticloadbalancingv2.LoadBalancer`.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        vpc: Vpc,
        internal: bool = True,
        certificate: str | None = None,
        ingress: Sequence[str] = ("10.0.0.0/8",),
        transform: Transform | None = None,
    ) -> None:
        super().__init__(app, name, transform=transform)
        if vpc is None:
            raise self.invalid("vpc", vpc, "a Vpc with 2 or more subnets")
        if problem := vpc_problem(vpc):
            raise self.refused("vpc", problem)
        if len(vpc.subnets) < 2:
            allowed = "2 or more, each in a zone of its own, as load balancers must have"
            raise self.refused("vpc", (f"subnets {vpc.subnets!r}", allowed))
        self.internal = self.flag("internal", internal)
        if certificate is not None and (
            not isinstance(certificate, str) or not _CERTIFICATE.fullmatch(certificate)
        ):
            example = "arn:aws:acm:eu-west-1:123456789012:certificate/..."
            allowed = f"the ARN of a certificate: {example!r}, or None"
            raise self.invalid("certificate", certificate, allowed)
        ranges = values.strings(ingress)
        if ranges is None or len(set(ranges)) > _RANGES or not all(map(_is_range, ranges)):
            allowed = f"up to {_RANGES} ranges of IPv4 addresses such as '10.0.0.0/8'"
            raise self.invalid("ingress", ingress, allowed)
        self.vpc = vpc
        self.certificate = certificate
        self.ingress = tuple(dict.fromkeys(ranges))
        self.register()

    existing = Existing(_existing_balancer)

    @property
    def arn(self) -> Reference:
        """The deployed load balancer's ARN.

        Raises:
            InvalidValue: it exists; only its listener is known.
        """
        return self._of_its_own("arn")

    @property
    def listener_arn(self) -> Reference:
        """The ARN of its listener."""
        return Reference(self, "listener_arn")

    @property
    def url(self) -> Reference:
        """The URL that it has from AWS.

        Raises:
            InvalidValue: it exists; only its listener is known.
        """
        return self._of_its_own("url")

    def _of_its_own(self, what: str) -> Reference:
        if self.known:
            raise self.refused(what, ("of a load balancer that exists", "its listener_arn"))
        return Reference(self, what)


def _is_range(text: str) -> bool:
    try:
        return str(IPv4Network(text)) == text
    except ValueError:
        return False
