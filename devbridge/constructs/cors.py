"""Which web pages may call an Api."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from devbridge.constructs import values
from devbridge.constructs.values import Duration
from devbridge.sources.base import Problem

_ALL: Final = "*"
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", _ALL)
_ORIGIN = re.compile(r"https?://(\*|[^\s/?#*]+)")
_HEADER = re.compile(r"[\w!#$%&'+.^`|~*-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cors:
    """What API Gateway answers to browsers that ask for another site's page.

    Args:
        allow_origins: ``https://example.com``, ``https://*`` or ``*``.
        allow_methods: HTTP methods, or ``*``.
        allow_headers, expose_headers: header names, or ``*``.
        allow_credentials: let browsers send cookies; then nothing may be ``*``.
        max_age: how long a browser may keep the answer, whole seconds, up to 1 day.
    """

    allow_origins: Sequence[str] = (_ALL,)
    allow_methods: Sequence[str] = (_ALL,)
    allow_headers: Sequence[str] = (_ALL,)
    expose_headers: Sequence[str] = ()
    allow_credentials: bool = False
    max_age: Duration | None = None

    @property
    def max_age_seconds(self) -> int | None:
        """`max_age` in seconds."""
        found = values.whole_seconds(self.max_age, values.CORS_AGE)
        return None if found is None else int(found.total_seconds())


def cors_problem(cors: object) -> Problem | None:
    """What of `cors` API Gateway or browsers do not allow, and what they do."""
    if isinstance(cors, bool):
        return None
    if not isinstance(cors, Cors):
        return repr(cors), "True, False or Cors(allow_origins=[...], ...)"
    if not isinstance(cors.allow_credentials, bool):
        return f"allow_credentials {cors.allow_credentials!r}", "True or False"
    if cors.max_age is not None and cors.max_age_seconds is None:
        return f"max_age {cors.max_age!r}", "0 seconds to 1 day, whole seconds, or None"
    return _list_problem(cors)


def _list_problem(cors: Cors) -> Problem | None:
    for what, items, valid, allowed in (
        ("allow_origins", cors.allow_origins, _origin, "'https://example.com', 'https://*', '*'"),
        ("allow_methods", cors.allow_methods, _METHODS.__contains__, ", ".join(_METHODS)),
        ("allow_headers", cors.allow_headers, _HEADER.fullmatch, "names of headers, or '*'"),
        ("expose_headers", cors.expose_headers, _HEADER.fullmatch, "names of headers, or '*'"),
    ):
        found = values.strings(items)
        if found is None or not all(map(valid, found)):
            return f"{what} {items!r}", f"a list of {allowed}"
        # The Fetch standard takes '*' literally in answers to requests with credentials.
        if cors.allow_credentials and _ALL in found:
            return f"{what} {items!r}", "no '*' together with allow_credentials: list them"
    return None


def _origin(value: str) -> bool:
    return value == _ALL or bool(_ORIGIN.fullmatch(value))
