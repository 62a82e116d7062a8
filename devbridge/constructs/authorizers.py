"""Who may call a route of an Api."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from devbridge.constructs import values
from devbridge.constructs.function import Function
from devbridge.constructs.values import Duration
from devbridge.sources.base import Problem

HEADER: Final = "$request.header.Authorization"
"""Where a token is, unless an authorizer says otherwise."""
_AUDIENCES: Final = 50
"""Of an authorizer: API Gateway's quota, as that of the scopes of a route."""
_SCOPES: Final = 10
_ISSUER = re.compile(r"(https://|http://(localhost|127\.0\.0\.1)[:/])[^\s?#]+")
_TOKEN_SOURCE = re.compile(r"\$request\.(header|querystring)\.[\w-]+", re.ASCII)
_SOURCE = re.compile(r"\$(request\.(header|querystring)|context|stageVariables)\.[\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class JwtAuthorizer:
    """Lets in who sends a JSON web token of one issuer (OpenID Connect, Cognito, ...).

    Args:
        issuer: its ``https://`` URL, as in the token's ``iss``; on the embedded cloud it may be
            ``http://localhost:...``.
        audience: 1 to 50 values, one of which the token's ``aud`` or ``client_id`` must be.
        scopes: up to 10, one of which the token must have; none if empty.
        identity_source: where in the request the token is.
    """

    issuer: str
    audience: Sequence[str]
    scopes: Sequence[str] = ()
    identity_source: str = HEADER


@dataclass(frozen=True, slots=True)
class LambdaAuthorizer:
    """Lets in whom a function lets in: it returns ``{"isAuthorized": bool, "context": {...}}``.

    Args:
        function: handler path, or a Function. It gets events of payload format 2.0.
        ttl: how long API Gateway keeps an answer for the same `identity_sources`, whole seconds, 0
            seconds (not at all) to 1 hour.
        identity_sources: ``$request.header.NAME``, ``$request.querystring.NAME``,
            ``$context.NAME`` or ``$stageVariables.NAME``; a request that lacks one is refused
            without asking. There must be one when answers are kept.
    """

    function: str | Function
    ttl: Duration = "0 seconds"
    identity_sources: Sequence[str] = (HEADER,)

    @property
    def ttl_seconds(self) -> int:
        """`ttl` in seconds."""
        found = values.whole_seconds(self.ttl, values.AUTHORIZER_TTL)
        return int(found.total_seconds()) if found else 0


@dataclass(frozen=True, slots=True)
class FunctionAuthorizer(LambdaAuthorizer):
    """A LambdaAuthorizer as an Api holds it: its function is a Function."""

    function: Function


def jwt_problem(authorizer: JwtAuthorizer) -> Problem | None:
    """What of a JwtAuthorizer API Gateway does not allow, and what it does."""
    issuer, audience, scopes = authorizer.issuer, authorizer.audience, authorizer.scopes
    if not isinstance(issuer, str) or not _ISSUER.fullmatch(issuer):
        return f"issuer {issuer!r}", "the issuer's URL, which starts with https://"
    if not (found := values.strings(audience)) or len(found) > _AUDIENCES:
        return f"audience {audience!r}", f"a list of 1 to {_AUDIENCES} strings"
    if (found := values.strings(scopes)) is None or len(found) > _SCOPES:
        return f"scopes {scopes!r}", f"a list of at most {_SCOPES} strings"
    source = authorizer.identity_source
    if not isinstance(source, str) or not _TOKEN_SOURCE.fullmatch(source):
        return f"identity_source {source!r}", f"e.g. {HEADER!r}, or $request.querystring.NAME"
    return None


def lambda_problem(authorizer: LambdaAuthorizer) -> Problem | None:
    """What of a LambdaAuthorizer API Gateway does not allow, and what it does."""
    ttl = values.whole_seconds(authorizer.ttl, values.AUTHORIZER_TTL)
    if ttl is None:
        return f"ttl {authorizer.ttl!r}", "0 seconds to 1 hour, whole seconds"
    found = values.strings(authorizer.identity_sources)
    if found is None or not all(map(_SOURCE.fullmatch, found)):
        return (
            f"identity_sources {authorizer.identity_sources!r}",
            "a list of $request.header.NAME, $request.querystring.NAME, $context.NAME or "
            "$stageVariables.NAME",
        )
    if ttl and not found:
        return f"identity_sources {authorizer.identity_sources!r}", "at least one when ttl is set"
    return None
