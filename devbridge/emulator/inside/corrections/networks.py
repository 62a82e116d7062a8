"""What CloudFormation makes for machines in a network: rules of security groups, which ministack
does not know, groups where there is no network to have them in, and profiles by their names.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..host import ministack

Json = Mapping[str, Any]

GROUP: Final = "AWS::EC2::SecurityGroup"
PROFILE: Final = "AWS::IAM::InstanceProfile"
_RULES: Final = {f"{GROUP}Ingress": "IpPermissions", f"{GROUP}Egress": "IpPermissionsEgress"}


def complete(provisioners: Any) -> None:
    """Give CloudFormation what it lacks."""
    for kind, store in _RULES.items():
        provisioners._RESOURCE_HANDLERS[kind] = _rule(provisioners, store)
    _check_groups(provisioners)
    _name_profiles(provisioners)


def _rule(provisioners: Any, store: str) -> dict[str, Callable[..., Any]]:
    """How a rule of its own is made, changed and deleted."""

    def rules(properties: Json) -> list[Any]:
        group = str(properties.get("GroupId") or "")
        found = ministack("services.ec2")._security_groups.get(group)
        if found is None:
            raise ValueError(
                f"The security group '{group}' does not exist"
                " (Service: Ec2, Status Code: 400, InvalidGroup.NotFound)"
            )
        kept: list[Any] = found.setdefault(store, [])
        return kept

    def create(_title: str, properties: Json, _stack: str) -> Any:
        kept, (rule,) = rules(properties), provisioners._ec2_sg_permissions([properties])
        if rule in kept:
            raise ValueError(
                "the specified rule already exists"
                " (Service: Ec2, Status Code: 400, InvalidPermission.Duplicate)"
            )
        kept.append(rule)
        rule_id = f"sgr-{uuid.uuid4().hex[:17]}"
        return rule_id, {"Id": rule_id}

    def delete(_physical: str, properties: Json) -> None:
        group = ministack("services.ec2")._security_groups.get(str(properties.get("GroupId")))
        (rule,) = provisioners._ec2_sg_permissions([properties])
        if group and rule in group.get(store, ()):
            group[store].remove(rule)

    def update(physical: str, old: Json, new: Json, stack: str, *_rest: Any) -> Any:
        if old != new:
            delete(physical, old)
            create("", new, stack)
        return physical, {"Id": physical}

    return {"create": create, "delete": delete, "update": update}


def _check_groups(provisioners: Any) -> None:
    handlers = provisioners._RESOURCE_HANDLERS[GROUP]
    create = handlers["create"]

    def created(title: str, properties: Json, stack: str) -> Any:
        ec2 = ministack("services.ec2")
        ec2._ensure_defaults_initialized()
        vpc = properties.get("VpcId")
        if not vpc:
            default = [each["VpcId"] for each in ec2._vpcs.values() if each.get("IsDefault")]
            if not default:
                raise ValueError(
                    "No default VPC for this user"
                    " (Service: Ec2, Status Code: 400, VPCIdNotSpecified)"
                )
            properties = {**properties, "VpcId": default[0]}
        elif vpc not in ec2._vpcs:
            raise ValueError(
                f"The vpc ID '{vpc}' does not exist"
                " (Service: Ec2, Status Code: 400, InvalidVpcID.NotFound)"
            )
        return create(title, properties, stack)

    handlers["create"] = created


def _name_profiles(provisioners: Any) -> None:
    """What refers to a profile gets its name, as on AWS; ministack gives its ARN."""
    handlers = provisioners._RESOURCE_HANDLERS[PROFILE]
    create, update, delete = (handlers[key] for key in ("create", "update", "delete"))

    def arn(physical: str) -> str:
        found = ministack("services.iam")._instance_profiles.get(physical)
        return str(found["Arn"]) if found else physical

    def named(answer: Any) -> Any:
        return answer[0].rpartition("/")[2], answer[1]

    handlers["create"] = lambda *arguments: named(create(*arguments))
    handlers["update"] = lambda physical, *rest: named(update(arn(physical), *rest))
    handlers["delete"] = lambda physical, *rest: delete(arn(physical), *rest)
