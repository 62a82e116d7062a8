"""The distributions that are installed, and which of them brings a module."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from devbridge.languages.python.probe.places import Module, installed, is_shared

KEPT: Final = ("METADATA", "PKG-INFO", "entry_points.txt", "top_level.txt")
"""What is packed of a distribution's metadata: the rest names this machine, or what is left out."""
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"extra\s*==\s*[\"']([^\"']+)[\"']")
_MAPPING = re.compile(r"^MAPPING\b[^=]*=\s*(\{.*\})\s*$", re.MULTILINE)


def canonical(name: str) -> str:
    """A distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Distribution:
    """An installed distribution."""

    def __init__(self, found: metadata.Distribution, path: Path) -> None:
        self._found = found
        self.path = path
        """The folder (or file) of its metadata."""
        self.name = canonical(found.metadata["Name"])
        self.version = found.version or ""

    @functools.cached_property
    def project(self) -> str:
        """The folder that an editable one is imported from; empty for another."""
        text = self._found.read_text("direct_url.json")
        if text:
            told = json.loads(text)
            if told.get("dir_info", {}).get("editable"):
                return os.path.realpath(unquote(urlsplit(told["url"]).path))
        if self.path.suffix == ".egg-info" and not _is_site(self.path.parent):
            return os.path.realpath(_develop_root(self.path.parent))
        return ""

    @functools.cached_property
    def listed(self) -> list[str] | None:
        """Its files, relative to where it is installed; None if it does not say which."""
        if self.project:
            return None
        if self.path.suffix == ".egg-info" and self._found.read_text("installed-files.txt") is None:
            return None
        files = self._found.files
        return None if files is None else [file.as_posix() for file in files]

    @property
    def files(self) -> list[list[str]]:
        """(name in a zip, file) of what is packed: published as it is, hidden files too."""
        base = self.path.parent
        found = [
            [name, str(base / name)]
            for name in self.listed or ()
            if _wanted(PurePosixPath(name)) and (base / name).is_file()
        ]
        return found or self.metadata_files

    @property
    def metadata_files(self) -> list[list[str]]:
        """(name in a zip, file) of what `importlib.metadata` reads of it."""
        if self.path.is_file():
            return [[self.path.name, str(self.path)]]
        folder = self.path.name
        if folder == "EGG-INFO":
            folder = f"{self.name.replace('-', '_')}-{self.version}.egg-info"
        elif "-" not in folder:  # that of a project which is developed: `name.egg-info`
            folder = f"{folder.removesuffix('.egg-info')}-{self.version}.egg-info"
        kept = (self.path / name for name in KEPT)
        return [[f"{folder}/{path.name}", str(path)] for path in kept if path.is_file()]

    @property
    def plugins(self) -> list[str]:
        """The modules of its entry points that no command of its own calls."""
        found = []
        for each in self._found.entry_points:
            if each.group not in ("console_scripts", "gui_scripts"):
                found.append(each.module)
        return found

    @property
    def requirements(self) -> Iterator[tuple[str, frozenset[str], str, str]]:
        """(canonical name, extras, marker, name) of what it requires."""
        for requirement in self._found.requires or ():
            spec, _, marker = requirement.partition(";")
            if match := _NAME.match(spec):
                extras = frozenset(e.strip() for e in (match[2] or "").split(",") if e.strip())
                yield canonical(match[1]), extras, marker.strip(), match[1]

    @functools.cached_property
    def tops(self) -> list[str]:
        """What an editable one lets one import, as far as it says so."""
        names = (self._found.read_text("top_level.txt") or "").split()
        for file in self._found.files or ():
            path = self.path.parent / file.as_posix()
            if path.suffix == ".pth" and path.is_file():
                for line in path.read_text(encoding="utf-8").splitlines():
                    names += _in_folder(line.strip(), self.name)
        names += [name.partition(".")[0] for name in self.mapped]
        return list(dict.fromkeys(names))

    @functools.cached_property
    def mapped(self) -> dict[str, str]:
        """The modules that a finder of its own finds, and where (setuptools)."""
        found: dict[str, str] = {}
        for file in self._found.files or ():
            path = self.path.parent / file.as_posix()
            if path.suffix == ".py" and path.name.startswith("__editable__") and path.is_file():
                found |= _mapping(path.read_text(encoding="utf-8"))
        return found


def _wanted(file: PurePosixPath) -> bool:
    if file.is_absolute() or {"..", "__pycache__"} & set(file.parts):
        return False
    if file.suffix in (".pyc", ".pth"):
        return False
    return not file.parts[0].endswith((".dist-info", ".egg-info")) or file.name in KEPT


def _is_site(folder: Path) -> bool:
    return folder.name in ("site-packages", "dist-packages") or folder.suffix == ".egg"


def _develop_root(folder: Path) -> Path:
    """The project of a folder with an ``.egg-info``: that folder, or the one above ``src``."""
    for each in (folder, folder.parent):
        if any((each / name).is_file() for name in ("setup.py", "pyproject.toml", "setup.cfg")):
            return each
    return folder


def _mapping(finder: str) -> dict[str, str]:
    found = _MAPPING.search(finder)
    try:
        return dict(ast.literal_eval(found[1])) if found else {}
    except (SyntaxError, TypeError, ValueError):
        return {}


def _in_folder(line: str, name: str) -> list[str]:
    """What a folder that a ``.pth`` names has of a distribution. Of a project's own folder only
    what is called like it: beside that are tests, and tools."""
    if not os.path.isdir(line):
        return []
    own = name.replace("-", "_")
    bare = not os.path.exists(os.path.join(line, "pyproject.toml"))
    found = []
    for each in sorted(os.listdir(line)):
        top, dot, suffix = each.partition(".")
        is_module = suffix == "py" or (
            not dot and os.path.isfile(os.path.join(line, each, "__init__.py"))
        )
        if is_module and (bare or top == own) and top.isidentifier():
            found.append(top)
    return found


@functools.cache
def _everything() -> dict[str, tuple[Path, metadata.Distribution]]:
    """All that is installed, by canonical name; where two have the same, the first."""
    found: dict[str, tuple[Path, metadata.Distribution]] = {}
    for each in metadata.distributions():
        path = getattr(each, "_path", None)
        if isinstance(path, Path):
            named = path.parent if path.name == "EGG-INFO" else path
            name = named.name.removesuffix(".dist-info").removesuffix(".egg-info")
            found.setdefault(canonical(name.partition("-")[0]), (path, each))
    return found


@functools.cache
def by_name(name: str) -> Distribution | None:
    """The installed distribution of a canonical name."""
    if name not in _everything():
        return None
    path, found = _everything()[name]
    return Distribution(found, path)


def _all() -> Iterator[tuple[Path, str]]:
    for name, (path, _) in _everything().items():
        yield path, name


def _made(name: str) -> Distribution:
    made = by_name(name)
    assert made is not None  # noqa: S101 - it is one of them
    return made


def depends() -> set[str]:
    """The files and folders that these answers come from."""
    found = {os.path.abspath(entry) for entry in sys.path}
    found |= {os.path.join(sys.prefix, "pyvenv.cfg")}
    for entry in list(found):
        if os.path.isdir(entry):
            found |= {
                os.path.join(entry, name)
                for name in os.listdir(entry)
                if name.endswith((".pth", ".egg-link")) or name.startswith("__editable__")
            }
    return found


@functools.cache
def editables() -> tuple[Distribution, ...]:
    """The distributions that are installed as links to their projects (``pip install -e``)."""
    found = []
    for path, name in _all():
        develop = path.suffix == ".egg-info" and not _is_site(path.parent)
        if (path / "direct_url.json").is_file() or develop:
            made = _made(name)
            if made.project:
                found.append(made)
    return tuple(found)


def owners(tops: Iterable[str]) -> dict[str, list[Distribution]]:
    """Who lists files of these modules: one look at each list."""
    found: dict[str, list[Distribution]] = {top: [] for top in tops}
    if not found:
        return found
    names = "|".join(map(re.escape, found))
    # The first name of a line: a folder, or a module's file.
    line = re.compile(rf'^"?({names})(?:/|\.(?:py|[^/,\n]*(?:so|pyd)),)'.encode(), re.MULTILINE)
    for path, name in _all():
        try:
            text = (path / "RECORD").read_bytes()
        except OSError:
            continue
        for top in sorted({match[1].decode() for match in line.finditer(text)}):
            if not (made := _made(name)).project:
                found[top].append(made)
    return found


def editable_of(module: Module) -> Distribution | None:
    """The editable distribution whose project a module is in: the innermost."""
    real = [os.path.realpath(p) for p in filter(None, (module.file, *module.folders))]
    inside = [
        each for each in editables() if any(path.startswith(each.project + os.sep) for path in real)
    ]
    return max(inside, key=lambda each: len(each.project), default=None)


def required(
    first: Sequence[Distribution], excluded: frozenset[str], app: str
) -> tuple[list[Distribution], list[list[str]]]:
    """These and all that they require, and what is required and not installed.

    A requirement with an environment marker is taken if it is installed: then it was meant for
    this environment. What an editable project that has the app in it requires is not followed: of
    that the app's imports tell.
    """
    seen: set[tuple[str, frozenset[str]]] = set()
    queue: list[tuple[Distribution, frozenset[str]]] = [(each, frozenset()) for each in first]
    found: dict[str, Distribution] = {}
    unmet: list[list[str]] = []
    while queue:
        each, extras = queue.pop()
        if (each.name, extras) in seen or each.name in excluded:
            continue
        seen.add((each.name, extras))
        found[each.name] = each
        if each.project and (app + os.sep).startswith(each.project + os.sep):
            continue
        for name, more, marker, said in each.requirements:
            if name in excluded:
                continue
            if (wanted := _EXTRA.search(marker)) and wanted[1] not in extras:
                continue
            other = by_name(name)
            if other is not None:
                queue.append((other, more))
            elif not marker:
                unmet.append([each.name, said])
    return list(found.values()), unmet


def described(
    top: str, owned: Sequence[Distribution], excluded: frozenset[str], app: str
) -> dict[str, Any]:
    """What to pack for a top-level name: distributions, and trees of files that none of them lists:
    (name in a zip, folder or file, project that links may not leave, distribution)."""
    module = installed(top)
    owned = [*owned, *(each for each in editables() if top in each.tops)]
    trees = _unlisted(top, module, owned) if module is not None and not module.odd else []
    together, unmet = required(owned, excluded, app)
    for each in together:
        for name, place in each.mapped.items():
            path = name.replace(".", "/")
            if os.path.isdir(place):
                trees.append([path, place, each.project, ""])
            elif os.path.isfile(f"{place}.py"):
                trees.append([f"{path}.py", f"{place}.py", each.project, ""])
        if each not in owned and each.listed is None:
            for name in each.tops:
                if (other := installed(name)) is not None and not other.odd:
                    trees += _unlisted(name, other, [])
    return {
        "dists": [each.name for each in together],
        "unmet": unmet,
        "trees": [list(t) for t in dict.fromkeys(map(tuple, trees))],
        "missing": module is None and not owned,
        "odd": module is not None and module.odd,
        "shared": module is not None and is_shared(module),
    }


def _unlisted(top: str, module: Module, owned: list[Distribution]) -> list[list[str]]:
    """The trees of a module that `owned` do not list; whose they are is added to `owned`."""
    trees: list[list[str]] = []
    first = [] if module.is_namespace else [module.file]
    folders = module.folders if module.is_namespace else module.folders[1:]
    for place in (*first, *folders):
        if any(lists(each, place) for each in owned):
            continue
        owner = _owner_of(module, top, place)
        if owner is not None and owner not in owned:
            owned.append(owner)
        name = top if os.path.isdir(place) or module.folders else os.path.basename(place)
        tree = os.path.dirname(place) if place == module.file and module.folders else place
        whose = [owner.project, "" if owner.project else owner.name] if owner else ["", ""]
        trees.append([name, tree, *whose])
    return trees


def lists(each: Distribution, place: str) -> bool:
    """Whether a file, or one below a folder, is in its list."""
    base = str(each.path.parent)
    for root in (base, os.path.realpath(base)):
        if place.startswith(root + os.sep):
            name = place[len(root) + 1 :].replace(os.sep, "/")
            return any(n == name or n.startswith(f"{name}/") for n in each.listed or ())
    return False


def _owner_of(module: Module, top: str, place: str) -> Distribution | None:
    """Whose a file or folder is that no list of files names."""
    if editable := editable_of(Module(top, place, (), app=False)):
        return editable
    guess = by_name(canonical(top))
    if guess is not None and guess.listed is None and not guess.project:
        return guess
    folder = os.path.dirname(os.path.dirname(place) if module.folders else place)
    for path, name in _all():
        if str(path.parent) == folder and not (path / "RECORD").is_file():
            made = _made(name)
            if not made.project and top in made.tops:
                return made
    return None
