from __future__ import annotations

import pytest

from devbridge.emulator.inside.corrections.objects import is_missing


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", True),
        (None, True),
        ("<Error><Code>NoSuchKey</Code></Error>", True),
        (b"<Error><Code>NoSuchBucket</Code></Error>", False),
        (b"<Error><Code>NoSuchVersion</Code></Error>", False),
    ],
)
def test_only_an_object_is_hidden(body: bytes | str | None, found: bool) -> None:
    assert is_missing(body) == found
