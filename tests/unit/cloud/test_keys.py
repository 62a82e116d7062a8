from __future__ import annotations

import stat
from pathlib import Path

import pytest

from devbridge.cloud import keys
from devbridge.redaction import redacted

URL = "http://127.0.0.1:4566"


@pytest.fixture
def cloud_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a cloud that answers on port 4566."""
    monkeypatch.setenv("DEVBRIDGE_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "port").write_text("4566")
    keys.make(tmp_path)
    return tmp_path


def test_the_root_key_is_made_once_random_and_private(cloud_dir: Path, tmp_path: Path) -> None:
    first = keys.root_key(cloud_dir)
    assert first
    path = keys.make(cloud_dir)
    assert keys.root_key(cloud_dir) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    keys.make(tmp_path / "other")
    other = keys.root_key(tmp_path / "other")
    assert other
    assert {other.access_key, other.secret_key}.isdisjoint({first.access_key, first.secret_key})
    assert len(first.secret_key) >= 40
    assert first.secret_key not in redacted(f"a line with {first.secret_key}")


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"access_key": "x"}'])
def test_a_file_that_cannot_be_read_is_made_anew(cloud_dir: Path, broken: str) -> None:
    keys.key_file(cloud_dir).write_text(broken)
    assert keys.root_key(cloud_dir) is None
    keys.make(cloud_dir)
    assert keys.root_key(cloud_dir)


def test_a_file_that_others_could_read_is_closed(cloud_dir: Path) -> None:
    keys.key_file(cloud_dir).chmod(0o644)
    keys.make(cloud_dir)
    assert stat.S_IMODE(keys.key_file(cloud_dir).stat().st_mode) == 0o600


def test_the_key_of_an_endpoint_is_its_folders(cloud_dir: Path, tmp_path: Path) -> None:
    own = keys.root_key(cloud_dir)
    assert keys.of_endpoint(URL, cloud_dir) == own
    assert keys.of_endpoint("http://api.localhost:4566", cloud_dir) == own
    assert keys.of_endpoint(URL, tmp_path / "another").access_key == "test"
    keys.remember(4566, cloud_dir)
    assert keys.of_endpoint(URL, tmp_path / "another") == own
    assert keys.of_endpoint(URL) == own


def test_an_emulator_that_is_not_ours_gets_no_key_of_ours(cloud_dir: Path) -> None:
    keys.remember(4566, cloud_dir)
    assert keys.of_endpoint("http://127.0.0.1:1", cloud_dir).secret_key == "test"
    (cloud_dir / "port").write_text("5000")  # it has moved, and somebody else has the port
    assert keys.of_endpoint(URL, cloud_dir).secret_key == "test"


def test_clouds_whose_folder_was_deleted_are_forgotten(cloud_dir: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    keys.remember(5000, gone)
    gone.rmdir()
    keys.remember(4566, cloud_dir)
    assert [path.name for path in (tmp_path / "cache" / "clouds").iterdir()] == ["4566"]


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    cloud_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DEVBRIDGE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    keys.remember(4566, cloud_dir)
    assert keys.of_endpoint(URL, cloud_dir) == keys.root_key(cloud_dir)
