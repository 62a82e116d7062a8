"""The question that the app's interpreter is asked, and its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from devbridge.languages.python.probe.imports import GUARDED
from devbridge.languages.python.probe.places import Module
from devbridge.languages.python.probe.reach import Reach

if TYPE_CHECKING:
    from devbridge.languages.python.probe.distributions import Distribution

Json = dict[str, Any]


def answer(question: Json) -> Json:
    """
    Args:
        question: ``root``; ``brought`` and ``excluded``, the modules and distributions that are
            there anyway; ``names`` of modules to look up; ``codes``, each with ``key``, ``file``,
            ``handler``, ``paths``, ``platform``, ``version`` and ``machine``.

    Returns:
        ``codes`` by key, what each reaches; ``tops``, what to pack for a module; ``distributions``
        with their files; ``depends``, the files and folders that all this was read from.
    """
    from devbridge.languages.python.probe import distributions as dists

    owners = _Owners()
    codes: Json = {}
    depends = dists.depends()
    wanted: set[str] = set(question["names"])
    for code in question["codes"]:
        reach, around = _follow(code, question, owners.lack)
        codes[code["key"]] = _told(code, reach, around)
        wanted |= reach.needs.keys()
        depends |= {*reach.files.values(), *reach.loose, *reach.places.seen}
    excluded = frozenset(question["excluded"])
    known = owners.of(wanted)
    tops = {
        top: dists.described(top, known[top], excluded, question["root"]) for top in sorted(wanted)
    }
    found: Json = {}
    for name in sorted({name for top in tops.values() for name in top["dists"]}):
        made = dists.by_name(name)
        if made is not None:
            found[name] = {"version": made.version, "files": made.files}
            depends |= {str(made.path), str(made.path / "RECORD"), str(made.path / "METADATA")}
    for top in tops.values():
        depends |= {tree[1] for tree in top["trees"]}
    return {
        "codes": codes,
        "tops": tops,
        "distributions": found,
        "depends": sorted(depends),
    }


class _Owners:
    """Which distributions list files of a module: looked up once for each."""

    def __init__(self) -> None:
        self._known: dict[str, list[Distribution]] = {}

    def of(self, tops: set[str]) -> dict[str, list[Distribution]]:
        from devbridge.languages.python.probe import distributions as dists

        self._known.update(dists.owners(tops - self._known.keys()))
        return self._known

    def lack(self, module: Module) -> bool:
        """Whether no distribution lists the module's file."""
        from devbridge.languages.python.probe import distributions as dists

        top = module.name.partition(".")[0]
        return not any(dists.lists(each, module.file) for each in self.of({top})[top])


def _follow(
    code: Json, question: Json, loose: Callable[[Module], bool]
) -> tuple[Reach, list[Distribution]]:
    """What a handler reaches, and the editable distributions that it is of."""
    reach = Reach(
        question["root"],
        paths=code["paths"],
        platform=code["platform"],
        version=code["version"],
        machine=code["machine"],
        brought=frozenset(question["brought"]),
        loose=loose,
    )
    reach.follow(code["file"], code["handler"])
    around = _project(reach)
    for each in around if reach.entry_points else ():
        for name in each.plugins:
            reach.follow_module(name, GUARDED, f"{each.name}'s entry points")
    return reach, around


def _told(code: Json, reach: Reach, around: list[Distribution]) -> Json:
    return {
        "files": reach.files,
        "loose": sorted(reach.loose),
        "needs": reach.needs,
        "own": reach.own,
        "missing": reach.missing,
        "broken": reach.broken,
        "compiled": reach.compiled,
        "problem": reach.handler_problem(code["file"], code["handler"]),
        "metadata": [file for each in around for file in each.metadata_files],
    }


def _project(reach: Reach) -> list[Distribution]:
    """The editable distributions that the app's own modules belong to."""
    from devbridge.languages.python.probe import distributions as dists

    if not dists.editables():
        return []
    found: dict[str, Distribution] = {}
    for path in reach.files.values():
        if each := dists.editable_of(Module("", path, (), app=True)):
            found[each.name] = each
    return list(found.values())
