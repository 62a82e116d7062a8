"""Lambda functions of the app."""

from __future__ import annotations

import math
from typing import Any

from devbridge import names
from devbridge.constructs import Function, Vpc
from devbridge.deploy.policies import Json, allow, logs_of, permitted
from devbridge.deploy.principal import trust
from devbridge.deploy.references import arn_of, ref
from devbridge.deploy.synth.file_systems import bound, may_mount, mount
from devbridge.deploy.synth.live_functions import ROLE, grants, stub_of
from devbridge.deploy.synth.placement import has_code, is_live
from devbridge.deploy.synth.stack import Stack, checked_environment
from devbridge.deploy.synth.triggers import queues, streams
from devbridge.deploy.synth.triggers.known import add_triggers
from devbridge.languages.known import language_of


def add_function(stack: Stack, function: Function) -> None:
    """Add a function with its role and its log group, and what calls it by itself. Where it runs
    on the laptop, its stub has its place."""
    live = is_live(function, stack.settings)
    log_group = stack.log_group(function, names.function_log_group(function, stack.stage))
    role = _role(stack, function, log_group)
    reserved = function.reserved_concurrency
    if has_code(function, stack.settings):
        resource = _with_code(stack, function, role, log_group)
        if reserved is not None and not live:
            resource.ReservedConcurrentExecutions = reserved
        title = stack.add_main(function, resource, function.tags)
        if live:
            stack.labels[title] += ", deployed code"
    if live:
        stub = stub_of(stack, function, role)
        if reserved is not None:
            stub.ReservedConcurrentExecutions = reserved
        stack.add(str(function), stub, function.tags)
        # A template has room for 200 outputs: nobody asks for this one where it is not live.
        stack.output(function, ROLE, arn_of(role))
    add_triggers(stack, function)


def _role(stack: Stack, function: Function, log_group: str) -> str:
    """The role that its code has, on the laptop too; its title."""
    trusted, live = [trust("lambda.amazonaws.com")], is_live(function, stack.settings)
    if live:
        trusted.append(trust(stack.settings.principal_arn))
    return stack.role(
        str(function),
        names.logical(function, "Role"),
        trusted,
        [
            *may_join(function.vpc),
            *may_mount(bound(function)),
            *stack.grants(function.bind),
            *permitted(function.permissions, stack.stage),
            logs_of(log_group),
            *queues.function_grants(function),
            *streams.grants([function]),
            *decrypting(function.encryption_key),
            *(grants(stack, function) if live else []),
        ],
        function,
    )


def _with_code(stack: Stack, function: Function, role: str, log_group: str) -> Any:
    from troposphere import awslambda

    runtime, environment = stack.runtime(function), stack.environment(function)
    own, copy = language_of(function).deployed, is_live(function, stack.settings)
    resource = awslambda.Function(
        names.logical(function, names.COPY if copy else ""),
        FunctionName=(names.function_copy if copy else names.function)(function, stack.stage),
        Runtime=runtime,
        Handler=str(function.handler),
        Code=stack.assets.code(stack.assets.functions[function.name]),
        Role=arn_of(role),
        Timeout=math.ceil(function.timeout.total_seconds()),
        MemorySize=function.memory_mb,
        Architectures=[function.architecture],
        Environment=checked_environment(
            function, {**own.function_variables(function.esbuild), **environment}
        ),
    )
    if copy:
        resource.LoggingConfig = awslambda.LoggingConfig(LogGroup=ref(log_group))
    else:
        resource.DependsOn = log_group
    if function.encryption_key:
        resource.KmsKeyArn = function.encryption_key
    join(resource, function.vpc)
    mount(stack, resource, function)
    return resource


def decrypting(*keys: str | None) -> list[Json]:
    """What Lambda needs to give a function its environment, if that is encrypted with keys."""
    found = sorted({key for key in keys if key})
    return [allow(["kms:Decrypt"], found)] if found else []


def join(function: Any, vpc: Vpc | None) -> None:
    """Put a function into a VPC, if there is one."""
    from troposphere import awslambda

    if vpc:
        function.VpcConfig = awslambda.VPCConfig(
            SubnetIds=list(vpc.subnets), SecurityGroupIds=list(vpc.security_groups)
        )


def may_join(vpc: Vpc | None) -> list[Json]:
    """What Lambda needs to put a function into a VPC, from its documentation."""
    if not vpc:
        return []
    actions = [
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ]
    return [allow(actions, ["*"])]
