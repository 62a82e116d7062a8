from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside.corrections.file_systems import keep_in_folders, with_mounts
from tests.unit.emulator.inside.conftest import MakeModule


@pytest.fixture
def efs(ministack: MakeModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    point = {"FileSystemId": "fs-1", "RootDirectory": {"Path": "/own"}}
    there: dict[str, Any] = {}
    made = ministack(
        "services.efs",
        _file_systems=there,
        _access_points={"fsap-1": point},
        _create_file_system=lambda body: there.setdefault(body["id"], (201, {})),
        _delete_file_system=lambda name: (204 if there.pop(name, None) else 404, {}),
        reset=there.clear,
    )
    ministack("app", _get_module=lambda name: made if name == "efs" else SimpleNamespace())
    return made


def test_a_file_system_has_a_folder_while_it_is_there(efs: Any, tmp_path: Path) -> None:
    keep_in_folders()
    base = tmp_path / "file-systems"
    for name in ("fs-1", "fs-2", "fs-3"):
        efs._create_file_system({"id": name})
    efs._delete_file_system("fs-1")
    assert {folder.name for folder in base.iterdir()} == {"fs-2", "fs-3"}
    efs.reset()
    assert not base.exists()


def test_variables_that_lead_to_a_mount_lead_to_its_folder(efs: Any, tmp_path: Path) -> None:
    variables = {"A": "/mnt/files", "B": "/mnt/files/x", "C": "/mnt/filesystem", "D": "1"}
    config = {"FunctionName": "f", "Environment": {"Variables": variables}}
    assert with_mounts(config) is config
    mounts = [{"Arn": "arn:aws:x:access-point/fsap-1", "LocalMountPath": "/mnt/files"}]
    found = with_mounts({**config, "FileSystemConfigs": mounts})
    own = tmp_path / "file-systems" / "fs-1" / "own"
    assert found["Environment"]["Variables"] == {
        "A": str(own),
        "B": f"{own}/x",
        "C": "/mnt/filesystem",
        "D": "1",
    }
    assert own.is_dir()
    gone = [{"Arn": "arn:aws:x:access-point/fsap-2", "LocalMountPath": "/mnt/files"}]
    left = with_mounts({**config, "FileSystemConfigs": gone})
    assert left["Environment"]["Variables"] == variables
