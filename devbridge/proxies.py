"""The proxies of the developer's network: this machine is reached past them, all else through them.

The variables are those that curl, Python, Go and AWS's SDKs read, in both cases. An empty one is
none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

_SET: Final = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY")
_SCHEME: Final = re.compile(r"(?:\w+:)?//")
_PAST: Final = ("no_proxy", "NO_PROXY")
VARIABLES: Final = (*_SET, *map(str.lower, _SET), *_PAST)
LOOPBACK: Final = ("127.0.0.1", "localhost", ".localhost", "::1")
"""What is never asked of a proxy: the embedded cloud, the Runtime API, the credentials of a run."""


def of(environment: Mapping[str, str]) -> dict[str, str]:
    """The proxies that are set, by their variables."""
    names = (name for each in _SET for name in (each, each.lower()))
    return {name: environment[name] for name in names if environment.get(name)}


def past_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """What has a process reach this machine past the proxies of its environment, beside all that
    it reaches past them already; nothing where there is none."""
    if not of(environment):
        return {}
    value = ",".join(dict.fromkeys((*_entries(environment), *LOOPBACK)))
    # No more than the star itself is one to curl and to Python.
    return dict.fromkeys(_PAST, "*" if "*" in value.split(",") else value)


def is_past(environment: Mapping[str, str], host: str) -> bool:
    """Whether `host` is reached past the proxies of that environment, if it has any."""
    names = [each.lstrip(".") for each in _entries(environment)]
    return "*" in names or any(host == name or host.endswith(f".{name}") for name in names)


def curl(environment: Mapping[str, str], url: str) -> str:
    """``curl``, and what has it reach a URL of this machine in a shell with that environment."""
    host = urlsplit(url).hostname or ""
    here = host in LOOPBACK or host.endswith(".localhost")
    if here and of(environment) and not is_past(environment, host):
        return "curl --noproxy '*'"
    return "curl"


def shown(url: str) -> str:
    """A proxy's URL without its password, even where it is none that can be read as one."""
    before, at, place = url.rpartition("@")
    begin = found.end() if (found := _SCHEME.match(before)) else 0
    return f"{before[:begin]}{before[begin:].partition(':')[0]}{at}{place}"


def _entries(environment: Mapping[str, str]) -> Iterator[str]:
    for name in _PAST:
        yield from filter(None, re.split(r"[,\s]+", environment.get(name, "")))
