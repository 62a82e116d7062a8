"""What a template calls a construct's main resource in policies and in other resources: its ARN."""

from __future__ import annotations

from typing import Any, Final

from devbridge import names
from devbridge.constructs import Construct, LoadBalancer, Topic
from devbridge.constructs.existing import existing_arn
from devbridge.deploy.references import arn_of, ref, sub

_REF: Final = (LoadBalancer, Topic)
"""Those of which Ref is the ARN."""


def main_arn(construct: Construct, more: str = "") -> Any:
    """The ARN of a construct's main resource, with `more` behind it; of what exists, as a text."""
    if arn := existing_arn(construct):
        return arn + more
    title = names.logical(construct)
    by_ref = isinstance(construct, _REF)
    if more:
        return sub(f"${{{title}}}{more}" if by_ref else f"${{{title}.Arn}}{more}")
    return ref(title) if by_ref else arn_of(title)
