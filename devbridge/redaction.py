"""Keeps credentials out of whatever devbridge prints and logs: the one place that knows them.

What is secret is told with `secret`, where it is got; what only looks like it (signatures and
tokens in URLs, headers and answers of AWS) is found by its form.

By hand: scanners such as detect-secrets look through files for what might be secret.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Final
from urllib.parse import quote

HIDDEN: Final = "[redacted]"
SHORTEST: Final = 8
"""Characters below which a value is not looked for: it would be found in ordinary words."""
WORKER: Final = "dvbw-"
"""How the token of a worker begins."""
MOST: Final = 512
"""Values that are remembered, the newest: a long `devbridge dev` sees many sessions."""

_FORMS: Final = re.compile(
    # what a worker calls the daemon with: each has one, which is known by its beginning
    rf"({WORKER})[A-Za-z0-9_-]{{20,}}"
    # queries of signed URLs: SigV4, and S3's older form
    r"|((?:X-Amz-(?:Signature|Security-Token|Credential)|[?&](?:Signature|AWSAccessKeyId))=)[^&\s\"'<>]+"
    # the Authorization header, and the tokens beside it
    r"|((?:Signature|Credential)=)[A-Za-z0-9/+=%-]{16,}"
    r"|(X-Amz-Security-Token[\"']?\s*:\s*b?[\"']?)[^\s\"',}<]+"
    r"|(AWS_CONTAINER_AUTHORIZATION_TOKEN[\"']?\s*[=:]\s*[\"']?)[^\s\"',}]+"
    # AWS's answers: XML, JSON, and their dictionaries
    r"|(<(?:SecretAccessKey|SessionToken)>)[^<]+"
    r"|([\"'](?:SecretAccessKey|SessionToken|Token|aws_secret_access_key|aws_session_token)[\"']\s*:\s*[\"'])[^\"']+"
    r"|((?:aws_secret_access_key|aws_session_token|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN)\s*=\s*)[^\s\"']+",
    re.IGNORECASE,
)
_values: OrderedDict[str, None] = OrderedDict()
_known: re.Pattern[str] | None = None


def secret(*values: str | None) -> None:
    """From now on these values are not shown, neither as they are nor quoted in a URL."""
    global _known  # noqa: PLW0603 - the process has one output
    new = {
        form
        for value in values
        if value and len(value) >= SHORTEST
        for form in (value, quote(value, safe=""), quote(value))
    } - _values.keys()
    if not new:
        return
    for form in new:
        _values[form] = None
    while len(_values) > MOST:
        _values.popitem(last=False)
    _known = None


def _values_pattern() -> re.Pattern[str]:
    """Made when something is shown, and not each time that something secret is got."""
    global _known  # noqa: PLW0603 - as above
    if _known is None:
        longest_first = sorted(_values, key=len, reverse=True)
        _known = re.compile("|".join(map(re.escape, longest_first)))
    return _known


def redacted(text: str) -> str:
    """The text without what is secret."""
    if _values:
        text = _values_pattern().sub(HIDDEN, text)
    return _FORMS.sub(_form, text)


def _form(found: re.Match[str]) -> str:
    return f"{next(filter(None, found.groups()))}{HIDDEN}"
