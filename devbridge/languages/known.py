"""The languages that there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from devbridge.languages.base import Code, Language
from devbridge.languages.node.language import Node
from devbridge.languages.python.language import Python
from devbridge.sources.runtimes import DEFAULT, Name

LANGUAGES: Final[Mapping[Name, Language]] = {"python": Python(), "nodejs": Node()}


def language_of(code: Code) -> Language:
    """That of a function's or job's handler. A container's command is started as handlers of the
    default language are."""
    return LANGUAGES[code.language or DEFAULT]
