"""Routes of HTTP APIs that are answered by a job's invoker, or by a function."""

from __future__ import annotations

import re
from typing import Any, Final

from devbridge import names
from devbridge.constructs import OnRequest
from devbridge.constructs.owners import Owner
from devbridge.deploy.references import arn
from devbridge.deploy.synth import api
from devbridge.deploy.synth.stack import Stack
from devbridge.deploy.synth.triggers.called import called
from devbridge.deploy.synth.triggers.permissions import permit

_VARIABLE: Final = re.compile("{[^}]+}")


def add(stack: Stack, owner: Owner, trigger: OnRequest, title: str) -> None:
    """Add the route."""
    permit(stack, owner, title, "apigateway", _source(trigger))
    target, own = called(owner), f"{title}Integration"
    integration = api.add_integration(stack, trigger.api, target, own, str(owner))
    api.add_route(stack, trigger.api, trigger.route, integration, trigger.lets_in)


def _source(trigger: OnRequest) -> Any:
    """The ARN that API Gateway calls for the route: any stage, its method, its path."""
    title, (method, _, path) = names.logical(trigger.api), trigger.route.rpartition(" ")
    if method:
        path = f"{'*' if method == 'ANY' else method}{_VARIABLE.sub('*', path)}"
    return arn("execute-api", f"${{{title}}}/*/{path}")
