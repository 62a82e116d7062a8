"""What jobs take and return, told by their handlers and made known to type checkers and editors.

`probe` asks the app's interpreter, `write` makes the stub files, `schemas` what is checked before a
payload is sent.
"""

from __future__ import annotations

from devbridge.types.files import outdated, write
from devbridge.types.probe import JobTypes, Slow, probe, schemas

__all__ = ["JobTypes", "Slow", "outdated", "probe", "schemas", "write"]
