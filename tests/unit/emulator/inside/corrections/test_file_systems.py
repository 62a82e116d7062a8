from __future__ import annotations

import json
from pathlib import Path

import pytest

from devbridge.emulator.inside.corrections.file_systems import MOUNTS, mounts, of_volumes, within
from tests.unit.emulator.inside.conftest import MakeModule


@pytest.mark.parametrize(
    ("directory", "found"),
    [("/", "fs"), ("", "fs"), ("/a/b/", "fs/a/b"), ("/../../etc", "fs/etc"), ("./a", "fs/a")],
)
def test_a_directory_is_within_its_file_system(directory: str, found: str) -> None:
    assert within(Path("fs"), directory) == Path(found)


def test_who_mounts_nothing_is_told_nothing() -> None:
    assert mounts([]) == {}
    assert mounts([("/mnt/x", None)]) == {}


def test_a_container_is_told_the_folders_of_its_volumes(
    ministack: MakeModule, tmp_path: Path
) -> None:
    ministack("core.persistence", STATE_DIR=str(tmp_path / "state"))
    point = {"FileSystemId": "fs-1", "RootDirectory": {"Path": "/own"}}
    ministack("services.efs", _file_systems={"fs-1": {}}, _access_points={"fsap-1": point})
    volumes = [
        {"name": "all", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/x"}},
        {
            "name": "own",
            "efsVolumeConfiguration": {
                "fileSystemId": "fs-1",
                "authorizationConfig": {"accessPointId": "fsap-1"},
            },
        },
        {"name": "gone", "efsVolumeConfiguration": {"fileSystemId": "fs-2"}},
        {"name": "host", "host": {}},
    ]
    points = [
        {"sourceVolume": each["name"], "containerPath": f"/{each['name']}"} for each in volumes
    ]
    told = json.loads(of_volumes(volumes, points)[MOUNTS])
    base = tmp_path / "file-systems" / "fs-1"
    assert told == {"/all": str(base / "x"), "/own": str(base / "own")}
    assert (base / "own").is_dir()
