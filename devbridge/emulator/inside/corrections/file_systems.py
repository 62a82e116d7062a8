"""File systems of EFS as folders of this cloud, as long as they are there, and functions that mount
them.

Nobody but root could mount them at the path that a template names. So a function's variables that
lead there lead to the folder, as those of containers do (`machines.volumes`).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from ..host import ministack
from ..machines import volumes

Json = Mapping[str, Any]


def keep_in_folders() -> None:
    """Correct `services.efs`."""
    efs = ministack("services.efs")
    create, delete, reset = efs._create_file_system, efs._delete_file_system, efs.reset

    def created(body: Json) -> Any:
        answer = create(body)
        for name in efs._file_systems:
            volumes.folder_of(str(name))
        return answer

    def deleted(name: str) -> Any:
        answer = delete(name)
        if answer[0] < 300:
            shutil.rmtree(volumes.folder_of(name), ignore_errors=True)
        return answer

    def reset_with_folders() -> None:
        reset()
        shutil.rmtree(volumes.all_folders(), ignore_errors=True)

    efs._create_file_system, efs._delete_file_system = created, deleted
    efs.reset = reset_with_folders


def with_mounts(config: Json) -> Json:
    """A function's configuration, whose variables lead to the folders of what it mounts."""
    mounted = config.get("FileSystemConfigs")
    if not mounted:
        return config
    points = ministack("services.efs")._access_points
    folders = {}
    for each in mounted:
        point = points.get(str(each["Arn"]).rpartition("/")[2])
        if point:
            folder = volumes.folder_of(point["FileSystemId"], access_point=each["Arn"])
            folders[str(each["LocalMountPath"]).rstrip("/")] = folder
    given = (config.get("Environment") or {}).get("Variables") or {}
    led = {name: volumes.led(str(value), folders) for name, value in given.items()}
    return {**config, "Environment": {"Variables": led}}
