"""What other stacks import from a stage's: it can be neither changed nor removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devbridge.deploy.access import Access
from devbridge.deploy.refusals import message_of
from devbridge.errors import DeployError


def check_unused(cloud: Access, stack: Mapping[str, Any]) -> None:
    """Look whether a stack may go, before anything of it is emptied.

    Args:
        stack: as CloudFormation describes it.

    Raises:
        DeployError: another stack imports something that it exports.
        ClientError: AWS does not tell (`cloudformation:ListImports`).
    """
    for output in stack.get("Outputs") or ():
        if (name := output.get("ExportName")) and (users := _importing(cloud, name)):
            raise DeployError(
                f"what the stack exports as {name!r} is imported by {', '.join(users)}",
                where=str(stack["StackName"]),
                remedy="take that Fn::ImportValue out of the other stack first, or remove that",
            )


def _importing(cloud: Access, name: str) -> list[str]:
    from botocore.exceptions import ClientError

    pages = cloud.client("cloudformation").get_paginator("list_imports").paginate(ExportName=name)
    try:
        return [stack for page in pages for stack in page["Imports"]]
    except ClientError as error:
        if "not imported" in message_of(error):
            return []
        raise
