from __future__ import annotations

import enum
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runner.note import (
    Note,
    folder_of,
    installed_file,
    is_compiled,
    is_installed,
    remember,
    replaced,
    stale,
    touched,
)
from runner.packed import pack, unpack

SOURCE = """
import enum, types
NUMBER = 1
TEXT = "a"
LIST = [1]
nothing = None
_counter = [0]
def function(): ...
def _private(): ...
class Own:
    attribute = 1
    _cache = [1]
    def method(self): ...
from collections import OrderedDict as Others
"""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    made = ModuleType("noted_module")
    exec(SOURCE, vars(made))  # noqa: S102
    made.Own.__module__ = "noted_module"
    monkeypatch.setitem(sys.modules, "noted_module", made)
    return made


@pytest.fixture
def note(module: Any) -> Note:
    made = Note("noted_module")
    made.module = module
    remember(made)
    return made


def test_a_module_that_nobody_has_touched_is_as_it_was(note: Note) -> None:
    assert touched([note]) is None


def assign(name: str, value: object) -> Callable[[Any], None]:
    return lambda module: setattr(module, name, value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (assign("function", print), "function"),
        (assign("_private", print), "_private"),
        (assign("NUMBER", 2), "NUMBER"),
        (assign("NUMBER", True), "NUMBER"),
        (assign("LIST", [1]), "LIST"),
        (lambda module: delattr(module, "TEXT"), "TEXT"),
        (lambda module: setattr(module.Own, "method", print), "Own.method"),
        (lambda module: setattr(module.Own, "attribute", 2), "Own.attribute"),
        (assign("Own", int), "Own"),
    ],
)
def test_what_was_replaced_is_named(
    note: Note, module: Any, change: Callable[[Any], None], said: str
) -> None:
    change(module)
    assert touched([note]) == f"noted_module.{said} was replaced"


@pytest.mark.parametrize(
    "change",
    [
        assign("added", 1),
        assign("nothing", object()),
        assign("_counter", [1]),
        assign("TEXT", "".join("a")),
        assign("__doc__", "x"),
        lambda module: setattr(module.Own, "_cache", [2]),
        lambda module: module.LIST.append(2),
    ],
)
def test_what_fills_by_itself_or_is_the_same_is_no_replacement(
    note: Note, module: Any, change: Callable[[Any], None]
) -> None:
    change(module)
    assert touched([note]) is None


def test_a_module_whose_place_is_taken_is_named(
    note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "noted_module", ModuleType("noted_module"))
    modules = {note.name: note.module}
    assert replaced([note.facts()], modules) == "noted_module was replaced in sys.modules"
    monkeypatch.setitem(sys.modules, "noted_module", note.module)
    assert replaced([note.facts()], modules) is None, "it is on its way already"
    monkeypatch.delitem(sys.modules, "noted_module")
    assert replaced([note.facts()], modules) is None, "who is not there is in nobody's place"


class Variable(str, enum.Enum):  # noqa: UP042 - that one is its text
    MODE = "NOTED_MODE"


def test_names_of_a_class_of_their_own_are_noted_as_they_are() -> None:
    note = Note(Variable.MODE)
    note.read = {Variable.MODE: Variable.MODE, "UNSET": None}
    note.missing = {Variable.MODE: None}
    note.file = (Variable.MODE, 1, 2)
    facts = unpack(pack(tuple(note.facts())))
    read = {"NOTED_MODE": "NOTED_MODE", "UNSET": None}
    file = ("NOTED_MODE", 1, 2)
    assert facts == ("NOTED_MODE", ("NOTED_MODE",), read, False, False, False, file, None)


def test_a_module_of_an_unusual_kind_is_compared_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Lazy(ModuleType):
        pass

    note = Note("lazy_module")
    note.module = Lazy("lazy_module")
    note.module.x = 1
    monkeypatch.setitem(sys.modules, "lazy_module", note.module)
    remember(note)
    assert note.seen == {}
    note.module.x = 2
    assert touched([note]) is None


@pytest.mark.parametrize("name", ["sys", "typing", "mimetypes"])
def test_names_that_are_the_processs_state_are_not_compared(name: str) -> None:
    note = Note(name)
    note.module = __import__(name)
    remember(note)
    assert note.seen == {}


def test_the_filters_of_warnings_are_compared_apart() -> None:
    import warnings

    note = Note("warnings")
    note.module = warnings
    remember(note)
    assert "warn" in note.seen
    assert not {"filters", "showwarning"} & note.seen.keys()


def test_a_class_of_loggers_that_was_set_concerns_who_has_loggers(
    note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, note.name)
    monkeypatch.setattr(logging.root.manager, "loggerClass", logging.Logger)
    modules = {note.name: note.module}
    assert replaced([note.facts()], modules) is None
    note.loggers = {"a": logging.Logger("a")}
    assert replaced([note.facts()], modules) == "the class of loggers was set"
    note.name = "logging"
    assert not note.facts().has_loggers


def test_where_a_top_level_module_was_found_is_known() -> None:
    for name, known in (("json", True), ("sys", False), ("os.path", False)):
        note = Note(name)
        note.module = sys.modules.get(name) or __import__(name)
        remember(note)
        assert (note.entry is not None) is known, name
    json = Note("json")
    json.module = __import__("json")
    remember(json)
    assert json.entry == str(Path(os.__file__).parent)


def test_an_installed_file_that_has_changed_is_stale(tmp_path: Path) -> None:
    file = tmp_path / "site-packages" / "a.py"
    file.parent.mkdir()
    file.write_text("x = 1")
    module = ModuleType("a")
    module.__file__ = str(file)
    note = Note("a")
    note.file = installed_file(module)
    assert note.file is not None
    assert stale([Note("b").facts(), note.facts()]) is None
    os.utime(file, ns=(1, 1))
    assert stale([note.facts()]) == str(file)
    file.unlink()
    assert stale([note.facts()]) == str(file)
    assert installed_file(module) is None


def test_what_is_not_installed_has_no_file_that_is_watched(tmp_path: Path) -> None:
    module = ModuleType("a")
    assert installed_file(module) is None
    (tmp_path / "a.py").write_text("")
    module.__file__ = str(tmp_path / "a.py")
    assert installed_file(module) is None


def test_files_are_told_apart_by_their_paths() -> None:
    assert is_installed("/venv/lib/site-packages/a.py")
    assert is_installed("/usr/lib/python3/dist-packages/a/b.py")
    assert not is_installed("/app/my-site-packages/a.py")
    assert is_compiled("/x/a.cpython-311.so")
    assert not is_compiled("/x/a.py")
    assert not is_compiled("/x/a.pyc")
    assert folder_of("/x/a.py") == "/x"
    assert folder_of("/x/a/__init__.py") == "/x"
