"""Which npm registry a project has, and how it is asked: from ``.npmrc`` files and the environment,
as npm itself reads them (https://docs.npmjs.com/cli/configuring-npm/npmrc)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from devbridge.folders import home

DEFAULT: Final = "https://registry.npmjs.org/"
_VARIABLE: Final = re.compile(r"\$\{(\w+)(\?)?\}")


@dataclass(frozen=True, slots=True)
class Registry:
    """Where packages are fetched from."""

    url: str
    """Ends with a slash."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """That authenticate."""

    def tarball(self, package: str, version: str) -> str:
        """The URL of a package's files: ``@esbuild/linux-x64``, ``0.28.2``."""
        return f"{self.url}{package}/-/{package.rpartition('/')[2]}-{version}.tgz"


def registry(root: Path, environ: Mapping[str, str], scope: str = "") -> Registry:
    """The registry of a project: the environment's, else the project's, else the user's.

    Args:
        root: the project's folder; its ``.npmrc`` may also be in a folder above, where a
            ``package.json`` is: a workspace has one for all.
        scope: ``@esbuild``, whose packages may have a registry of their own.
    """
    settings = {**_read(_users(environ), environ), **_read(npmrc(root), environ)}
    for name, text in environ.items():
        if name.lower().startswith("npm_config_"):
            key = name[len("npm_config_") :]
            settings[key if key.startswith("//") else key.lower()] = text
    url = settings.get(f"{scope}:registry") or settings.get("registry") or DEFAULT
    url = f"{url.rstrip('/')}/"
    return Registry(url, _headers(url, settings))


def _headers(url: str, settings: Mapping[str, str]) -> dict[str, str]:
    """What authenticates there: the settings of that host and path, or of a path above it."""
    place = url.partition(":")[2]
    while place.strip("/"):
        if token := settings.get(f"{place}:_authToken"):
            return {"Authorization": f"Bearer {token}"}
        if basic := settings.get(f"{place}:_auth"):
            return {"Authorization": f"Basic {basic}"}
        place = f"{place.rstrip('/').rpartition('/')[0]}/"
    return {}


def npmrc(root: Path) -> Path | None:
    """The project's ``.npmrc``, if it has one."""
    for folder in (root, *root.parents):
        if (folder / ".npmrc").is_file() and (folder / "package.json").is_file():
            return folder / ".npmrc"
    return None


def variables(root: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What the ``.npmrc`` files refer to of the environment: tokens, most often."""
    texts = (_text(file) for file in (npmrc(root), _users(environ)))
    named = {found[1] for text in texts for found in _VARIABLE.finditer(text)}
    return {name: text for name, text in environ.items() if name in named}


def _users(environ: Mapping[str, str]) -> Path | None:
    if own := environ.get("npm_config_userconfig") or environ.get("NPM_CONFIG_USERCONFIG"):
        return Path(own)
    folder = home()
    return folder / ".npmrc" if folder else None


def _text(path: Path | None) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path else ""
    except OSError:
        return ""


def _read(path: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _text(path).splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith(("#", ";")):
            value = value.strip().strip("\"'")
            found[name.strip()] = _VARIABLE.sub(
                lambda each: environ.get(each[1], "" if each[2] else each[0]), value
            )
    return found


def shown(url: str) -> str:
    """A URL without the password that may be in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
