"""The house stays simple to change: sizes, cycles, contracts, and a test file for each module."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest
from importlinter import cli as import_linter

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("devbridge", "runner", "stub_lambda")
MODULE_LINES = 400
FUNCTION_LINES = 60

FILES = [
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "templates" not in path.parts
]


@cache
def imports() -> grimp.ImportGraph:
    """Who imports whom; what is imported for type checkers only, too."""
    return grimp.build_graph(*PACKAGES, cache_dir=None, include_external_packages=True)


def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"))


def test_no_module_is_longer_than_a_head_can_hold() -> None:
    lines = {str(path): (ROOT / path).read_text("utf-8").count("\n") for path in FILES}
    assert {path for path, number in lines.items() if number > MODULE_LINES} == set()


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{path}: {node.name}"
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    }
    assert long == set()


def edges(graph: grimp.ImportGraph) -> Iterator[tuple[str, str]]:
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            if imported != module:
                yield module, imported


def cycles(graph: grimp.ImportGraph) -> set[str]:
    """The imports of our own modules that lead back to where they are."""
    return {
        f"{module} -> {imported}"
        for module, imported in edges(graph)
        if imported.startswith(PACKAGES)
        if graph.find_shortest_chain(importer=imported, imported=module)
    }


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert cycles(imports()) == set()


def test_no_room_imports_itself_by_way_of_others() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    for constructs in graph.find_modules_directly_imported_by("devbridge"):
        graph.remove_import(importer="devbridge", imported=constructs)  # they are for users
    for room in {module for module in graph.modules if module.count(".") == 1}:
        if graph.find_descendants(room):
            graph.squash_module(room)
    assert cycles(graph) == set()


def test_the_contracts_between_rooms_are_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stand in pyproject.toml."""
    # Else all loggers that there are were off from now on, for the tests that follow.
    monkeypatch.setattr("logging.config.dictConfig", lambda config: None)
    code = import_linter.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert code == import_linter.EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_the_runner_takes_nothing_but_the_standard_library() -> None:
    """It runs in the user's own interpreter, and in containers where nothing is installed."""
    taken = {
        imported.partition(".")[0]
        for module, imported in edges(imports())
        if module.partition(".")[0] == "runner"
    }
    assert taken - sys.stdlib_module_names == {"runner"}


def test_what_runs_inside_the_embedded_cloud_has_no_devbridge() -> None:
    inside = "devbridge.emulator.inside"
    taken = {
        imported
        for module, imported in edges(imports())
        if module.startswith(inside) and imported.partition(".")[0] in PACKAGES
    }
    assert {imported for imported in taken if not imported.startswith(inside)} == set()


def has_tests(path: Path) -> bool:
    place = path.relative_to("devbridge") if path.parts[0] == "devbridge" else path
    name = place.with_name(f"test_{place.name}")
    return any((ROOT / "tests" / kind / name).exists() for kind in ("unit", "integration"))


def test_each_module_has_a_test_file_of_its_name() -> None:
    """In tests/unit, or in tests/integration where it only shows in the real thing."""

    modules = [path for path in FILES if path.name not in ("__init__.py", "__main__.py")]
    assert {str(path) for path in modules if not has_tests(path)} == set()


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "__init__.py"], ids=str)
def test_each_room_says_what_it_is_for(path: Path) -> None:
    assert len((ast.get_docstring(parsed(path)) or "").split()) >= 8


LANGUAGES = re.compile(
    r"python\d|python\{|nodejs|esbuild|tsconfig|_modules\b|-packages\b|(?<![\w/])\.(?:pyi?|[mc]?[tj]sx?)$"
)
"""How a language is known: its runtimes, its tools, its folders, its files' suffixes."""
ROOMS_OF_LANGUAGES = {"languages", "sources", "emulator"}
NAMED = {
    "devbridge/constructs/code.py": "an option that one language has, as users write it",
    "devbridge/interpreter.py": "that of app.py",
    "devbridge/deploy/specs.py": "the same option, handed on",
    "devbridge/deploy/synth/compute/buildspecs.py": "the runner of builds is in Python",
    "devbridge/deploy/synth/compute/containers.py": "the runner of containers is, too",
    "devbridge/packing/assets.py": "the runner is in Python",
    "devbridge/files.py": "what is never packed, whoever installed it",
}


def literals(path: Path) -> Iterator[str]:
    """The texts of a module that are no docstrings."""
    tree = parsed(path)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_no_language_is_named_outside_of_its_rooms() -> None:
    naming = {
        str(path)
        for path in FILES
        if path.parts[0] == "devbridge" and path.parts[1] not in ROOMS_OF_LANGUAGES
        if any(map(LANGUAGES.search, literals(path)))
    }
    assert naming == NAMED.keys()


def test_whoever_is_not_a_language_asks_them_through_their_door() -> None:
    inner = re.compile(r"devbridge\.(?:languages|sources)\.(python|node)\b")
    others = {
        f"{module} -> {imported}"
        for module, imported in edges(imports())
        if inner.match(imported) and not inner.match(module)
    }
    assert others == {
        "devbridge.languages.known -> devbridge.languages.python.language",
        "devbridge.languages.known -> devbridge.languages.node.language",
        "devbridge.sources.known -> devbridge.sources.python",
        "devbridge.sources.known -> devbridge.sources.node",
        # What devbridge itself has in Python: its invokers, and the embedded cloud that pip brings.
        "devbridge.deploy.assets -> devbridge.languages.python.invokers",
        "devbridge.emulator.install -> devbridge.languages.python.pip",
        "devbridge.emulator.install -> devbridge.languages.python.pip_progress",
    }


PROVIDERS = re.compile(r"codebuild|fargate|\b(?:batch|ecs)\b", re.IGNORECASE)
"""How a provider of runs is known. Lambda is not looked for: what calls jobs runs there, too."""
ROOMS_OF_PROVIDERS = (
    "devbridge/constructs/compute/",
    "devbridge/deploy/synth/compute/",
    "devbridge/emulator/",
    "devbridge/runs/",  # with what the deployed invoker has of them
    "runner/host/",
)
NAMING_PROVIDERS = {
    "devbridge/__init__.py": "what users import",
    "devbridge/constructs/__init__.py": "the same",
    "devbridge/constructs/values.py": "a beginning of variables that AWS keeps for itself",
    "devbridge/constructs/triggers/batching.py": "AWS Lambda's word for what it hands over at once",
    "devbridge/names.py": "the log group that a job had before it could run elsewhere",
    "stub_lambda/environment.py": "what ran the jobs of an invoker that is not told it",
    "devbridge/cli/cloud.py": "whose machines of the embedded cloud a user may take away",
}


def texts(path: Path) -> Iterator[str]:
    """The texts of a module that somebody may see: a command's docstring is its help."""
    yield from literals(path)
    if path.parts[:2] == ("devbridge", "cli"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef):
                yield ast.get_docstring(node) or ""


def test_no_provider_is_named_outside_of_its_rooms() -> None:
    naming = {
        str(path)
        for path in FILES
        if not str(path).startswith(ROOMS_OF_PROVIDERS)
        if any(map(PROVIDERS.search, texts(path)))
    }
    assert naming == NAMING_PROVIDERS.keys()


OF_PROVIDERS = re.compile(
    r"devbridge\.(?:constructs\.compute|deploy\.synth\.compute|runs\.providers)"
    r"\.(?!base\b|known\b|parts\b|workers\b)\w+"
    r"|runner\.host\.(?:codebuild|container|deliveries|function|hops|fetch|worker)\b"
    r"|devbridge\.emulator\.inside\.(?:batch|codebuild|ecs)\b"
)
"""The modules that are about one provider, or about some of them."""
DOORS_OF_PROVIDERS = {
    "devbridge.constructs.compute",
    "devbridge.deploy.synth.compute.known",
    "devbridge.runs.providers.known",
    "devbridge.emulator.inside.plug",
    "runner.host.main",
}


def test_whoever_is_not_a_provider_asks_them_through_their_door() -> None:
    others = {
        f"{module} -> {imported}"
        for module, imported in edges(imports())
        if OF_PROVIDERS.match(imported) and not OF_PROVIDERS.match(module)
        if module not in DOORS_OF_PROVIDERS
    }
    assert others == set()


def test_nobody_asks_for_a_compute_by_its_class() -> None:
    """Whoever had one in hand would ask what a job runs in."""
    asking = {
        f"{path}: {alias.name}"
        for path in FILES
        if not str(path).startswith(ROOMS_OF_PROVIDERS)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("devbridge")
        for alias in node.names
        if alias.name in ("Batch", "CodeBuild", "Fargate", "Lambda")
    }
    exporting = ("devbridge/__init__.py", "devbridge/constructs/__init__.py")
    assert {each.partition(":")[0] for each in asking} == set(exporting)
