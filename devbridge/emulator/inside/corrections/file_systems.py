"""File systems of EFS as folders below the cloud's own.

Nobody can mount them at the path that a template names, without being root of the machine. So a
function or a container is told in `MOUNTS` which folder stands for which path.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from ..host import ministack

MOUNTS: Final = "DEVBRIDGE_MOUNTS"
"""The variable with the folders by the paths at which they are mounted on AWS, as JSON."""

Json = Mapping[str, Any]


def keep_in_folders() -> None:
    """Correct `services.efs`. Once is enough."""
    efs = ministack("services.efs")
    if efs.reset.__module__ == __name__:
        return
    create, delete, reset = efs._create_file_system, efs._delete_file_system, efs.reset

    def created(body: Json) -> Any:
        answer = create(body)
        for name in efs._file_systems:
            folder(str(name)).mkdir(parents=True, exist_ok=True)
        return answer

    def deleted(name: str) -> Any:
        answer = delete(name)
        if answer[0] < 300:
            shutil.rmtree(folder(name), ignore_errors=True)
        return answer

    def reset_with_folders() -> None:
        reset()
        shutil.rmtree(_all(), ignore_errors=True)

    efs._create_file_system, efs._delete_file_system = created, deleted
    efs.reset = reset_with_folders


def _all() -> Path:
    return Path(ministack("core.persistence").STATE_DIR).parent / "file-systems"


def folder(name: str) -> Path:
    """The one that is a file system."""
    return _all() / Path(name).name


def root_of(name: str, access_point: str = "", directory: str = "/") -> Path | None:
    """The folder that a mount shows, made if need be; None: there is no such file system.

    Args:
        name: the file system's id; empty: the access point's.
        access_point: its id or ARN, if any.
        directory: what is mounted without an access point.
    """
    efs = ministack("services.efs")
    if access_point:
        found = efs._access_points.get(access_point.rpartition("/")[2])
        if found is None:
            return None
        name = found["FileSystemId"]
        directory = (found.get("RootDirectory") or {}).get("Path") or "/"
    if name not in efs._file_systems:
        return None
    root = within(folder(name), directory)
    root.mkdir(parents=True, exist_ok=True)
    return root


def within(base: Path, directory: str) -> Path:
    """The directory of a file system, nowhere else. Pure."""
    parts = [part for part in directory.split("/") if part not in ("", ".", "..")]
    return base.joinpath(*parts)


def mounts(asked: Iterable[tuple[str, Path | None]]) -> dict[str, str]:
    """The variable for what is mounted: paths on AWS, and their folders. Nothing: no variable."""
    found = {path: str(root) for path, root in asked if root}
    return {MOUNTS: json.dumps(found)} if found else {}


def of_function(config: Json) -> dict[str, str]:
    """The variable for a function."""
    asked = config.get("FileSystemConfigs") or ()
    return mounts((each["LocalMountPath"], root_of("", access_point=each["Arn"])) for each in asked)


def of_volumes(volumes: Iterable[Json], points: Iterable[Json]) -> dict[str, str]:
    """The variable for a container: of its task's ``volumes`` and its own ``mountPoints``."""
    roots = {each["name"]: _of_volume(each.get("efsVolumeConfiguration")) for each in volumes}
    return mounts((each["containerPath"], roots.get(each["sourceVolume"])) for each in points)


def _of_volume(config: Json | None) -> Path | None:
    if not config:
        return None
    point = str((config.get("authorizationConfig") or {}).get("accessPointId") or "")
    return root_of(config["fileSystemId"], point, config.get("rootDirectory") or "/")
