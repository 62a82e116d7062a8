"""Load balancers, and the listener that rules are added to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from devbridge import names
from devbridge.constructs import LoadBalancer
from devbridge.constructs.existing import existing_arn
from devbridge.deploy.policies import Json
from devbridge.deploy.references import ref, sub
from devbridge.deploy.synth.stack import Stack

_TLS: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.2 and 1.3: what AWS recommends."""


def listener(balancer: LoadBalancer) -> Any:
    """The ARN of its listener, for a template."""
    return existing_arn(balancer) or ref(names.logical(balancer, "Listener"))


def url(balancer: LoadBalancer) -> Any:
    """The URL that it has from AWS, for a template."""
    scheme = "https" if balancer.certificate else "http"
    return sub(f"{scheme}://${{{names.logical(balancer)}.DNSName}}")


def add_load_balancer(stack: Stack, balancer: LoadBalancer) -> None:
    """Add a load balancer, what lets others reach it, and a listener that takes nothing yet."""
    from troposphere import ec2
    from troposphere import elasticloadbalancingv2 as elb

    port = 443 if balancer.certificate else 80
    group = ec2.SecurityGroup(
        names.logical(balancer, "Group"),
        GroupDescription=f"reaches devbridge load balancer {balancer.name} of {stack.app.name}",
        VpcId=balancer.vpc.id,
        SecurityGroupIngress=list(_rules(balancer, port)),
    )
    reached = stack.add(str(balancer), group)
    resource = elb.LoadBalancer(
        names.logical(balancer),
        Type="application",
        Scheme="internal" if balancer.internal else "internet-facing",
        Subnets=list(balancer.vpc.subnets),
        SecurityGroups=[ref(reached)],
        LoadBalancerAttributes=[
            # What is no header's name is how requests are smuggled.
            elb.LoadBalancerAttributes(
                Key="routing.http.drop_invalid_header_fields.enabled", Value="true"
            )
        ],
    )
    title = stack.add_main(balancer, resource)
    nobody = elb.FixedResponseConfig(
        StatusCode="404", ContentType="text/plain", MessageBody="not found"
    )
    made = elb.Listener(
        names.logical(balancer, "Listener"),
        LoadBalancerArn=ref(title),
        Port=port,
        Protocol="HTTPS" if balancer.certificate else "HTTP",
        DefaultActions=[elb.Action(Type="fixed-response", FixedResponseConfig=nobody)],
    )
    if balancer.certificate:
        made.Certificates = [elb.Certificate(CertificateArn=balancer.certificate)]
        made.SslPolicy = _TLS
    stack.add(str(balancer), made)
    stack.output(balancer, "Url", url(balancer))
    stack.output(balancer, "Listener", listener(balancer))


def _rules(balancer: LoadBalancer, port: int) -> Iterator[Json]:
    """Who may reach it."""
    for address in balancer.ingress:
        yield {**_at(port), "CidrIp": address}
    for group in balancer.vpc.security_groups:
        yield {**_at(port), "SourceSecurityGroupId": group}


def _at(port: int) -> Json:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "Description": "HTTP"}
