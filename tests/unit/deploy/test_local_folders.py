from __future__ import annotations

from pathlib import Path

from devbridge.constructs import App, Bucket, FileSystem
from devbridge.constructs.app import loading
from devbridge.deploy.local_folders import folder_of, folders


def test_on_this_machine_a_file_system_is_a_private_folder_of_its_stage(root: Path) -> None:
    with loading(root):
        files = FileSystem(App("demo"), "files")
    folder = folder_of(files, "ann")
    assert folder == root / ".devbridge" / "file-systems" / "ann" / "files"
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "kept").touch()
    assert [path.name for path in folder_of(files, "ann").iterdir()] == ["kept"]
    assert folder_of(files, "bob") != folder


def test_whoever_binds_it_finds_that_folder(root: Path) -> None:
    with loading(root):
        app = App("demo")
        files = FileSystem(app, "my-files")
    assert folders([files, Bucket(app, "b")], "ann") == {
        "DEVBRIDGE_FileSystem_path_my_files": str(folder_of(files, "ann"))
    }
