from __future__ import annotations

import pytest

from devbridge.emulator.inside.machines import stored


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("name", ("name", "", "", "")),
        ("name:key", ("name", "key", "", "")),
        ("name::AWSPREVIOUS", ("name", "", "AWSPREVIOUS", "")),
        (
            "arn:aws:secretsmanager:r:1:secret:a/b-x1:k:s:v",
            ("arn:aws:secretsmanager:r:1:secret:a/b-x1", "k", "s", "v"),
        ),
    ],
)
def test_a_reference_to_a_secret_is_taken_apart(
    reference: str, parts: tuple[str, str, str, str]
) -> None:
    assert stored.secret_parts(reference) == parts
