"""Over a botocore that is made up: `tests/integration/runner/test_zygote.py` has the real one, as
have those of the handlers of events."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import botocore.handlers
import botocore.session
import pytest
from botocore.hooks import EventAliaser, HierarchicalEmitter

from runner import warm


class World:
    """What botocore has read and listed, and where it is installed."""

    def __init__(self, packages: Path) -> None:
        self.packages = packages
        self.data = packages / "botocore" / "data"
        self.read: list[str] = []
        self.listed: list[str] = []
        self.clients: list[str] = []
        world = self

        class JSONFileLoader:
            def load_file(self, file_path: str) -> Any:
                world.read.append(file_path)
                return {"of": file_path} if Path(f"{file_path}.json").exists() else None

        class Loader:
            def __init__(self, *paths: Path) -> None:
                self.search_paths = [str(path) for path in paths]

            def list_available_services(self, type_name: str) -> list[str]:
                world.listed.append(type_name)
                return ["s3"]

        self.loaders: Any = SimpleNamespace(JSONFileLoader=JSONFileLoader, Loader=Loader)

    def session(self, name: str) -> Any:
        def client(service: str, **_: object) -> None:
            self.clients.append(f"{name}:{service}")

        return SimpleNamespace(create_client=client, client=client)

    def file(self, name: str) -> str:
        """A data file, under the name that botocore asks for it by."""
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f"{path.name}.json").write_text("{}")
        return str(path)

    def load(self, path: str) -> Any:
        return self.loaders.JSONFileLoader().load_file(path)

    def services(self, *paths: Path) -> list[str]:
        services: list[str] = self.loaders.Loader(*paths).list_available_services("service-2")
        return services


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path / "site-packages")
    botocore = ModuleType("botocore")
    botocore.__file__ = str(made.packages / "botocore" / "__init__.py")
    modules = {
        "botocore": botocore,
        "botocore.loaders": made.loaders,
        "botocore.hooks": ModuleType("botocore.hooks"),
        "botocore.session": SimpleNamespace(Session=lambda: made.session("botocore")),
        "boto3.session": SimpleNamespace(Session=lambda: made.session("boto3")),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "boto3", raising=False)
    for store in ("_files", "_services", "_news"):
        monkeypatch.setattr(warm, store, {})
    monkeypatch.setattr(warm, "_forked", False)
    return made


Load = Callable[[str], Any]


def test_one_client_is_made_in_a_session_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm.install()
    assert world.clients == ["botocore:sts"]
    monkeypatch.setitem(sys.modules, "boto3", ModuleType("boto3"))
    warm.install()
    assert world.clients[1:] == ["botocore:sts", "boto3:sts"]


def test_what_the_zygote_has_read_is_handed_out_once_and_then_read(world: World) -> None:
    path = world.file("s3/service-2")
    warm.install()
    content = world.load(path)
    warm.keep()
    assert world.load(path) is content
    assert world.read == [path]
    again = world.load(path)
    assert (again, again is content) == (content, False)
    assert world.read == [path, path]


def test_a_file_that_has_changed_since_is_read(world: World) -> None:
    path = world.file("s3/service-2")
    warm.install()
    content = world.load(path)
    warm.keep()
    os.utime(f"{path}.json", ns=(1, 1))
    assert world.load(path) is not content
    assert warm.news() == [], "the zygote knows it already"


def test_what_a_worker_reads_is_news_for_the_next_zygote_which_reads_it(world: World) -> None:
    path = world.file("s3/service-2")
    warm.install()
    warm.keep()
    world.load(path)
    world.load(path)
    assert warm.news() == [f"botocore.data:{path}"]
    warm.read(warm.news()[0])
    assert world.read == [path, path, path]


def test_what_is_not_there_or_not_installed_is_not_kept(world: World, tmp_path: Path) -> None:
    own = tmp_path / "own" / "models"
    own.mkdir(parents=True)
    (own / "x.json").write_text("{}")
    warm.install()
    for path in (str(world.data / "nothing"), str(own / "x")):
        world.load(path)
    warm.keep()
    for path in (str(world.data / "nothing"), str(own / "x")):
        world.load(path)
    assert len(world.read) == 4
    assert warm.news() == []


def test_compressed_files_are_told_apart_by_time_and_size_too(world: World) -> None:
    path = world.file("s3/endpoints")
    Path(f"{path}.json").rename(f"{path}.json.gz")
    assert warm._sign(path) is not None
    assert warm._sign(str(world.data / "nothing")) is None


def test_which_services_there_are_is_listed_once_for_the_installed_ones(world: World) -> None:
    world.file("s3/service-2")
    warm.install()
    first = world.services(world.data, world.packages / "nowhere")
    first.append("spoiled")
    assert world.services(world.data) == ["s3"]
    assert len(world.listed) == 1


def test_models_of_the_developers_own_are_listed_each_time(world: World, tmp_path: Path) -> None:
    world.file("s3/service-2")
    (tmp_path / "models").mkdir()
    warm.install()
    for _ in range(2):
        assert world.services(world.data, tmp_path / "models") == ["s3"]
    assert len(world.listed) == 2


def test_an_upgrade_is_listed_anew(world: World) -> None:
    world.file("s3/service-2")
    warm.install()
    world.services(world.data)
    os.utime(world.data, ns=(1, 1))
    world.services(world.data)
    assert len(world.listed) == 2


def handled(session: Any) -> list[tuple[str, list[str]]]:
    """What a session does at the events that botocore has handlers for."""
    names = {
        "before-parameter-build.s3.ListObjects",
        "before-parameter-build.s3.UploadPart",
        "creating-client-class",
        "creating-client-class.iot-data",
        "docs.*.s3.CopyObject.complete-section",
        *(spec[0] for spec in botocore.handlers.BUILTIN_HANDLERS),
    }
    events = session._events
    return [
        (name, [repr(each) for each in events._emitter._handlers.prefix_search(alias)])
        for name in sorted(names)
        if (alias := events._alias_event_name(name))
    ]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The sessions that botocore has registered its handlers for, one by one."""
    found: list[Any] = []
    cls: Any = botocore.session.Session
    real = cls._register_builtin_handlers

    def register(self: Any, events: Any) -> None:
        found.append(self)
        real(self, events)

    monkeypatch.setattr(cls, "_register_builtin_handlers", register)
    monkeypatch.setattr(warm, "_forked", False)
    warm._keep_handlers()
    warm.keep()
    found.clear()
    return found


def test_the_first_session_gets_the_handlers_that_are_there_and_the_next_its_own(
    registered: list[Any],
) -> None:
    first: Any = botocore.session.Session()
    second: Any = botocore.session.Session()
    assert registered == [second]
    assert handled(first) == handled(second)
    assert first._events._emitter._handlers is not second._events._emitter._handlers


@pytest.mark.parametrize("owner", [botocore.session.Session, EventAliaser, HierarchicalEmitter])
def test_who_has_patched_how_handlers_are_registered_is_asked(
    owner: Any, registered: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "register", functools.partialmethod(owner.register))
    assert registered == [botocore.session.Session()]


def test_who_wants_to_read_how_handlers_are_registered_can(
    registered: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "botocore.hooks")
    assert registered == [botocore.session.Session()]


def _seen(**_: object) -> None: ...


class _Own(botocore.session.Session):
    pass


def test_what_is_not_botocores_own_is_registered(
    registered: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    events = HierarchicalEmitter()
    events.register("before-call", _seen)
    given = botocore.session.Session(event_hooks=events)
    own = _Own()
    known = [*botocore.handlers.BUILTIN_HANDLERS, ("before-send", _seen)]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", known)
    more = botocore.session.Session()
    assert registered == [given, own, more]
    assert handled(more) != handled(own)
