"""What a role, or a resource's own policy, grants where a service acts: no request is checked."""

from __future__ import annotations

from typing import Any

from ..host import ministack


def role_may(role_arn: str, action: str, resource_arn: str) -> bool:
    """Whether the role's policies, within its boundary, let it do that."""
    iam = ministack("core.iam_evaluator")
    parts = role_arn.split(":")
    if len(parts) != 6:
        return False
    account, name = parts[4], parts[5].rpartition("/")[2]
    context = _context(action, resource_arn, role_arn, "AssumedRole", account)
    policies = iam._gather_role_policies(name, account)
    limits = iam._permissions_boundary(ministack("services.iam")._roles, name, account)
    return bool(iam.evaluate(context, policies, *limits).decision == "Allow")


def service_may(
    policy: Any, service: str, action: str, resource_arn: str, source_arn: str, account: str
) -> bool:
    """Whether a resource's policy lets a service do that for one of its own resources."""
    iam = ministack("core.iam_evaluator")
    context = _context(action, resource_arn, service, "Service", account)
    context.service_context = {"aws:sourcearn": source_arn, "aws:sourceaccount": account}
    found = iam.evaluate_resource_policy(policy, context, service=service)
    return bool(found.decision == "Allow")


def _context(action: str, resource_arn: str, who: str, kind: str, account: str) -> Any:
    region = resource_arn.split(":")[3] if resource_arn.count(":") > 3 else ""
    return ministack("core.iam_evaluator").EvalContext(
        principal_arn=who,
        principal_type=kind,
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=region,
    )


def function_admits(function_arn: str, service: str, source_arn: str) -> bool:
    """Whether a function is there and its policy lets a service call it for one of its resources;
    a service's name may have the region in it."""
    function, _, _ = ministack("services.lambda_svc")._get_func_record_for_ref(function_arn)
    parts, name = function_arn.split(":"), service.partition(".")
    action, policy = "lambda:InvokeFunction", (function or {}).get("policy")
    return any(
        service_may(policy, each, action, function_arn, source_arn, parts[4])
        for each in (service, f"{name[0]}.{parts[3]}.{name[2]}")
    )
