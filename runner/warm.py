"""Keeps what botocore makes anew for each session, so that forks inherit it.

A client costs 50 to 100 ms, most of it parsing JSON that is installed with botocore; botocore keeps
it for one session only. The workers of a zygote inherit which services there are, and, each for the
first session that asks, the files' contents and botocore's own handlers of events. Only files of
the installed packages are kept, and only as long as they do not change. What a worker read and its
zygote had not is reported as a module named ``botocore.data:PATH``, so that the next zygote reads
it before it forks.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from typing import Any

PREFIX = "botocore.data:"
_DEBUG = 10
"""logging.DEBUG"""

_files: dict[str, tuple[tuple[int, int] | None, Any]] = {}
_services: dict[tuple[tuple[tuple[str, int], ...], str], list[str]] = {}
_news: dict[str, None] = {}
_forked = False


def install() -> None:
    """Make one client without network, and keep what that reads, and what is read later.

    The client lives in a session of its own: nothing of it is seen by the app.
    """
    loaders: Any = importlib.import_module("botocore.loaders")
    load, list_services = loaders.JSONFileLoader.load_file, loaders.Loader.list_available_services

    @functools.wraps(load)
    def load_file(self: Any, file_path: str) -> Any:
        # A session may change what it has read, so each kept content is handed out once.
        kept = _files.pop(file_path, None) if _forked else None
        if kept is not None and kept[0] == _sign(file_path):
            return kept[1]
        content = load(self, file_path)
        if content is not None and kept is None and _is_installed(file_path):
            if _forked:
                _news[PREFIX + file_path] = None
            else:
                _files[file_path] = (_sign(file_path), content)
        return content

    @functools.wraps(list_services)
    def list_available_services(self: Any, type_name: str) -> list[str]:
        paths = tuple(path for path in self.search_paths if os.path.isdir(path))
        if not all(map(_is_installed, paths)):  # the developer has models in ~/.aws/models
            return list(list_services(self, type_name))
        key = (tuple((path, os.stat(path).st_mtime_ns) for path in paths), type_name)
        if key not in _services:
            _services[key] = list_services(self, type_name)
        return list(_services[key])

    loaders.JSONFileLoader.load_file = load_file
    loaders.Loader.list_available_services = list_available_services
    _keep_handlers()
    dummy = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    session: Any = importlib.import_module("botocore.session")
    session.Session().create_client("sts", **dummy)
    if "boto3" in sys.modules:  # it has data of its own, so its list of services is another one
        boto3: Any = importlib.import_module("boto3.session")
        boto3.Session().client("sts", **dummy)


def _keep_handlers() -> None:
    """Register botocore's own handlers of events once, for the first session of a fork: that is
    most of what a session costs."""
    cls: Any = importlib.import_module("botocore.session").Session
    hooks: Any = importlib.import_module("botocore.hooks")
    register = getattr(cls, "_register_builtin_handlers", None)
    if register is None or not _is_blank(cls(include_builtin_handlers=False), hooks):
        return  # a botocore that we do not know
    handlers: Any = importlib.import_module("botocore.handlers")
    then = list(handlers.BUILTIN_HANDLERS)
    kept = {"": cls()._events}
    # In a zygote only: workers have no use for it.
    from runner.versions import Versions, namespace_of

    owners = (cls, hooks.EventAliaser, hooks.HierarchicalEmitter, hooks.BaseEventHooks)

    @functools.wraps(register)
    def register_builtin_handlers(self: Any, events: Any) -> None:
        may = _forked and type(self) is cls and events is self._events and _is_blank(self, hooks)
        # Whoever has patched how handlers are registered, or logs it, has it done.
        may = may and unpatched.are_same() and not hooks.logger.isEnabledFor(_DEBUG)
        # Libraries that watch botocore, or play its part in tests, add to the list.
        ours = kept.pop("", None) if may and then == handlers.BUILTIN_HANDLERS else None
        if ours is None:
            register(self, events)
            return
        vars(events._emitter).update(vars(ours._emitter))
        events._alias_name_cache.update(ours._alias_name_cache)

    cls._register_builtin_handlers = register_builtin_handlers
    unpatched = Versions(map(namespace_of, owners))


def _is_blank(session: Any, hooks: Any) -> bool:
    """Whether a session's events are of botocore's own classes, and nobody handles them yet."""
    events: Any = getattr(session, "_events", None)
    emitter: Any = getattr(events, "_emitter", None)
    if type(events) is not hooks.EventAliaser or type(emitter) is not hooks.HierarchicalEmitter:
        return False
    fresh: Any = hooks.EventAliaser(hooks.HierarchicalEmitter())
    return bool(
        vars(events).keys() == vars(fresh).keys()
        and vars(emitter).keys() == vars(fresh._emitter).keys()
        and vars(emitter._handlers) == vars(fresh._emitter._handlers)
        and emitter._unique_id_handlers == {}
    )


def read(name: str) -> None:
    """Read the file that a worker reported as `name`. To be called before `keep`."""
    loaders: Any = importlib.import_module("botocore.loaders")
    loaders.JSONFileLoader().load_file(name.removeprefix(PREFIX))


def keep() -> None:
    """From now on what is read is news, for the zygote that comes next."""
    global _forked  # noqa: PLW0603 - one for the process
    _forked = True


def news() -> list[str]:
    """What this worker has read and its zygote had not, under the names for `read`."""
    return list(_news)


def _sign(path: str) -> tuple[int, int] | None:
    """By what a change of the file is seen that botocore finds under `path`."""
    for ending in (".json", ".json.gz"):
        try:
            status = os.stat(path + ending)
        except OSError:
            continue
        return status.st_mtime_ns, status.st_size
    return None


def _is_installed(path: str) -> bool:
    folder = os.path.dirname(sys.modules["botocore"].__file__ or "")
    packages = os.path.dirname(folder)
    return path.startswith((f"{packages}/botocore/data", f"{packages}/boto3/data"))
