from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from devbridge.emulator.inside.codebuild.source import fetch, url
from devbridge.emulator.inside.machines.failure import Failure


class S3:
    """Has one object, and says what it was asked for."""

    def __init__(self, body: bytes = b"", error: Exception | None = None) -> None:
        self.body = body
        self.error = error
        self.asked: dict[str, Any] = {}

    def __call__(self) -> S3:
        return self

    def get_object(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        if self.error:
            raise self.error
        return {"Body": io.BytesIO(self.body), "VersionId": "v2"}


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        script = zipfile.ZipInfo("bin/run.sh")
        script.external_attr = 0o700 << 16
        made.writestr(script, "#!/bin/sh\n")
        made.writestr("data.txt", "data")
    return file.getvalue()


def test_the_zip_is_unpacked_with_the_modes_of_its_files(tmp_path: Path) -> None:
    s3, folder = S3(archive()), tmp_path / "src"
    source = {"type": "S3", "location": "arn:aws:s3:::bucket/a/key.zip"}
    assert fetch(source, None, s3, folder) == "v2"
    assert s3.asked == {"Bucket": "bucket", "Key": "a/key.zip"}
    assert (folder / "data.txt").read_text() == "data"
    assert stat.S_IMODE((folder / "bin/run.sh").stat().st_mode) == 0o744
    assert list(tmp_path.iterdir()) == [folder]


def test_a_version_that_is_asked_for_is_fetched(tmp_path: Path) -> None:
    s3 = S3(archive())
    fetch({"type": "S3", "location": "bucket/key"}, "v1", s3, tmp_path / "src")
    assert s3.asked["VersionId"] == "v1"


def test_a_build_without_a_source_asks_nobody(tmp_path: Path) -> None:
    s3 = S3(error=AssertionError())
    assert fetch({"type": "NO_SOURCE"}, None, s3, tmp_path / "src") is None
    assert fetch({}, None, s3, tmp_path / "src") is None


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"type": "GITHUB", "location": "x"}, "source type GITHUB is not supported"),
        ({"type": "S3", "location": "bucket"}, "source location 'bucket' is not supported"),
        ({"type": "S3", "location": "bucket/folder/"}, "'bucket/folder/' is not supported"),
        ({"type": "S3"}, "source location '' is not supported"),
    ],
)
def test_a_source_that_is_not_supported_is_named(
    source: dict[str, str], text: str, tmp_path: Path
) -> None:
    with pytest.raises(Failure, match=text) as caught:
        fetch(source, None, S3(), tmp_path / "src")
    assert caught.value.code == "CLIENT_ERROR"


def test_what_cannot_be_had_or_unpacked_fails_with_its_key(tmp_path: Path) -> None:
    source = {"type": "S3", "location": "bucket/key"}
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")
    with pytest.raises(Failure, match="downloading key key, error: AccessDenied: no"):
        fetch(source, None, S3(error=denied), tmp_path / "src")
    with pytest.raises(Failure, match="extracting key key: File is not a zip file"):
        fetch(source, None, S3(b"x"), tmp_path / "src")


def test_builds_are_told_the_url_of_their_source() -> None:
    assert url({"type": "S3", "location": "arn:aws:s3:::bucket/key"}) == "s3://bucket/key"
    assert url({"type": "NO_SOURCE", "location": "bucket/key"}) == ""
