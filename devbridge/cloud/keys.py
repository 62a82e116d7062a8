"""The root key of an embedded cloud: random, made at its first start, in its folder ever since.

The cloud's own process reads it there, and so does whoever speaks to that cloud as root. It is
never in an environment that functions and builds inherit. Where an endpoint is all that is known,
a file in the user's cache says whose folder it belongs to.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from devbridge.folders import cache_dir, private_dir, write_private
from devbridge.redaction import secret
from devbridge.transport.base import AwsCredentials

_FOREIGN: Final = AwsCredentials("test", "test")
"""What emulators that are not ours believe."""


def is_loopback(url: str) -> bool:
    """Whether the URL is one of this machine only: 127.0.0.0/8, [::1] or localhost."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def key_file(cloud_dir: Path) -> Path:
    """Where the root key of the cloud in that folder is."""
    return cloud_dir / "root-key.json"


def make(cloud_dir: Path) -> Path:
    """The file with the root key, made if there is none that can be read."""
    path = key_file(cloud_dir)
    if root_key(cloud_dir) is None:
        key = {
            "access_key": f"AKIA{secrets.token_hex(8).upper()}",
            "secret_key": secrets.token_urlsafe(30),
        }
        write_private(path, json.dumps(key))
    path.chmod(0o600)
    return path


def root_key(cloud_dir: Path) -> AwsCredentials | None:
    """The root key of the cloud in that folder; None: it has none yet."""
    try:
        key = json.loads(key_file(cloud_dir).read_text(encoding="utf-8"))
        secret(key["secret_key"])
        return AwsCredentials(str(key["access_key"]), str(key["secret_key"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remember(port: int, cloud_dir: Path) -> None:
    """Let commands of other folders find the key of the cloud at that port."""
    with suppress(OSError):  # they would be refused, and say so
        folder = private_dir(private_dir(cache_dir()) / "clouds")
        write_private(folder / str(port), str(cloud_dir.absolute()))
        for each in folder.iterdir():
            if each.name.isdigit() and not Path(each.read_text(encoding="utf-8")).is_dir():
                each.unlink(missing_ok=True)  # of a folder that was deleted


def of_endpoint(endpoint_url: str, cloud_dir: Path | None = None) -> AwsCredentials:
    """The root key of the cloud at that URL on loopback. `cloud_dir` is where it is looked for
    first. An emulator that is not ours gets the key that such have: test."""
    port = urlsplit(endpoint_url).port
    for folder in (cloud_dir, _remembered(port)):
        if folder is not None and _last_port(folder) == port and (key := root_key(folder)):
            return key
    return _FOREIGN


def has_run(cloud_dir: Path) -> bool:
    """Whether that folder ever had an embedded cloud, running now or not."""
    return (cloud_dir / "port").exists()


def _remembered(port: int | None) -> Path | None:
    try:
        return Path((cache_dir() / "clouds" / str(port)).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _last_port(cloud_dir: Path) -> int | None:
    try:
        return int((cloud_dir / "port").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
