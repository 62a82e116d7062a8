"""Shared file systems: here each is a folder of this cloud.

A process of this machine has no mounts of its own. So where a container would have the file system
at a path, each value of its environment and each word of its command that leads there leads to the
folder instead.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..host import ministack


def all_folders() -> Path:
    """Where the folders of all file systems are."""
    return Path(os.environ["STATE_DIR"]).parent / "file-systems"


def folder_of(file_system: str, root: str = "/", access_point: str = "") -> Path:
    """The folder that stands for a file system, or for what an access point shows of it."""
    base = all_folders() / file_system.rpartition("/")[2]
    if access_point:
        known = ministack("app")._get_module("efs")._access_points
        found = known.get(access_point.rpartition("/")[2]) or {}
        root = (found.get("RootDirectory") or {}).get("Path") or "/"
    # Not beside it, whatever the path says.
    folder = base.joinpath(*(part for part in root.split("/") if part not in ("", ".", "..")))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def mounted(
    volumes: Sequence[Mapping[str, Any]], mounts: Sequence[Mapping[str, Any]], own: Path
) -> dict[str, Path]:
    """By its path in the container: the folder of each of a container's mounts.

    Args:
        volumes: a task definition's.
        own: where the folders are made of volumes that are no shared file systems.
    """
    known = {each["name"]: each for each in volumes}
    made = {}
    for each in mounts:
        name = each.get("sourceVolume", "")
        efs = known.get(name, {}).get("efsVolumeConfiguration")
        if efs:
            point = (efs.get("authorizationConfig") or {}).get("accessPointId", "")
            folder = folder_of(efs["fileSystemId"], efs.get("rootDirectory") or "/", point)
        else:
            folder = own / name
            folder.mkdir(parents=True, exist_ok=True)
        made[str(each["containerPath"]).rstrip("/")] = folder
    return made


def led(text: str, mounts: Mapping[str, Path]) -> str:
    """A value that leads into a mount, as it leads into its folder; any other as it is."""
    for path, folder in mounts.items():
        if text == path or text.startswith(f"{path}/"):
            return f"{folder}{text.removeprefix(path)}"
    return text
