"""What closes the shelf, with modules that nobody has imported; what forks make of it is in
tests/integration/runner/test_preloaded.py."""

from __future__ import annotations

import builtins
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from runner import preloaded
from runner.note import Note
from runner.preloaded import Shelf

NAME, NEED = "preloaded_for_a_test", "preloaded_need"


def note(name: str = NAME) -> Note:
    made = Note(name)
    made.module = ModuleType(name)
    made.module.__spec__ = ModuleSpec(name, None)
    return made


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in os.environ if name.startswith(preloaded._NATIVE_OF_OTHERS)]:
        monkeypatch.delenv(name)  # of the machine that the tests run on
    with warnings.catch_warnings():
        yield
    for name in (NAME, NEED):
        sys.modules.pop(name, None)


def opened(*notes: Note, **environment: str) -> Shelf:
    shelf = Shelf(notes, environment, ())
    shelf.open()
    return shelf


def test_a_module_is_handed_out_with_what_it_needs() -> None:
    one, need = note(), note(NEED)
    one.needs[NEED] = None
    shelf = opened(one, need)
    assert importlib.import_module(NAME) is one.module
    assert sys.modules[NEED] is need.module
    assert (shelf.visible, shelf.problem, shelf.stale) == ({NAME, NEED}, None, None)


def closed(shelf: Shelf) -> str | None:
    """Why the module is not handed out; it is not imported, either, as there is no such file."""
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(NAME)
    return shelf.problem or shelf.stale


def compiled(one: Note, folder: Path) -> None:
    file = folder / "fast.so"
    file.touch()
    one.file = (str(file), file.stat().st_mtime_ns, file.stat().st_size)


@pytest.mark.parametrize("name", ["OPENSSL_CONF", "OMP_NUM_THREADS", "CUDA_HOME"])
def test_compiled_code_may_have_read_what_is_its_own(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = note()
    compiled(one, tmp_path)
    shelf = opened(one)
    monkeypatch.setenv(name, "1")
    assert closed(shelf) == (
        f"the environment's {name} was set or changed before {NAME} was imported"
    )


def test_what_is_as_it_was_and_what_nothing_reads_closes_no_shelf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = note()
    compiled(one, tmp_path)
    one.read = {"READ": "1", "UNSET": None}
    opened(one, OMP_NUM_THREADS="4", READ="0")
    for name, value in (("OMP_NUM_THREADS", "4"), ("READ", "1"), ("OTHER", "2")):
        monkeypatch.setenv(name, value)
    assert importlib.import_module(NAME) is one.module


def test_code_that_is_not_compiled_reads_what_is_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = note()
    opened(one)
    assert importlib.import_module(NAME) is one.module


def read_another(one: Note) -> None:
    one.read = {"READ": "1"}


def read_all(one: Note) -> None:
    one.read_all = True


def warned(one: Note) -> Callable[[], None]:
    one.warned = True
    return lambda: warnings.simplefilter("error")


def was_replaced(one: Note) -> Callable[[], None]:
    return lambda: sys.modules.update({one.name: ModuleType(one.name)})


def finds(_one: Note) -> Callable[[], None]:
    return lambda: sys.meta_path.insert(0, sys.meta_path[-1])


def missed(one: Note) -> None:
    one.missing["json"] = None


def has_no_entry(one: Note) -> None:
    one.entry = "/nowhere"


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (read_another, f"the environment's READ, which {NAME} reads, was set or changed"),
        (read_all, f"{NAME} reads the whole environment"),
        (warned, "the warnings' filters were changed"),
        (was_replaced, f"{NAME} was replaced in sys.modules"),
        (finds, "sys.meta_path was changed"),
        (missed, f"json, which {NAME} can do without, was added"),
        (has_no_entry, "/nowhere was taken out of sys.path"),
    ],
)
def test_what_is_not_as_it_was_closes_the_shelf(
    prepare: Callable[[Note], Callable[[], None] | None], why: str
) -> None:
    one, other = note(), note(NEED)
    one.needs[NEED] = None
    change = prepare(one)
    shelf = opened(one, other)
    if change is not None:
        change()
    assert not shelf._may(NAME)
    assert shelf.problem == f"{why} before {NAME} was imported"
    assert shelf.find_spec(NAME) is shelf.find_spec(NEED) is None


def test_an_import_of_the_jobs_own_closes_the_shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = opened(note())
    monkeypatch.setattr(builtins, "__import__", partial(builtins.__import__))
    assert not shelf._may(NAME)
    assert shelf.problem == f"__import__ was replaced before {NAME} was imported"


def test_a_file_that_comes_first_in_the_path_hides_a_module(tmp_path: Path) -> None:
    one = note()
    one.entry = str(tmp_path / "packages")
    shelf = opened(one)
    hiding = tmp_path / "app"
    hiding.mkdir()
    sys.path[:0] = [str(hiding), one.entry]
    sys.path.insert(0, "/nowhere")
    assert shelf._may(NAME)
    (hiding / f"{NAME}.py").touch()
    assert not shelf._may(NAME)
    assert shelf.problem == (f"{NAME} is hidden by a file in {hiding} before {NAME} was imported")


def test_an_installed_file_that_has_changed_is_no_fault_of_the_jobs(tmp_path: Path) -> None:
    one = note()
    compiled(one, tmp_path)
    shelf = opened(one)
    (tmp_path / "fast.so").write_text("another")
    assert closed(shelf) == str(tmp_path / "fast.so") == shelf.stale
    assert shelf.problem is None


def test_a_modules_logger_is_the_parent_of_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager = logging.root.manager
    monkeypatch.setattr(manager, "loggerDict", dict(manager.loggerDict))
    child = logging.getLogger(f"{NAME}.child")
    assert not child.isEnabledFor(logging.DEBUG)
    one = note()
    one.loggers[NAME] = logging.Logger(NAME, logging.DEBUG)
    opened(one)
    importlib.import_module(NAME)
    assert logging.getLogger(NAME) is child.parent is one.loggers[NAME]
    assert child.parent.parent is logging.root
    assert child.isEnabledFor(logging.DEBUG)


def test_a_logger_that_was_given_already_is_the_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = logging.root.manager
    monkeypatch.setattr(manager, "loggerDict", dict(manager.loggerDict))
    given, handler = logging.getLogger(NAME), logging.NullHandler()
    one = note()
    one.loggers[NAME] = logging.Logger(NAME)
    one.loggers[NAME].addHandler(handler)
    opened(one)
    importlib.import_module(NAME)
    assert logging.getLogger(NAME) is given
    assert given.handlers == [handler]
    one.loggers[NAME].setLevel(logging.ERROR)
    assert given.level == logging.ERROR


def test_a_fork_does_not_share_the_state_of_numpys_generator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "numpy.random"
    for each in ("numpy", name):
        monkeypatch.delitem(sys.modules, each, raising=False)
    package, one = note("numpy"), note(name)
    package.module.__path__ = []
    one.needs["numpy"] = None
    seeded: list[str] = []
    one.module.seed = lambda: seeded.append(name)
    opened(package, one)
    try:
        importlib.import_module(name)
    finally:
        for each in ("numpy", name):
            sys.modules.pop(each, None)
    assert seeded == [name]


@pytest.mark.parametrize(("name", "found"), [("_ssl", True), ("_hashlib", True), ("_csv", False)])
def test_pythons_own_openssl_reads_the_environment_too(
    name: str, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = opened()
    monkeypatch.setenv("OPENSSL_CONF", "x")
    why = "the environment's OPENSSL_CONF was set or changed" if found else None
    assert shelf._surroundings([note(name).facts()]) == why


def test_a_filter_of_warnings_is_put_where_its_module_has_put_it() -> None:
    one = note()
    last = ("ignore", None, DeprecationWarning, None, 4711)
    one.filters = [(last, True), (("error", *last[1:]), False)]
    opened(one)
    importlib.import_module(NAME)
    assert (warnings.filters[0][0], warnings.filters[-1]) == ("error", last)
