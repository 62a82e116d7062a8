"""Rules of load balancers: their requests are answered by a job's invoker, or by a
function."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from devbridge.constructs import OnLoadBalancer
from devbridge.constructs.owners import Owner
from devbridge.deploy.references import arn, arn_of, ref
from devbridge.deploy.synth.load_balancers import listener
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers.called import called
from devbridge.deploy.synth.triggers.permissions import permit


def add(stack: Stack, owner: Owner, trigger: OnLoadBalancer, title: str) -> None:
    """Add the rule, and the target group that has what answers in it."""
    from troposphere import elasticloadbalancingv2 as elb

    name = target_group(stack, trigger)
    # It has to be permitted before it can be in the group, whose ARN nobody knows before that.
    group = arn("elasticloadbalancing", f"targetgroup/{name}/*")
    permission = permit(stack, owner, title, "elasticloadbalancing", group)
    targets = elb.TargetGroup(
        f"{title}Targets",
        Name=name,
        TargetType="lambda",
        Targets=[elb.TargetDescription(Id=arn_of(called(owner)))],
        DependsOn=permission,
    )
    made = stack.add(str(owner), targets, owner.tags)
    rule = elb.ListenerRule(
        title,
        ListenerArn=listener(trigger.balancer),
        Priority=trigger.priority,
        Conditions=list(_conditions(trigger)),
        Actions=[elb.ListenerRuleAction(Type="forward", TargetGroupArn=ref(made))],
    )
    stack.add(str(owner), rule, owner.tags)


def target_group(stack: Stack, trigger: OnLoadBalancer) -> str:
    """The name of the target group, which an account has once, and of 32 characters at most."""
    balancer, priority = trigger.balancer, trigger.priority
    whole = f"{balancer.app.name}/{stack.stage}/{balancer.name}/{priority}"
    digest = hashlib.sha256(whole.encode()).hexdigest()[:12]
    return f"{balancer.name.replace('_', '-')[:12].rstrip('-')}-{priority}-{digest}"


def _conditions(trigger: OnLoadBalancer) -> Iterator[Any]:
    from troposphere import elasticloadbalancingv2 as elb

    if trigger.paths:
        paths = elb.PathPatternConfig(Values=list(trigger.paths))
        yield elb.Condition(Field="path-pattern", PathPatternConfig=paths)
    if trigger.methods:
        methods = elb.HttpRequestMethodConfig(Values=list(trigger.methods))
        yield elb.Condition(Field="http-request-method", HttpRequestMethodConfig=methods)
    for name, values in trigger.headers.items():
        header = elb.HttpHeaderConfig(HttpHeaderName=name, Values=list(values))
        yield elb.Condition(Field="http-header", HttpHeaderConfig=header)
    if trigger.hosts:
        hosts = elb.HostHeaderConfig(Values=list(trigger.hosts))
        yield elb.Condition(Field="host-header", HostHeaderConfig=hosts)
