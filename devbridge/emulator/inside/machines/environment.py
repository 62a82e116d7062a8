"""The variables that every machine of this cloud has: nothing in them is the developer's."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from . import clients, runtimes
from .roles import PATH, Role

_NETWORK: Final = re.compile(
    r"(?i:(?:https?|ftp|all|no)_proxy)|(?:AWS|REQUESTS|CURL)_CA_BUNDLE|SSL_CERT_(?:FILE|DIR)"
    r"|NODE_EXTRA_CA_CERTS|GIT_SSL_CAINFO"
)
FOLDERS: Final = ("home", "tmp")
"""What a machine's folder must have for `of_machine`."""


def of_network(environment: Mapping[str, str]) -> dict[str, str]:
    """How this machine gets out of its network: what runs here has no other way than the cloud."""
    return {name: value for name, value in environment.items() if _NETWORK.fullmatch(name)}


def of_machine(directory: Path, binaries: Path, region: str, role: Role | None) -> dict[str, str]:
    """What a machine's processes have before anything is said about them.

    Args:
        binaries: the folder that is first on PATH.
        role: whose credentials they are given; None: none at all.
    """
    path = runtimes.without_environments(os.environ.get("PATH", os.defpath))
    credentials = {}
    if role:
        credentials = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": clients.endpoint() + PATH,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": role.token,
        }
    return of_network(os.environ) | {
        "PATH": f"{binaries}{os.pathsep}{path}",
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "tmp"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": clients.endpoint(),
        "AWS_EC2_METADATA_DISABLED": "true",
        **credentials,
    }
