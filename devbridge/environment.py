"""The environments of the processes that devbridge starts: the one place that decides what of the
developer's shell is in them.

Live jobs, the zygote and the probe of types get a list of the shell's variables and no others, so
that a run here finds what it finds deployed: see `PASSED`. `devbridge bind` runs the user's own
command and keeps the shell's, pip and venv keep the user's index, proxy and certificates.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from devbridge.constructs.values import INHERIT_NEVER

if TYPE_CHECKING:
    from devbridge.daemon.runtime_api import WorkerAddress
    from devbridge.runs.model import JobSpec

_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY")
PASSED: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_*", "TERM", "TZ", "TMPDIR"),
    *_PROXIES,
    *map(str.lower, _PROXIES),
    *("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO"),
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
WITHHELD: Final = "DEVBRIDGE_WITHHELD"
"""Tells the runner the names of what the shell has and the job does not get. See runner.lookups."""
_OF_SDKS: Final = ("AWS_", "DEVBRIDGE_", "BOTO_CONFIG")


def matching(shell: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The variables of those names, with ``*`` at an end for anything; never what `INHERIT_NEVER`
    begins with, unless it is named."""
    wanted = frozenset(names)
    patterns = [name for name in wanted if "*" in name]
    return {
        key: value
        for key, value in shell.items()
        if key in wanted
        or (
            not key.startswith(INHERIT_NEVER)
            and any(fnmatchcase(key, pattern) for pattern in patterns)
        )
    }


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
    return {**matching(shell, PASSED), **of_app, **given_values(shell, given)}


def withheld(shell: Mapping[str, str], passed: Iterable[str]) -> list[str]:
    """The names of the shell's variables that a job might look for, and does not get."""
    got = set(passed)
    own = matching(shell, _NOBODYS)
    return sorted(
        key
        for key in shell
        if key not in got and key not in own and key.isidentifier()
        if not key.startswith(INHERIT_NEVER)
    )


def how_to_pass(name: str) -> str:
    """What to do so that live jobs get a variable of the shell."""
    return f'devbridge dev --env {name}, or App(..., inherit=["{name}"])'


def without_own(developer: Mapping[str, str]) -> dict[str, str]:
    """The developer's environment without what an AWS SDK, or devbridge, would find there."""
    return {
        key: value
        for key, value in developer.items()
        if key == "AWS_CA_BUNDLE" or not key.startswith(_OF_SDKS)
    }


def of_pip(developer: Mapping[str, str]) -> dict[str, str]:
    """The environment of pip and venv: the user's own index, proxy and certificates count; where
    packages go, and how Python starts, does not."""
    unwanted = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV")
    kept = {
        key: value
        for key, value in developer.items()
        if key not in (*unwanted, "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
        and not key.startswith("PYTHON")
    }
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def isolated(region: str) -> dict[str, str]:
    """What keeps an AWS SDK from finding credentials or settings in files and in EC2's metadata."""
    return {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def past_proxies(environment: Mapping[str, str], endpoint_url: str | None) -> dict[str, str]:
    """What lets an SDK reach an embedded cloud, on loopback, though a proxy is set."""
    host = urlsplit(endpoint_url or "").hostname or ""
    if not (host.startswith("127.") or host in ("::1", "localhost")):
        return {}
    if not any(environment.get(name) for each in _PROXIES for name in (each, each.lower())):
        return {}
    past = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    value = ",".join(filter(None, (past, "127.0.0.1,localhost,.localhost")))
    return {"NO_PROXY": value, "no_proxy": value}


def worker_environment(
    developer: Mapping[str, str],
    job: JobSpec,
    address: WorkerAddress,
    *,
    root: Path,
    region: str,
    endpoint_url: str | None = None,
    memory_limit: int | None = None,
    schemas: Path | None = None,
    given: Sequence[str] = (),
) -> dict[str, str]:
    """The whole environment of a worker of `job`.

    What jobs get of the developer's shell; then the job's own; then what `--env` gives; then what
    the worker must have. `endpoint_url` is the embedded cloud's, None on AWS. `memory_limit` is in
    bytes. `schemas` is the file with what payloads for other jobs are checked with.
    """
    environment = inherited(developer, job.shell)
    environment.update(job.environment)
    environment.update(given_values(developer, given))
    environment.update(
        {
            "AWS_LAMBDA_RUNTIME_API": address.runtime_api,
            "AWS_LAMBDA_FUNCTION_NAME": job.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(job.memory_mb),
            "_HANDLER": job.handler,
            "LAMBDA_TASK_ROOT": str(root),
            "DEVBRIDGE_JOB_NAME": job.name,
            **sdk_environment(address, region=region, endpoint_url=endpoint_url),
            **past_proxies(environment, endpoint_url),
        }
    )
    if job.command:
        environment["DEVBRIDGE_COMMAND"] = json.dumps(job.command)
        environment["DEVBRIDGE_COMMAND_DIR"] = str(root / job.command_dir)
    if memory_limit is not None:
        environment["DEVBRIDGE_MEMORY_LIMIT"] = str(memory_limit)
    if schemas is not None:
        environment["DEVBRIDGE_SCHEMAS"] = str(schemas)
    if names := withheld(developer, environment):
        environment[WITHHELD] = " ".join(names)
    return environment


def sdk_environment(
    address: WorkerAddress, *, region: str, endpoint_url: str | None = None
) -> dict[str, str]:
    """What makes an AWS SDK use a role's credentials, and nothing else that it might find.

    `endpoint_url` is the embedded cloud's, None on AWS.
    """
    environment = {
        **isolated(region),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": address.credentials_uri,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": address.credentials_token,
    }
    if endpoint_url is not None:
        environment["AWS_ENDPOINT_URL"] = endpoint_url
    return environment
