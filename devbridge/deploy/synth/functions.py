"""Lambda functions of the app."""

from __future__ import annotations

import math
from typing import Any

from devbridge import names
from devbridge.constructs import Function, Vpc
from devbridge.deploy.policies import Json, allow, logs_of, permitted
from devbridge.deploy.principal import trust
from devbridge.deploy.references import arn_of
from devbridge.deploy.synth.file_systems import bound, may_mount, mount
from devbridge.deploy.synth.stack import Stack, checked_environment
from devbridge.deploy.synth.triggers import queues, streams
from devbridge.deploy.synth.triggers.known import add_triggers
from devbridge.languages.known import language_of


def add_function(stack: Stack, function: Function) -> None:
    """Add a function with its role and its log group, and what calls it by itself."""
    from troposphere import awslambda

    name = names.function(function, stack.stage)
    log_group = stack.log_group(function, names.function_log_group(function, stack.stage))
    role = stack.role(
        str(function),
        names.logical(function, "Role"),
        [trust("lambda.amazonaws.com")],
        [
            *may_join(function.vpc),
            *may_mount(bound(function)),
            *stack.grants(function.bind),
            *permitted(function.permissions, stack.stage),
            logs_of(log_group),
            *queues.function_grants(function),
            *streams.grants([function]),
            *decrypting(function.encryption_key),
        ],
        function,
    )
    runtime, environment = stack.runtime(function), stack.environment(function)
    own = language_of(function).deployed
    resource = awslambda.Function(
        names.logical(function),
        FunctionName=name,
        Runtime=runtime,
        Handler=str(function.handler),
        Code=stack.assets.code(stack.assets.functions[function.name]),
        Role=arn_of(role),
        Timeout=math.ceil(function.timeout.total_seconds()),
        MemorySize=function.memory_mb,
        Architectures=[function.architecture],
        DependsOn=log_group,
        Environment=checked_environment(
            function, {**own.function_variables(function.esbuild), **environment}
        ),
    )
    if function.encryption_key:
        resource.KmsKeyArn = function.encryption_key
    if function.reserved_concurrency is not None:
        resource.ReservedConcurrentExecutions = function.reserved_concurrency
    join(resource, function.vpc)
    mount(stack, resource, function)
    stack.add_main(function, resource, function.tags)
    add_triggers(stack, function)


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
