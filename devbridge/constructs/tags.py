"""Tags: what AWS takes, of all the services that are tagged. Pure.

Their characters are those of IAM, CodeBuild, Lambda, CloudWatch Logs and SSM, whose API models have
the same pattern: ``[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]``. CodeBuild's lengths are the shortest.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

from devbridge.sources.base import Problem

LIMIT: Final = 40
"""AWS allows 50 a resource; the rest is for devbridge's own and those of CloudFormation."""
KEY_LENGTH: Final = 127
VALUE_LENGTH: Final = 255
_ALLOWED: Final = "letters and digits of any language, spaces and + - = . _ : / @"


def tags_problem(tags: object) -> Problem | None:
    """The first tag that AWS does not allow, and what it does."""
    if not isinstance(tags, Mapping):
        return repr(tags), "a dict of strings"
    for key, value in tags.items():
        if problem := _of_one(key, value):
            return problem
    if len(tags) > LIMIT:
        return f"of {len(tags)} keys", f"at most {LIMIT}, the app's included"
    twice = len({key.lower() for key in tags}) < len(tags)
    return ("with a key twice", "keys that differ in more than case, by IAM") if twice else None


def _of_one(key: object, value: object) -> Problem | None:
    if not isinstance(key, str) or not 1 <= len(key) <= KEY_LENGTH:
        return repr(key), f"keys of 1 to {KEY_LENGTH} {_ALLOWED}"
    if key.lower().startswith("aws:"):
        return repr(key), "keys that do not start with 'aws:', which is AWS's own"
    if not isinstance(value, str) or len(value) > VALUE_LENGTH:
        return repr({key: value}), f"values of 0 to {VALUE_LENGTH} {_ALLOWED}"
    return _of_characters(key) or _of_characters(value)


def _of_characters(text: str) -> Problem | None:
    bad = next((each for each in text if not _is_allowed(each)), None)
    if bad is None:
        return None
    # It may look like one that is allowed: "u" and a combining diaeresis like "ü".
    what = f"with {bad!a} ({unicodedata.name(bad, 'a control character')}) in {text!r}"
    composed = unicodedata.normalize("NFC", text)
    if all(map(_is_allowed, composed)):
        return what, f"{_ALLOWED}; a letter and its accent as one character: {composed!r}"
    return what, _ALLOWED


def _is_allowed(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNZ" or character in "_.:/=+-@"
