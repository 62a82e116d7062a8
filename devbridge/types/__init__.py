"""What jobs take and return, made known to type checkers and editors.

The languages tell it (`devbridge.languages`), `write` makes the stub files, `schemas` what is
checked before a payload is sent.
"""

from __future__ import annotations

from devbridge.types.files import outdated, write
from devbridge.types.model import JobTypes, Slow, schemas

__all__ = ["JobTypes", "Slow", "outdated", "schemas", "write"]
