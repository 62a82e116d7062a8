"""What an id on the wire looks like. Apart from the codec: who reads a ledger needs no messages."""

from __future__ import annotations

import re
from typing import Final

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_id(text: object) -> bool:
    """Whether this is a UUID in its canonical text form, as all ids on the wire are."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None
