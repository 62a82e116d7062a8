"""The environments of the processes that devbridge starts: the one place that decides what of the
developer's shell is in them.

Live jobs, the zygote and the probe of types get a list of the shell's variables and no others, so
that a run here finds what it finds deployed: see `PASSED`. `devbridge bind` runs the user's own
command and keeps the shell's, pip and venv keep the user's index, proxy and certificates.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Final

from devbridge import proxies

_NETWORK: Final = (
    *proxies.VARIABLES,
    *("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO"),
)
PASSED: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_*", "TERM", "TZ", "TMPDIR"),
    *_NETWORK,
    *("VIRTUAL_ENV", "CUDA_*"),
    # What a window needs, on X11 and on Wayland.
    *("DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"),
    # Without these nothing starts there.
    *(("__CF_USER_TEXT_ENCODING",) if sys.platform == "darwin" else ()),
    *(
        ("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE", "USERNAME")
        if sys.platform == "win32"
        else ()
    ),
)
"""What live jobs get of the shell's variables; ``*`` at the end stands for anything."""
_NOBODYS: Final = (
    *("_", "PWD", "OLDPWD", "SHLVL", "SHELL", "PS1", "IFS", "COLUMNS", "LINES", "COLORTERM"),
    *("LS_COLORS", "PAGER", "EDITOR", "VISUAL", "LESS*", "TERM_*", "XDG_*", "SSH_*", "DBUS_*"),
)
"""A shell's and a terminal's own: a program that looks for them does without."""
INHERIT_NEVER: Final = (
    *("AWS_", "BOTO_", "LAMBDA_", "DEVBRIDGE_", "_HANDLER"),
    *("PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONEXECUTABLE", "PYTHONINSPECT"),
)
"""Beginnings of what no live job gets of the developer's shell: it has its role's credentials, and
starts as devbridge says."""
_INHERITED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?")
WITHHELD: Final = "DEVBRIDGE_WITHHELD"
"""Tells the runner the names of what the shell has and the job does not get. See runner.lookups."""
NOTHING_FOUND: Final[Mapping[str, str]] = {
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""An AWS SDK finds no credentials or settings in files, and none of EC2's metadata."""
_OF_SDKS: Final = ("AWS_", "BOTO_CONFIG")
_OF_A_VENV: Final = ("VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
_WHERE_FROM: Final = frozenset(
    {
        *("index-url", "pypi-url", "extra-index-url", "no-index", "find-links", "trusted-host"),
        *("proxy", "cert", "client-cert", "keyring-provider", "use-feature", "use-deprecated"),
        *("timeout", "default-timeout", "retries", "resume-retries", "cache-dir", "no-cache-dir"),
    }
)
"""Options of pip's that are the user's, in variables or in files: where packages come from."""
_WHICH: Final = frozenset(
    {
        *("constraint", "build-constraint", "uploaded-prior-to", "pre"),
        *("prefer-binary", "only-binary", "no-binary"),
    }
)
"""And, where versions are not given, which of them there are."""


def matching(shell: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The variables of those names, with ``*`` at an end for anything; never what `INHERIT_NEVER`
    begins with, unless it is named."""
    return {key: shell[key] for key in _matching(tuple(shell), tuple(names))}


@functools.lru_cache(maxsize=64)  # each worker's environment asks the same again
def _matching(keys: tuple[str, ...], names: tuple[str, ...]) -> list[str]:
    wanted, patterns = frozenset(names), [name for name in names if "*" in name]
    return [
        key
        for key in keys
        if key in wanted
        or (not key.startswith(INHERIT_NEVER) and any(fnmatchcase(key, each) for each in patterns))
    ]


def inherit_problem(names: object, *, values: bool = False) -> tuple[str, str] | None:
    """The first variable of the shell that live jobs cannot get, and what is allowed.

    Args:
        values: ``NAME=VALUE`` is allowed, too.
    """
    if isinstance(names, str) or not isinstance(names, Sequence):
        return repr(names), "a list of names of variables"
    for each in names:
        name, given, _ = each.partition("=") if isinstance(each, str) else ("", "", "")
        if not _INHERITED.fullmatch(name) or (given and (not values or "*" in name)):
            form = "NAME, NAME=VALUE" if values else "NAME"
            return repr(each), f"{form} or a beginning of names, such as 'MYAPP_*'"
        if name.startswith(INHERIT_NEVER):
            return repr(each), f"names that do not start with {', '.join(INHERIT_NEVER)}"
    return None


def given_values(shell: Mapping[str, str], given: Iterable[str]) -> dict[str, str]:
    """What `--env` gives: ``NAME`` is the shell's, ``NAME=VALUE`` is that value."""
    names = [each for each in given if "=" not in each]
    values = (each.partition("=") for each in given if "=" in each)
    return {**matching(shell, names), **{name: value for name, _, value in values}}


def inherited(
    shell: Mapping[str, str], of_app: Mapping[str, str] = {}, given: Iterable[str] = ()
) -> dict[str, str]:
    """What a live job, or a process that imports its handler, gets of the shell's variables.

    Args:
        of_app: what `App(inherit=...)` names: `App.shell`.
        given: with `--env`.
    """
    found = {**matching(shell, PASSED), **of_app, **given_values(shell, given)}
    return {**found, **proxies.past_proxies(found)}


def of_network(shell: Mapping[str, str]) -> dict[str, str]:
    """How the machine gets out of its network: the proxies, this machine past them, and the
    certificates that are trusted."""
    found = matching(shell, _NETWORK)
    return {**found, **proxies.past_proxies(found)}


def withheld(shell: Mapping[str, str], passed: Iterable[str]) -> list[str]:
    """The names of the shell's variables that a job might look for, and does not get."""
    got = set(passed)
    return [key for key in _looked_for(tuple(shell)) if key not in got]


@functools.lru_cache(maxsize=8)
def _looked_for(keys: tuple[str, ...]) -> list[str]:
    own = frozenset(_matching(keys, _NOBODYS))
    found = (key for key in keys if key.isidentifier() and not key.startswith(INHERIT_NEVER))
    return sorted(key for key in found if key not in own)


def how_to_pass(name: str) -> str:
    """What to do so that live jobs get a variable of the shell."""
    return f'devbridge dev --env {name}, or App(..., inherit=["{name}"])'


def of_sdks(environment: Iterable[str]) -> set[str]:
    """The names of variables in which an AWS SDK looks for credentials, settings or endpoints."""
    return {key for key in environment if key.startswith(_OF_SDKS) and key != "AWS_CA_BUNDLE"}


def without_own(developer: Mapping[str, str]) -> dict[str, str]:
    """The developer's environment without what an AWS SDK, or devbridge, would find there."""
    hidden = of_sdks(developer)
    kept = {
        key: value
        for key, value in developer.items()
        if key not in hidden and not key.startswith("DEVBRIDGE_")
    }
    return {**kept, **proxies.past_proxies(kept)}


def of_pip(
    developer: Mapping[str, str], configured: str | None = None, *, pinned: bool = False
) -> dict[str, str]:
    """The environment of pip and venv: where packages come from is the user's to say, in variables
    and in pip's files; where they go, and how, is devbridge's.

    Args:
        configured: what ``pip config list`` prints, in place of the files; with None pip reads
            them itself.
        pinned: which versions is no question.
    """
    kept = {
        key: value
        for key, value in developer.items()
        if not key.startswith(("PYTHON", "PIP_")) and key not in _OF_A_VENV
    }
    names = _WHERE_FROM if pinned else _WHERE_FROM | _WHICH
    told = {f"PIP_{name.upper().replace('-', '_')}": name for name in sorted(names)}
    files = {name: value for name, value in _of_files(configured or "") if name in names}
    given = {name: value for name, value in developer.items() if value and name in told}
    config = matching(developer, ["PIP_CONFIG_FILE"])
    return {
        **kept,
        **proxies.past_proxies(kept),
        **{variable: files[name] for variable, name in told.items() if name in files},
        **given,
        **(config if configured is None else {"PIP_CONFIG_FILE": os.devnull}),
        **{"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_PROGRESS_BAR": "off"},
    }


def _of_files(configured: str) -> Iterator[tuple[str, str]]:
    """Names and values, those that count more after the others: ``install.index-url='...'``."""
    lines = [line.partition("=") for line in configured.splitlines()]
    for section in ("global", "install"):
        for key, _, value in lines:
            if key.startswith(f"{section}."):
                with suppress(ValueError, SyntaxError):
                    yield key.removeprefix(f"{section}."), str(ast.literal_eval(value))


def isolated(region: str) -> dict[str, str]:
    """What keeps an AWS SDK from finding credentials or settings anywhere but in its environment,
    and has it work in `region`."""
    return {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, **NOTHING_FOUND}
