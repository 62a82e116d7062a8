from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.machines import volumes
from tests.unit.emulator.inside.conftest import MakeModule


@pytest.fixture
def files(ministack: MakeModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where file systems are; one has an access point."""
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    point = {"RootDirectory": {"Path": "/shared"}}
    efs = SimpleNamespace(_access_points={"fsap-1": point})
    ministack("app", _get_module=lambda name: {"efs": efs}[name])
    return tmp_path / "file-systems"


def test_a_file_system_is_one_folder_for_all_who_mount_it(files: Path, tmp_path: Path) -> None:
    def efs(**more: Any) -> dict[str, Any]:
        return {"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1", **more}}

    mount = [{"sourceVolume": "v", "containerPath": "/mnt/all/"}]
    own = tmp_path / "own"
    whole = volumes.mounted([efs()], mount, own)
    assert whole == {"/mnt/all": files / "fs-1"}
    shown = volumes.mounted([efs(authorizationConfig={"accessPointId": "fsap-1"})], mount, own)
    assert shown["/mnt/all"] == files / "fs-1" / "shared"
    assert volumes.mounted([efs(rootDirectory="/a")], mount, own)["/mnt/all"].name == "a"
    assert volumes.mounted([{"name": "v"}], mount, own) == {"/mnt/all": own / "v"}
    assert (own / "v").is_dir()


def test_only_what_leads_into_a_mount_leads_elsewhere(tmp_path: Path) -> None:
    mounts = {"/mnt/a": tmp_path}
    led = [volumes.led(text, mounts) for text in ("/mnt/a", "/mnt/a/b c", "/mnt/ab", "x/mnt/a")]
    assert led == [str(tmp_path), f"{tmp_path}/b c", "/mnt/ab", "x/mnt/a"]
