"""What AWS refuses: what its errors say, and the same as errors of devbridge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from devbridge.deploy.access import Access
from devbridge.errors import DeployError

_OVERTAKEN: Final = ("AlreadyExistsException", "ChangeSetNotFound", "InvalidChangeSetStatus")
_NOT_AS_IT_WAS: Final = re.compile(r"Stack.*(does not exist|_IN_PROGRESS state)")
_NEEDED: Final = (
    "the developer needs that permission: docs/deploying.md has the policies, and names of roles,"
    " functions and stacks that may differ from those of an older devbridge"
)


class Overtaken(DeployError):
    """Another deployment came in between: what is to change must be worked out anew."""


@contextmanager
def explained(cloud: Access) -> Iterator[None]:
    """Failures of credentials and connection as the cloud explains them, others as ours.

    Raises:
        DeployError: AWS refused a call; its name and who asked are said.
        Overtaken: because another deployment has changed or removed the stack.
    """
    from botocore.exceptions import ClientError

    try:
        with cloud.explained():
            yield
    except ClientError as error:
        if is_overtaken(error):
            raise Overtaken(
                "another deployment has changed the stack in the meantime",
                where=f"{error.operation_name}: {message_of(error)}",
                remedy="try again: the changes will be worked out afresh",
            ) from error
        raise DeployError(
            f"AWS refuses {error.operation_name}: {message_of(error)}",
            where=f"{cloud.principal_arn}, region {cloud.region}",
            remedy=_NEEDED if is_denied(error) else None,
        ) from error


def is_denied(error: Exception) -> bool:
    """Whether AWS refuses because who asks may not."""
    code = code_of(error)
    return code in ("403", "Forbidden", "UnauthorizedOperation") or "AccessDenied" in code


def is_overtaken(error: Exception) -> bool:
    """Whether CloudFormation refuses because the stack is not any more what it was."""
    if code_of(error) in _OVERTAKEN:
        return True
    return code_of(error) == "ValidationError" and bool(_NOT_AS_IT_WAS.search(message_of(error)))


def message_of(error: Exception) -> str:
    """What AWS says, without botocore's preface."""
    answer = getattr(error, "response", {}).get("Error", {})
    return str(answer.get("Message") or error)


def code_of(error: Exception) -> str:
    """AWS's code of an error; empty for any other."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
