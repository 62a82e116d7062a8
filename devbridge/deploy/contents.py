"""What is in a resource that a deployment would take away, in words."""

from __future__ import annotations

from devbridge.deploy import kinds
from devbridge.deploy.access import Access
from devbridge.deploy.changes import Change
from devbridge.deploy.leftovers import PAGE, is_gone
from devbridge.words import many


def lost(cloud: Access, change: Change) -> str:
    """What is lost with the change: ``3 items``; empty if nothing is, or nothing is in it.

    What cannot be looked into is taken to have something.
    """
    from botocore.exceptions import ClientError

    if not change.data or change.kept:
        return ""
    left = kinds.resource_type(change.type).leftover
    if left is None or left.count is None or not change.physical_id:
        return "its data"
    try:
        number, noun = left.count(cloud, change.physical_id)
    except ClientError as error:
        return "" if is_gone(error) else "its data"
    if not number:
        return ""
    return many(number, f"or more {noun}" if number >= PAGE else noun)
