"""Who may learn that an object is not there, and replace one that is: ministack asks nobody.

S3 answers 403 in place of 404 to who may not list the bucket ("GetObject", "Permissions"), and
takes an ``If-Match`` only from who may read the object ("PutObject", "General purpose bucket
permissions").
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from typing import Any, Final

from ..host import ministack

LIST: Final = "s3:ListBucket"
_READS: Final = frozenset({"s3:GetObject", "s3:HeadObject"})
_NOT_THERE: Final = (b"<Code>NoSuchKey</Code>", b"")

_reader: contextvars.ContextVar[tuple[str, str]] = contextvars.ContextVar(
    "reader", default=("", "")
)
"""The key that a request to read an object is signed with, and its region, once it was allowed."""


def hide() -> None:
    """Correct `services.s3` and what IAM is asked about it."""
    s3, iam = ministack("services.s3"), ministack("core.iam_evaluator")
    actions = ministack("core.iam_actions")
    serve, enforce, more = s3.handle_request, iam.enforce, actions.s3_additional_checks

    def enforced(
        key: str, action: str, service: str, region: str, *rest: Any, **options: Any
    ) -> Any:
        denied = enforce(key, action, service, region, *rest, **options)
        if service == "s3":
            _reader.set((key, region) if action in _READS and not denied else ("", ""))
        return denied

    async def served(
        method: str, path: str, headers: Mapping[str, str], *rest: Any, **options: Any
    ) -> Any:
        key, region = _reader.get()
        _reader.set(("", ""))
        answer = await serve(method, path, headers, *rest, **options)
        bucket, name = s3._parse_bucket_key(path, headers)
        if not (key and name and answer[0] == 404 and is_missing(answer[2])):
            return answer
        denied = enforce(key, LIST, "s3", region, resource_arn=f"arn:aws:s3:::{bucket}")
        return answer if denied is None else _forbidden(denied, method)

    def checks(method: str, path: str, headers: Mapping[str, str], *rest: Any) -> Any:
        found = list(more(method, path, headers, *rest))
        name = path.lstrip("/")
        if method == "PUT" and "/" in name and any(each.lower() == "if-match" for each in headers):
            found.append(("s3:GetObject", f"arn:aws:s3:::{name}"))
        return found

    s3.handle_request, iam.enforce, actions.s3_additional_checks = served, enforced, checks


def is_missing(body: Any) -> bool:
    """Whether an answer with 404 is about the object: not the bucket, nor a version."""
    text = body if isinstance(body, bytes) else str(body or "").encode()
    return text == b"" or _NOT_THERE[0] in text


def _forbidden(denied: Any, method: str) -> Any:
    from xml.sax.saxutils import escape  # slow, and seldom needed

    who = escape(str(getattr(denied, "principal_arn", "") or "the caller"))
    what = (
        f"User: {who} is not authorized to perform: {LIST}"
        f" because no identity-based policy allows the {LIST} action"
    )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>AccessDenied</Code><Message>{what}</Message></Error>"
    )
    return 403, {"Content-Type": "application/xml"}, b"" if method == "HEAD" else body.encode()
