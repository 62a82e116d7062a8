"""What a template calls what is made for a trigger. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from devbridge import names
from devbridge.constructs import Trigger
from devbridge.constructs.owners import Owner
from devbridge.constructs.values import NAME

_WORD: Final = re.compile("[A-Za-z0-9]+")


def title_of(owner: Owner, trigger: Trigger) -> str:
    """The title of its main resource."""
    label = trigger.label
    name = "".join(word[:1].upper() + word[1:] for word in _WORD.findall(label))
    if not NAME.fullmatch(label):  # others might be the same but for what an id may not have
        name += hashlib.sha256(label.encode()).hexdigest()[:6]
    return names.logical(owner, f"On{type(trigger).__name__.removeprefix('On')}{name}")
