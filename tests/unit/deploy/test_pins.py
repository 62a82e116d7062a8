from __future__ import annotations

from typing import Any

import pytest

from devbridge.deploy.pins import of_function, of_project


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


def test_a_project_is_pinned_to_versions_of_its_code_and_its_packages() -> None:
    properties = {
        "Source": {"Type": "S3", "Location": "bucket/assets/demo/a.zip"},
        "SourceVersion": "1",
        "SecondarySources": [
            {"SourceIdentifier": "packages", "Location": "bucket/p.zip"},
            {"SourceIdentifier": "more", "Location": "bucket/m.zip"},
        ],
        "SecondarySourceVersions": [{"SourceIdentifier": "packages", "SourceVersion": "2"}],
    }
    assert [*of_project(properties)] == [
        ("assets/demo/a.zip", "1"),
        ("p.zip", "2"),
        ("m.zip", ""),
    ]


def test_a_project_without_zips_has_none() -> None:
    assert [*of_project({"Source": {"Type": "NO_SOURCE"}})] == [("", "")]
    assert [*of_project({})] == [("", "")]
