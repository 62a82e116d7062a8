"""A build's source: a zip object of S3 to files."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .failure import Failure


def fetch(record: Mapping[str, Any], s3: Any, directory: Path, scratch: Path) -> str | None:
    """Put the build's source into `directory`; the version of the object, where it has one.

    Raises:
        Failure: it is of a type that is not supported here, or is not there, or no zip.
    """
    source = record["source"]
    kind = source.get("type", "NO_SOURCE")
    if kind == "NO_SOURCE":
        return None
    if kind != "S3":
        raise Failure(
            "CLIENT_ERROR", f"source type {kind} is not supported on the embedded cloud, only S3"
        )
    location = str(source.get("location", "")).removeprefix("arn:aws:s3:::")
    bucket, _, key = location.partition("/")
    if not bucket or not key or key.endswith("/"):
        raise Failure(
            "CLIENT_ERROR",
            f"source location {location!r} is not supported on the embedded cloud, only the zip"
            " object <bucket>/<key>",
        )
    version = record.get("sourceVersion")
    archive = scratch / "source.zip"
    try:
        answer = s3.get_object(
            Bucket=bucket, Key=key, **({"VersionId": version} if version else {})
        )
        with archive.open("wb") as file:
            shutil.copyfileobj(answer["Body"], file, 1 << 20)
    except Exception as error:
        raise Failure(
            "CLIENT_ERROR", f"error while downloading key {key}, error: {words(error)}"
        ) from error
    try:
        with zipfile.ZipFile(archive) as content:
            for member in content.infolist():
                path = Path(content.extract(member, directory))
                mode = stat.S_IMODE(member.external_attr >> 16)
                if not member.is_dir():
                    path.chmod(mode & 0o755 | 0o644)
    except (zipfile.BadZipFile, OSError) as error:
        raise Failure("CLIENT_ERROR", f"error while extracting key {key}: {error}") from error
    archive.unlink()
    found: str | None = answer.get("VersionId")
    return found


def words(error: Exception) -> str:
    """An error of botocore's as the agent says it: ``Code: message``."""
    answer = getattr(error, "response", {}).get("Error", {})
    return f"{answer['Code']}: {answer.get('Message', '')}" if answer.get("Code") else str(error)
