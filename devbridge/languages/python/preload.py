"""What is imported before workers exist: the AWS SDK, if used, and what the app vouches for.

Which of it a job sees, and when, is decided in its worker: see `runner.preloaded`. Here it is only
a question of speed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

SDK: Final = "boto3"
_PARTS_OF_IT: Final = (b"boto3", b"botocore")


def names(root: Path, handlers: Iterable[str], vouched: Iterable[str]) -> list[str]:
    """What to preload at the start, in this order.

    Without a handler whose own file speaks of the SDK, that costs 30 MB and half a second that
    nobody may need; should a handler turn out to import it, the zygote is told then.
    """
    files = {root / f"{handler.rpartition('.')[0]}.py" for handler in handlers}
    sdk = [SDK] if any(map(_speaks_of_sdk, files)) else []
    return [*sdk, *(name for name in vouched if name not in sdk)]


def _speaks_of_sdk(file: Path) -> bool:
    try:
        text = file.read_bytes()
    except OSError:
        return False
    return any(part in text for part in _PARTS_OF_IT)
