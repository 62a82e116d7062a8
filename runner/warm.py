"""Keeps what botocore reads from its own data files across sessions, so that forks inherit it.

A client costs 50 to 100 ms, most of it parsing JSON that is installed with botocore and never
changes; botocore keeps it for one session only. In the zygote, and so in the workers that it forks,
it is kept for the process: the files' contents, and which services there are. Only files of the
installed packages are kept. What a worker read and its zygote had not is reported as a module named
``botocore.data:PATH``, so that the next zygote reads it before it forks.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

PREFIX = "botocore.data:"

_files: dict[str, Any] = {}
_services: dict[tuple[tuple[str, ...], str], list[str]] = {}
_inherited: set[str] = set()
_modules: set[str] = set()


def install() -> None:
    """Make one client without network, and keep what that reads, and what is read later.

    The client lives in a session of its own: nothing of it is seen by the app.
    """
    loaders: Any = importlib.import_module("botocore.loaders")
    load, list_services = loaders.JSONFileLoader.load_file, loaders.Loader.list_available_services

    def load_file(self: Any, file_path: str) -> Any:
        if file_path in _files:
            return _files[file_path]
        content = load(self, file_path)
        if content is not None and _is_installed(file_path):
            _files[file_path] = content
        return content

    def list_available_services(self: Any, type_name: str) -> list[str]:
        paths = tuple(path for path in self.search_paths if os.path.isdir(path))
        if not all(map(_is_installed, paths)):  # the developer has models in ~/.aws/models
            return list(list_services(self, type_name))
        if (paths, type_name) not in _services:
            _services[paths, type_name] = list_services(self, type_name)
        return list(_services[paths, type_name])

    loaders.JSONFileLoader.load_file = load_file
    loaders.Loader.list_available_services = list_available_services
    dummy = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    session: Any = importlib.import_module("botocore.session")
    session.Session().create_client("sts", **dummy)
    if "boto3" in sys.modules:  # it has data of its own, so its list of services is another one
        boto3: Any = importlib.import_module("boto3.session")
        boto3.Session().client("sts", **dummy)


def read(name: str) -> None:
    """Read the file that a worker reported as `name`. To be called before `keep`."""
    loaders: Any = importlib.import_module("botocore.loaders")
    loaders.JSONFileLoader().load_file(name.removeprefix(PREFIX))


def keep() -> None:
    """From now on what is read or imported is news, for the zygote that comes next."""
    _inherited.update(_files)
    _modules.update(sys.modules)


def new_modules() -> list[str]:
    """The names of the modules that this process did not inherit, in import order.

    The others are known to the daemon, and looking at each in a fork copies its memory.
    """
    return [name for name in sys.modules if name not in _modules]


def news() -> list[str]:
    """What this worker has read and its zygote had not, under the names for `read`."""
    return [PREFIX + path for path in _files if path not in _inherited]


def _is_installed(path: str) -> bool:
    folder = os.path.dirname(sys.modules["botocore"].__file__ or "")
    packages = os.path.dirname(folder)
    return path.startswith((f"{packages}/botocore/data", f"{packages}/boto3/data"))
