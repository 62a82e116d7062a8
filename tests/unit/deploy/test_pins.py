from __future__ import annotations

from typing import Any

import pytest

from devbridge.deploy.pins import of_function


@pytest.mark.parametrize(
    ("properties", "pin"),
    [
        ({"Code": {"S3Bucket": "b", "S3Key": "a.zip", "S3ObjectVersion": "1"}}, ("a.zip", "1")),
        ({"Code": {"S3Key": "a.zip"}}, ("a.zip", "")),
        ({"Code": {"ZipFile": "text"}}, ("", "")),
        ({}, ("", "")),
    ],
)
def test_a_function_is_pinned_to_one_version_of_its_zip(
    properties: dict[str, Any], pin: tuple[str, str]
) -> None:
    assert [*of_function(properties)] == [pin]
