"""The folders that devbridge writes to: whose they may be, and what to do when one cannot be used.

Any `OSError` that ends a command is explained here, in one place: what the system says, the path,
and the setting that chooses another one.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import Final

from devbridge.errors import FolderError
from devbridge.printable import OutputError

STATE_DIR: Final = ".devbridge"
FUNCTIONS: Final = "functions"
"""Below the folder of logs: the logs of functions."""
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SHORT: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
"""The system has no descriptor, process or memory to give now."""


def home() -> Path | None:
    """This user's home folder; None: there is none, in a bare container."""
    found = os.path.expanduser("~")  # noqa: PTH111 - that one raises
    return None if found == "~" else Path(found)


def cache_dir() -> Path:
    """DEVBRIDGE_CACHE_DIR, or ``devbridge`` in the platform's directory for caches.

    By hand: of platformdirs these two lines would be used.

    Raises:
        FolderError: there is no home folder to find it in.
    """
    if own := os.environ.get("DEVBRIDGE_CACHE_DIR"):
        return Path(os.path.expanduser(own)).absolute()  # noqa: PTH111 - that one raises
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "devbridge"
    if (own_home := home()) is None:
        raise FolderError(
            "this user has no home folder for a cache",
            where="HOME",
            remedy="set DEVBRIDGE_CACHE_DIR",
        )
    caches = own_home / "Library" / "Caches" if sys.platform == "darwin" else own_home / ".cache"
    return caches / "devbridge"


def rotated_log(path: Path) -> Path:
    """Where the part of a run's log is that came before the file at `path`, if it was rotated."""
    return path.with_name(f"{path.name}.1")


def from_here(path: Path) -> str:
    """The path as the shell's user names it, and a terminal makes it a link: relative to the
    current folder if it is below that, else absolute."""
    here = Path.cwd()
    below = path.is_relative_to(here) and here != Path(here.anchor)
    return str(path.relative_to(here) if below else path)


def has_file(folder: Path, path: str) -> bool:
    """Whether there is a file at a path that anybody may have made up."""
    return os.path.isfile(folder / path)  # noqa: PTH113 - that one raises if it is too long


def private_dir(path: Path) -> Path:
    """Create the directory if it is missing, and close it to everybody else. Returns it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)
    return path


def private_file(path: Path) -> int:
    """A file descriptor to write the file anew, closed to everybody else."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.fchmod(file, 0o600)
    return file


def write_private(path: Path, text: str) -> None:
    """Write a private file so that a reader sees all of it or nothing."""
    new = path.with_name(f"{path.name}.new")
    with os.fdopen(private_file(new), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def refuse_foreign(folder: Path) -> None:
    """Return if the folder is this user's own, or is not there.

    A link, or a folder of somebody else, could be a trap: what is written would go, and what is
    read would come from, where its owner wants.

    Raises:
        FolderError: it is a link, no folder, or belongs to another user.
    """
    try:
        found = folder.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise explained(error) or error from error
    if stat.S_ISLNK(found.st_mode):
        what = f"is a symbolic link, to {folder.readlink()}"
    elif not stat.S_ISDIR(found.st_mode):
        what = "is not a folder"
    elif found.st_uid != os.geteuid():
        what = f"belongs to another user (uid {found.st_uid}), you are uid {os.geteuid()}"
    else:
        return
    raise FolderError(
        f"devbridge's own folder {what}",
        where=str(folder),
        remedy="move it away or delete it; devbridge makes a folder of yours there",
    )


def explained(error: OSError) -> FolderError | None:
    """The error in words: what, where, and how to choose another place; None: it is of no file."""
    reason = error.strerror or str(error)
    if error.filename is None:
        return _nameless(error, reason)
    path = None if isinstance(error.filename, int) else Path(os.fsdecode(error.filename))
    return FolderError(
        f"{path or 'a file'} cannot be used: {reason}",
        where=str(path) if path else None,
        remedy=_remedy(error, path),
    )


def in_words(error: Exception) -> str:
    """Any error for the terminal: one of the system's is explained where it can be."""
    return str((explained(error) if isinstance(error, OSError) else None) or error)


def _nameless(error: OSError, reason: str) -> FolderError | None:
    if reason.startswith("No usable temporary directory"):
        return FolderError(
            "there is no folder for temporary files",
            where=os.environ.get("TMPDIR", "TMPDIR is not set"),
            remedy="name a folder that can be written: TMPDIR",
        )
    if error.errno in SHORT:
        return FolderError(reason, remedy=_remedy(error, None))
    if isinstance(error, OutputError):
        return FolderError(f"the output cannot be written: {reason}")
    if error.errno in (*_FULL, errno.EIO):
        return FolderError(
            f"a file cannot be written: {reason}",
            remedy=f"make room on the disks of {STATE_DIR}, of TMPDIR and of the cache folder",
        )
    return None


def _remedy(error: OSError, path: Path | None) -> str:
    if error.errno in _FULL:
        return "make room on that disk, then try again"
    if error.errno in SHORT:
        return "end other programs, or raise the limit of the shell (ulimit -n, ulimit -u)"
    if path is not None:
        if STATE_DIR in path.parts:
            gone = error.errno == errno.ENOENT
            how = "it was deleted meanwhile" if gone else "let this user make and write that folder"
            return f"devbridge keeps its state there: {how}{', so try again' * gone}"
        if _below(path, cache_dir()):
            return "name a folder that can be written: DEVBRIDGE_CACHE_DIR"
        if _below(path, Path(os.environ.get("TMPDIR") or "/tmp")):  # noqa: S108 - the default
            return "name a folder that can be written: TMPDIR"
    return "let this user make, read and write it, then try again"


def _below(path: Path, folder: Path) -> bool:
    """Whether it is in that folder, or is one that the folder needs."""
    return path.is_relative_to(folder) or folder.is_relative_to(path)
