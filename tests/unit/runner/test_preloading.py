"""What is written down of imports, in a process of its own; what forks make of it is in
tests/integration/runner/test_preloaded.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PRELOAD = """
import json, os, sys, atexit, logging, warnings
sys.path.append(sys.argv[1])
import runner.preloading, runner.preloaded
sys.path.insert(0, sys.argv[2])
environ = type(os.environ)
def now():
    return __import__, environ.__getitem__, environ.__iter__, atexit.register, warnings.warn
real = now()
filters = list(warnings.filters)
notes = runner.preloading.Notes(frozenset(sys.modules))
notes.begin()
import first
os.environ.get("OUTSIDE")
shelf = notes.end()
told = {
    name: {
        "needs": list(note.needs),
        "missing": list(note.missing),
        "read": note.read,
        "read_all": note.read_all,
        "warned": note.warned,
        "at_exit": [[each[0].__name__, list(each[1]), each[2]] for each in note.at_exit],
        "filters": [item[0][0] for item in note.filters],
        "loggers": list(note.loggers),
        "levels": [each._cache for each in note.loggers.values()],
        "visible": name in shelf.visible,
        "base": note.base,
        "bound": note.bound,
        "file": note.file and note.file[0],
    }
    for name, note in shelf.notes.items()
    if name.partition(".")[0] in ("first", "second", "json")
}
sys.stdout.write(json.dumps({
    "told": told,
    "there": [name for name in sys.modules if name.partition(".")[0] in ("first", "second")],
    "as_before": real == now(),
    "filters_as_before": warnings.filters == filters,
    "first_has_real_warn": shelf.notes["first"].module.warn is warnings.warn,
    "loggers": list(logging.root.manager.loggerDict),
    "first_finder": type(sys.meta_path[0]).__name__,
    "exit_functions": atexit._ncallbacks(),
    "path": sys.path[0] in shelf._path,
    "loader": type(shelf.notes["first"].module.__spec__.loader).__name__,
}))
"""
FIRST = """
import json
from warnings import warn
import atexit, logging, os, warnings
import second.inner
from second import other
os.environ.get("SET"); os.environ.get("UNSET"); "ASKED" in os.environ
try:
    import not_there
except ImportError:
    pass
def goodbye(*args, **kwargs): ...
atexit.register(goodbye, 1, a=2)
logging.getLogger("first.logger").debug("nobody wants to know")
warnings.filterwarnings("ignore", message="x")
"""


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("preload") / "site-packages"
    (folder / "second").mkdir(parents=True)
    (folder / "first.py").write_text(FIRST)
    (folder / "second" / "__init__.py").write_text("")
    (folder / "second" / "inner.py").write_text(
        "import os, warnings\nfrom . import other\nfrom .other import x\n"
        "list(os.environ)\nwarnings.warn('beware')\n"
    )
    (folder / "second" / "other.py").write_text("x = 1\n")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "ignore", "-c", PRELOAD, str(ROOT), str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env={"SET": "value"},
    )
    return json.loads(done.stdout)


def test_a_module_needs_what_its_code_has_imported_and_the_packages_above(preloaded: Any) -> None:
    first = preloaded["told"]["first"]["needs"]
    assert {"json", "warnings", "logging", "os", "second", "second.inner", "second.other"} <= {
        *first
    }
    inner = preloaded["told"]["second.inner"]["needs"]
    assert {"os", "warnings", "second", "second.other"} <= {*inner}
    assert "json" not in inner


def test_what_it_does_without_is_written_down(preloaded: Any) -> None:
    assert preloaded["told"]["first"]["missing"] == ["not_there"]


def test_the_environment_that_it_saw_is_written_down(preloaded: Any) -> None:
    told = preloaded["told"]
    assert told["first"]["read"] == {"SET": "value", "UNSET": None, "ASKED": None}
    assert (told["first"]["read_all"], told["second.inner"]["read_all"]) == (False, True)


def test_what_it_did_to_the_process_is_written_down_and_undone(preloaded: Any) -> None:
    told = preloaded["told"]
    assert told["first"]["at_exit"] == [["goodbye", [1], {"a": 2}]]
    assert told["first"]["loggers"] == ["first.logger"]
    assert told["first"]["filters"] == ["ignore"]
    assert (told["first"]["warned"], told["second.inner"]["warned"]) == (False, True)
    assert preloaded["filters_as_before"]
    assert preloaded["loggers"] == []
    assert told["first"]["levels"] == [{}], "whoever wants to know sets a level in the fork"


def test_what_a_fresh_worker_would_not_have_is_out_of_sight(preloaded: Any) -> None:
    told = preloaded["told"]
    assert preloaded["there"] == []
    assert (told["first"]["visible"], told["json"]["visible"]) == (False, True)
    assert (told["first"]["base"], told["json"]["base"]) == (False, True)
    assert (told["second.inner"]["bound"], told["first"]["bound"]) == (True, False)
    assert told["first"]["file"].endswith("site-packages/first.py")
    assert told["json"]["file"] is None


def test_nothing_is_watched_any_more(preloaded: Any) -> None:
    assert preloaded["as_before"]
    assert preloaded["first_has_real_warn"], "what it took while it was watched"
    assert preloaded["first_finder"] != "Notes"
    assert preloaded["loader"] == "SourceFileLoader"
    assert preloaded["path"]
