"""Requests to a route of an Api."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from devbridge.constructs import values
from devbridge.constructs.api import NO_AUTHORIZER, Api
from devbridge.constructs.app import Construct
from devbridge.constructs.triggering import Trigger
from devbridge.sources.base import Problem


@dataclass(frozen=True)
class OnRequest(Trigger):
    """Runs the job for each request to a route, which is answered at once: 202, and the run's id in
    ``{"jobId": ...}``. The payload is the request's body: its JSON value, or the text where it is
    none; null without a body. Headers, path, query and the authorizer's claims
    (``["requestContext"]["authorizer"]``) are in ``context.event``.

    A function is called with the request and answers it, as the Api's own `routes` have it.

    A request with a header ``Idempotency-Key`` that was sent before is answered with that run. What
    cannot be started is an error for who asks, 4xx or 5xx: nothing waits anywhere.

    Args:
        api: of this app.
        route: a method and a path, as `Api` has them: ``ANY /thumbs``.
        authorizer: one of the Api's `authorizers`, or "none" for a route that is open to all; by
            default that of its other routes.
        name, loop: as `Trigger` says; by default it is called by the route.
    """

    kind: ClassVar[str] = "request"
    answered: ClassVar[bool] = True
    alone: ClassVar[str] = "one trigger for the same requests"

    api: Api
    route: str
    authorizer: str | None = None

    @property
    def label(self) -> str:
        """See `Trigger.label`."""
        return self.name or self.route

    @property
    def reads(self) -> Construct | None:
        """See `Trigger.reads`."""
        return self.api

    @property
    def claim(self) -> tuple[Construct, object]:
        """See `Trigger.claim`."""
        return self.api, values.same_requests(self.route)

    @property
    def lets_in(self) -> str | None:
        """The authorizer that lets callers in; None: all may call."""
        if self.authorizer is None:
            return self.api.authorizer
        return None if self.authorizer == NO_AUTHORIZER else self.authorizer

    def problem(self, owner: Construct) -> Problem | None:  # noqa: ARG002
        """See `Trigger.problem`."""
        api = self.api
        if not isinstance(api, Api):
            return repr(api), "an Api of this app"
        if not values.route(self.route):
            return f"route {self.route!r}", values.ROUTE_ALLOWED
        same = values.same_requests(self.route)
        own = [each.key for each in api.routes if values.same_requests(each.key) == same]
        if own:
            return f"route {self.route!r}", f"not a route that {api} has: {own[0]!r}"
        known = [*api.authorizers, NO_AUTHORIZER]
        if self.authorizer is not None and self.authorizer not in known:
            listed = ", ".join(map(repr, known))
            return f"authorizer {self.authorizer!r}", f"{listed} (those of {api}), or None"
        return None
