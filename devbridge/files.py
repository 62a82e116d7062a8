"""Which files of a folder may leave this machine: in zips, and in what images are built from.

Left out are hidden files, keys, caches, environments, links that lead out of the folder or to what
is left out, and what git ignores. What an installed distribution lists does not pass here: it is
published as it is, its hidden folders of libraries (``.libs``, ``.dylibs``) included.
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

CACHES: Final = frozenset(
    {".git", ".hg", ".svn", ".devbridge", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache"}
    | {".ruff_cache", ".hypothesis", ".tox", ".nox", ".ipynb_checkpoints", ".DS_Store"}
)
"""Never taken, and not worth a word."""
NODE: Final = "node_modules"
_KEYS: Final = (
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.ppk", "*.kdbx", "*.pkcs8"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "ssh_host_*_key", "*.env", "_netrc"),
    *("credentials", "credentials.json", "*service[-_]account*.json", "client_secret*.json"),
    *("kubeconfig", "*.kubeconfig", "*.tfstate", "*.tfstate.backup"),
)
_PUBLIC: Final = (b"-----BEGIN CERTIFICATE-----", b"-----BEGIN PUBLIC KEY-----")
_SNIFFED: Final = 1 << 20
"""Bytes of a ``.pem`` that are looked at."""
_SHOWN: Final = 4
"""Names in a message."""


@dataclass(frozen=True, slots=True)
class Left:
    """What was left out."""

    name: str
    """Relative to the folder, with ``/``; a folder ends with one."""
    why: str
    named: bool = True
    """It is taken when it is named."""

    def is_in(self, names: Mapping[str, object]) -> bool:
        """Whether it, or something in it, is among these."""
        if self.name.endswith("/"):
            return any(name.startswith(self.name) for name in names)
        return self.name in names


@dataclass(slots=True)
class Taken:
    """What was taken from a folder, by names relative to it, and what was not."""

    files: dict[str, Path] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    problem: str = ""
    """Why git could not be asked."""


def take(
    folder: Path, start: str = "", *, within: Path | None = None, kept: Iterable[str | Path] = ()
) -> Taken:
    """All files below a folder that may leave this machine.

    Args:
        start: a folder in it, the only one that is looked at.
        within: what links must not lead out of; default: the folder.
        kept: files that are taken though git ignores them.
    """
    taken = walk(folder, start, within=within)
    return without_ignored(folder, taken, kept={os.path.realpath(each) for each in kept})


def walk(folder: Path, start: str = "", *, within: Path | None = None) -> Taken:
    """The same without a question to git."""
    taken = Taken()
    limit = os.path.realpath(within or folder)
    _walk(folder / start, f"{start.rstrip('/')}/" if start else "", limit, (), taken)
    taken.files = dict(sorted(taken.files.items()))
    return taken


def _walk(folder: Path, prefix: str, limit: str, above: tuple[str, ...], taken: Taken) -> None:
    real = os.path.realpath(folder)
    if real in above:  # a link to a folder that it is in
        return
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        name = f"{prefix}{entry.name}"
        is_folder = entry.is_dir()
        if _is_cache(entry, is_folder):
            continue
        shown = f"{name}/" if is_folder else name
        if (readable := name.encode(errors="backslashreplace").decode()) != name:
            taken.left.append(Left(readable, "its name is not UTF-8", named=False))
        elif leaves(entry, limit):
            taken.left.append(Left(shown, "a link that leads out", named=False))
        elif entry.name == NODE and is_folder:
            taken.left.append(Left(shown, "never packed", named=False))
        elif why := private(Path(entry.path)) or _behind(entry, limit):
            taken.left.append(Left(shown, why))
        elif is_folder:
            _walk(Path(entry.path), f"{name}/", limit, (*above, real), taken)
        else:
            taken.files[name] = Path(entry.path)


def _is_cache(entry: os.DirEntry[str], is_folder: bool) -> bool:
    if entry.name in CACHES:
        return True
    if is_folder:
        return os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
    return entry.name.endswith((".pyc", ".pyo"))


def leaves(entry: os.DirEntry[str] | Path, limit: str) -> bool:
    """Whether it is a link out of a folder, which is a real path."""
    if not entry.is_symlink():
        return False
    return not f"{os.path.realpath(entry)}{os.sep}".startswith(f"{limit.rstrip(os.sep)}{os.sep}")


def _behind(entry: os.DirEntry[str], limit: str) -> str:
    """Why what a link leads to is left out where it is itself; empty if it is not."""
    if not entry.is_symlink():
        return ""
    place = Path(limit)
    for part in Path(os.path.realpath(entry)).relative_to(limit).parts:
        place /= part
        if part in CACHES or part == NODE:
            return f"a link to what is in {part}"
        if why := private(place):
            return f"a link to what is {why}"
    return ""


def private(path: Path) -> str:
    """Why a file or folder is not for others, told by its name; empty if it may be."""
    name = path.name.lower()
    if name.startswith("."):
        return "hidden"
    if not any(fnmatchcase(name, pattern) for pattern in _KEYS) or name.endswith(".pub"):
        return ""
    if path.is_dir() or (name.endswith(".pem") and _is_public(path)):
        return ""
    return "a key"


def _is_public(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            text = file.read(_SNIFFED)
    except OSError:
        return False
    return any(mark in text for mark in _PUBLIC) and b"PRIVATE KEY" not in text


# --- git ----------------------------------------------------------------------------------------


def without_ignored(folder: Path, taken: Taken, kept: Iterable[str] = ()) -> Taken:
    """The same without what git ignores.

    Args:
        kept: the real paths of files that stay.
    """
    asked = {name: path for name, path in taken.files.items() if os.path.realpath(path) not in kept}
    ignored, problem = ignored_by_git(folder, asked)
    return Taken(
        {name: path for name, path in taken.files.items() if name not in ignored},
        [*taken.left, *(Left(name, "git-ignored") for name in sorted(ignored))],
        problem,
    )


def ignored_by_git(folder: Path, files: Mapping[str, Path]) -> tuple[set[str], str]:
    """The names of the files that git ignores, and why it could not be asked.

    A folder that is ignored itself is as good as one without git: whoever works there has said so.
    """
    groups: dict[Path, dict[str, list[str]]] = {}
    for name, path in files.items():
        # A link, and what it leads to: what is packed is the latter.
        for real in {Path(os.path.realpath(path.parent)) / path.name, Path(os.path.realpath(path))}:
            if (repository := _repository(real.parent)) is not None:
                groups.setdefault(repository, {}).setdefault(str(real), []).append(name)
    ignored: set[str] = set()
    problem = ""
    top = Path(os.path.realpath(folder))
    for repository, paths in groups.items():
        asked = list(paths)
        inner = repository != top and top in repository.parents
        if not inner and repository != top:
            asked.append(str(top))
        found, trouble = _check_ignore(repository, asked)
        problem = problem or trouble
        if str(top) in found:
            continue
        ignored |= {name for path in found for name in paths[path]}
        if inner and ignored_by_git(folder, {"": repository})[0]:
            ignored |= {name for names in paths.values() for name in names}
    return ignored, problem


def is_ignored(folder: Path, name: str) -> bool:
    """Whether git ignores a file or folder below `folder`."""
    return bool(ignored_by_git(folder, {name: folder / name})[0])


def _repository(folder: Path) -> Path | None:
    for each in (folder, *folder.parents):
        if (each / ".git").exists():
            return each
    return None


def _check_ignore(repository: Path, paths: Sequence[str]) -> tuple[set[str], str]:
    names = {os.path.relpath(path, repository): path for path in paths}
    environment = {key: text for key, text in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "check-ignore", "-z", "--stdin"],
            cwd=repository,
            input="\0".join(names).encode(errors="surrogateescape") + b"\0",
            capture_output=True,
            env=environment,
            check=False,
        )
    except OSError as error:
        return set(), f"git does not start ({error.strerror})"
    if done.returncode not in (0, 1):
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        return set(), f"git check-ignore: {lines[-1] if lines else 'failed'}"
    found = done.stdout.decode(errors="surrogateescape").split("\0")
    return {names[name] for name in found if name in names}, ""


# --- words --------------------------------------------------------------------------------------


def said(left: Sequence[Left], adds: str = "copy_files") -> Iterator[str]:
    """What was left out, a line for each reason, with what adds it.

    Args:
        adds: the option that takes names; empty if there is none.
    """
    reasons: dict[tuple[str, bool], list[str]] = {}
    for each in left:
        reasons.setdefault((each.why, each.named), []).append(each.name)
    for (why, named), names in reasons.items():
        first = names[:_SHOWN]
        more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        line = f"left out {', '.join(first)}{more} ({why})"
        if named and adds:
            listed = ", ".join(f'"{name.rstrip("/")}"' for name in first)
            line += f"; to pack {'it' if len(names) == 1 else 'them'}: {adds}=[{listed}]"
        yield line


# --- patterns -----------------------------------------------------------------------------------


def matches(name: str, pattern: str) -> bool:
    """Whether a glob means a file, or a folder that it is in: ``**`` is any number of folders.

    By hand: `glob.translate` is of Python 3.13, and fnmatch's ``*`` crosses folders.
    """
    return _matches(tuple(name.split("/")), tuple(pattern.split("/")))


@functools.lru_cache(maxsize=4096)
def _matches(name: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_matches(name[index:], pattern[1:]) for index in range(len(name) + 1))
    return bool(name) and fnmatchcase(name[0], pattern[0]) and _matches(name[1:], pattern[1:])
