"""What the handlers of an app reach, as the app's interpreter tells it."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from devbridge import files
from devbridge.constructs import Function, Job
from devbridge.errors import BuildError
from devbridge.languages.python import environment
from devbridge.languages.python.environment import OWN_ROOT, RUNTIME_IMPORTS, Distribution
from devbridge.languages.python.pip import Target
from devbridge.languages.python.probe.imports import GUARDED, SURE
from devbridge.languages.python.probe.reach import Reach

LAZY: Final = "devbridge/__init__.py"
"""It imports the constructs when asked for them: never in a function."""
OWN_PACKAGES: Final = frozenset({"devbridge", "stub_lambda", "runner"})

Json = dict[str, Any]
Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A handler, and where it is going to run."""

    key: str
    file: str
    handler: str
    paths: tuple[str, ...]
    """Folders of the app that PYTHONPATH names."""
    target: Target | None

    @staticmethod
    def of(code: Function | Job, target: Target | None) -> Asked:
        """That of a function or a job with a handler."""
        assert code.handler  # noqa: S101 - a container job has an image instead
        handler = code.handler
        file = f"{handler.module}.py"
        return Asked(str(code), file, handler.function, code.folders, target)

    def question(self, version: str) -> Json:
        """As `probe.questions.answer` takes it. `version` is this machine's Python (``3.11``)."""
        there = self.target.python if self.target else version
        aws = self.target is not None and self.target.architecture is not None
        return {
            "key": self.key,
            "file": self.file,
            "handler": self.handler,
            "paths": list(self.paths),
            "platform": "linux" if aws else sys.platform,
            "machine": self.target.machine if aws and self.target else platform.machine(),
            "version": [int(part) for part in there.split(".")],
        }


class Reached:
    """The answer for one handler.

    Raises (where it says so):
        BuildError: what is surely imported is not there, or does not parse.
    """

    def __init__(self, asked: Asked, answer: Json, warn: Warn) -> None:
        self._asked = asked
        self._all = answer
        self._told: Json = answer["codes"][asked.key]
        self._warn = warn

    @property
    def files(self) -> dict[str, Path]:
        """The app's files, by their names in the zip."""
        return {name: Path(path) for name, path in self._told["files"].items()}

    @property
    def loose(self) -> list[Path]:
        """Imported files that are neither the app's nor of an installed distribution."""
        return [Path(path) for path in self._told["loose"]]

    @property
    def metadata(self) -> dict[str, Path]:
        """That of the projects that the app's own modules are installed by."""
        return {name: Path(path) for name, path in self._told["metadata"]}

    @property
    def own(self) -> list[tuple[str, tuple[str, ...], str]]:
        """What it imports of devbridge: (module, names, place)."""
        return [(module, tuple(names), place) for module, names, place in self._told["own"]]

    @property
    def tops(self) -> Mapping[str, Any]:
        """What was told of top-level names."""
        return self._all["tops"]  # type: ignore[no-any-return]

    def check(self) -> None:
        """
        Raises:
            BuildError: a file does not parse, a module of the app or the handler does not exist,
                or a compiled module is of another Python.
        """
        for place, why in self._told["broken"].items():
            if why["level"] == SURE:
                raise BuildError(why["what"], where=place, remedy="correct that line")
            if why["level"] > GUARDED:
                self._warn(f"{place}: {why['what']}; it is packed as it is")
        for each in self._told["missing"]:
            what = f"{each['module']!r} is imported, but the app has no such module"
            if each["level"] == SURE:
                raise BuildError(what, where=each["place"], remedy="correct that line")
            if each["level"] > GUARDED:
                self._warn(f"{each['place']}: {what}")
        if self._told["problem"]:
            raise BuildError(
                self._told["problem"], where=self._asked.file, remedy="correct `handler` in app.py"
            )
        for module, place in self._told["compiled"].items():
            self._check_compiled(module, place)

    def _check_compiled(self, module: str, place: str) -> None:
        target = self._asked.target
        if target is None:
            return
        path = module.replace(".", "/")
        names = [name for name in self.files if re.search(rf"(^|/){path}\.[^/]*$", name)]
        if not any(fits(name, target) for name in names):
            raise BuildError(
                f"{module!r} is compiled, and not for {target.machine}, Python {target.python}: "
                + ", ".join(names),
                where=place,
                remedy="compile it for that, too, and put that file beside this one",
            )

    def distributions(self, provided: Iterable[str], python: Path) -> list[Distribution]:
        """What the handler needs of others: distributions, and trees of files that none has.

        Args:
            provided: top-level names that `install` gives.

        Raises:
            BuildError: what is surely imported is not installed.
        """
        here = set(provided)
        wanted: list[Json] = []
        for name, need in self._told["needs"].items():
            top = self._all["tops"][name]
            if name in here:
                # As on the laptop, what the app's interpreter has comes first, if it is whole.
                if not top["missing"] and not need["gone"] and not top["unmet"]:
                    wanted.append(top)
            elif top["missing"] or top["odd"] or (need["gone"] and not top["dists"]):
                self._not_there(name, top, need, python)
            else:
                wanted.append(top)
                if need["level"] > GUARDED:
                    self._say_unmet(top, here)
        return self._packed(wanted)

    def optional(self, name: str) -> list[Distribution]:
        """What provides a module, if it is installed and whole."""
        top = self._all["tops"][name]
        return [] if top["missing"] or top["odd"] or top["unmet"] else self._packed([top])

    def _not_there(self, name: str, top: Json, need: Json, python: Path) -> None:
        what = f"{name!r} is imported but not installed"
        remedy = f"install what provides it, e.g. {python} -m pip install {name}"
        if need["gone"]:
            version = self._asked.target.python if self._asked.target else ""
            what = f"{name!r} is imported, but Python {version} no longer has it"
            remedy = f'name what provides it, e.g. install=["legacy-{name}"]'
        elif top["odd"]:
            what = f"{name!r} is imported, but is in no file that can be packed (a zip?)"
            remedy = f"install it with pip, e.g. {python} -m pip install {name}"
        if need["level"] == SURE:
            raise BuildError(what, where=f"{need['place']}, {python}", remedy=remedy)
        if need["level"] > GUARDED:
            self._warn(f"{need['place']}: {what}; a run that comes there fails")

    def _say_unmet(self, top: Json, here: set[str]) -> None:
        for name, requirement in environment.unmet([top]):
            if re.sub(r"[-.]+", "_", requirement).lower() not in {each.lower() for each in here}:
                self._warn(
                    f"{name!r} requires {requirement!r}, which is not installed and so not packed;"
                    f' to include it: install=["{requirement}"]'
                )

    def _packed(self, tops: Sequence[Json]) -> list[Distribution]:
        known: Json = self._all["distributions"]
        names = dict.fromkeys(name for top in tops for name in top["dists"] if name in known)
        parts = {name: [(a, Path(f)) for a, f in known[name]["files"]] for name in names}
        loose: dict[str, list[tuple[str, Path]]] = {}
        for arc, place, project, owner in dict.fromkeys(
            tuple(t) for top in tops for t in top["trees"]
        ):
            into = parts[owner] if owner in parts else loose.setdefault(f"({arc})", [])
            into.extend(self._tree(arc, Path(place), project))
        found = [Distribution(n, known[n]["version"], tuple(f)) for n, f in parts.items()]
        found += [Distribution(name, "", tuple(each)) for name, each in loose.items()]
        return sorted(found, key=lambda each: each.name)

    def _tree(self, arc: str, place: Path, project: str) -> Iterator[tuple[str, Path]]:
        taken = _taken(place, Path(project) if project else None, tuple(self.loose))
        for line in files.said(taken.left, adds=""):
            self._warn(f"{place}: {line}; what is imported is packed")
        if taken.problem:
            self._warn(f"{place}: {taken.problem}: what is ignored may be packed")
        for name, path in taken.files.items():
            yield f"{arc}/{name}" if name else arc, path


def _taken(place: Path, project: Path | None, imported: tuple[Path, ...]) -> files.Taken:
    if place.is_file():
        return files.Taken({"": place})
    return files.take(place, within=project, kept=imported)


def fits(name: str, target: Target) -> bool:
    """Whether a compiled module's file is for a target, told by its name (PEP 3149)."""
    tags = Path(name).name.split(".")[1:]
    if len(tags) < 2:
        return tags == ["so"] or target.architecture is None
    tag = tags[0]
    if target.architecture is not None and (
        tags[-1] != "so" or tag.endswith("darwin") or ("cpython" in tag and "-linux" not in tag)
    ):
        return False
    if tag.startswith("cpython-"):
        version, _, rest = tag.removeprefix("cpython-").partition("-")
        right = version == target.python.replace(".", "")
        return right and (target.architecture is None or rest.startswith(target.machine))
    return True


def ask(
    codes: Sequence[Asked],
    *,
    root: Path,
    python: Path,
    version: str,
    cache: Path,
    warn: Callable[[str, str], None],
    names: Iterable[str] = (),
    bare: bool = False,
) -> dict[str, Reached]:
    """What these reach, by their keys. One process answers for all of them.

    Args:
        version: of `python`, e.g. ``3.11``.
        warn: is told of what may be wrong: (key, text).
        names: further modules that are looked up.
        bare: they run where nothing of AWS's is: what they need of boto3 is packed, too.

    Raises:
        BuildError: `python` failed.
    """
    answer = environment.ask(
        python,
        {
            "root": str(root),
            "brought": [] if bare else sorted(RUNTIME_IMPORTS),
            "excluded": sorted(environment.NEVER if bare else environment.EXCLUDED),
            "names": sorted({"msgspec", *names, *([environment.SDK] if bare else ())}),
            "codes": [each.question(version) for each in codes],
        },
        cache / "answers",
    )
    return {
        each.key: Reached(each, answer, lambda text, key=each.key: warn(key, text))  # type: ignore[misc]
        for each in codes
    }


# --- devbridge's own files ----------------------------------------------------------------------


@cache
def own_files(module: str, names: tuple[str, ...]) -> Mapping[str, Path]:
    """The files of devbridge that an import of it runs. What else they import for the user's
    types, those types bring along."""
    found = _own()
    for each in (module, *(f"{module}.{name}" for name in names)):
        found.follow_module(each, SURE, module)
    return {name: Path(path) for name, path in found.files.items()}


def slice_of(entry: str, cache: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    """The files of devbridge that one of them reaches, and the other names that it imports.

    Args:
        cache: the folder that answers are kept in: every process that deploys asks the same.
    """

    def followed() -> Json:
        found = _own()
        found.follow(entry)
        folders = {os.path.dirname(path) for path in found.files.values()}  # noqa: PTH120
        depends = sorted({*found.files.values(), *folders})
        return {"files": found.files, "needs": sorted(found.needs), "depends": depends}

    key = f"{OWN_ROOT}\n{sys.version}\n{entry}"
    answer = environment.kept(key, followed, Path(sys.executable), cache / "answers")
    files = {name: Path(path) for name, path in answer["files"].items()}
    return files, tuple(answer["needs"])


def _own() -> Reach:
    return Reach(
        str(OWN_ROOT),
        paths=(),
        platform="linux",
        version=sys.version_info[:2],
        machine="x86_64",
        brought=RUNTIME_IMPORTS,
        only=OWN_PACKAGES,
        unread=frozenset({LAZY}),
    )
