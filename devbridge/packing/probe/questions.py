"""The question that the app's interpreter is asked, and its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devbridge.packing.probe.imports import GUARDED
from devbridge.packing.probe.places import Module
from devbridge.packing.probe.reach import Reach

if TYPE_CHECKING:
    from devbridge.packing.probe.distributions import Distribution

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
    from devbridge.packing.probe import distributions as dists

    root, excluded = question["root"], frozenset(question["excluded"])
    known: dict[str, list[Distribution]] = {}

    def owned(top: str) -> list[Distribution]:
        if top not in known:
            known.update(dists.owners([top]))
        return known[top]

    def loose(module: Module) -> bool:
        return not any(
            dists.lists(each, module.file) for each in owned(module.name.partition(".")[0])
        )

    codes: Json = {}
    depends = dists.depends()
    wanted: set[str] = set(question["names"])
    for code in question["codes"]:
        reach = Reach(
            root,
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
        codes[code["key"]] = {
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
        wanted |= reach.needs.keys()
        depends |= {*reach.files.values(), *reach.loose, *reach.places.seen}
    known.update(dists.owners(wanted - known.keys()))
    tops = {top: dists.described(top, known[top], excluded, root) for top in sorted(wanted)}
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


def _project(reach: Reach) -> list[Distribution]:
    """The editable distributions that the app's own modules belong to."""
    from devbridge.packing.probe import distributions as dists

    if not dists.editables():
        return []
    found: dict[str, Distribution] = {}
    for path in reach.files.values():
        if each := dists.editable_of(Module("", path, (), app=True)):
            found[each.name] = each
    return list(found.values())
