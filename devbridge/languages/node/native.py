"""``install=[...]`` of Node code: npm packages that are installed beside a bundle, for its machine.

Native packages ship as optional packages for each platform, of which npm picks one; those that
build themselves with a script at installation cannot be had for another machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge import progress
from devbridge.errors import BuildError
from devbridge.files import NODE
from devbridge.languages.node import manifests
from devbridge.languages.node.bundles import Asked, Bundles
from devbridge.languages.node.registry import npmrc, variables
from devbridge.languages.node.tools import find_npm
from devbridge.sources.node import REQUIREMENT

_KEPT: Final = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
_PROXIES: Final = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@dataclass(frozen=True, slots=True)
class Platform:
    """What packages are installed for, in npm's words."""

    os: str = "linux"
    cpu: str = "x64"
    libc: str = "glibc"

    @property
    def options(self) -> list[str]:
        """npm's."""
        return [f"--os={self.os}", f"--cpu={self.cpu}", f"--libc={self.libc}"]


def aws(architecture: str) -> Platform:
    """AWS's machines: ``x86_64`` or ``arm64``."""
    return Platform(cpu="arm64" if architecture == "arm64" else "x64")


def names(install: Sequence[str]) -> tuple[str, ...]:
    """The packages: ``sharp`` of ``sharp@0.35``."""
    return tuple(found[1] for each in install if (found := REQUIREMENT.fullmatch(each)))


def found_above(folder: Path, name: str) -> Path | None:
    """Where Node finds a package from a folder: there, or above it."""
    for each in (folder, *folder.parents):
        if (package := each / NODE / name).is_dir():
            return package
    return None


def pinned(install: Sequence[str], folder: Path) -> list[str]:
    """The same with the versions that the project has installed, where it has them.

    Args:
        folder: the handler's.
    """
    found: list[str] = []
    for each in install:
        match = REQUIREMENT.fullmatch(each)
        name = match[1] if match else each
        package = found_above(folder, name)
        version = manifests.text(package, "version") if package else ""
        found.append(f"{name}@{version}" if version else each)
    return found


def installed(
    install: Sequence[str],
    root: Path,
    platform: Platform | None,
    environ: Mapping[str, str],
    cache: Path,
) -> Path:
    """The folder ``node_modules`` with these packages and all that they need.

    It is made once: later versions of what is not pinned are not looked for.

    Args:
        root: the app's folder, whose ``.npmrc`` is npm's.
        platform: None: this machine.

    Raises:
        ToolMissing: there is no npm.
        BuildError: npm cannot install them, or they would have to be built on their machine.
    """
    options = platform.options if platform else []
    here = "" if platform else f"{os.uname().sysname} {os.uname().machine}"
    told = json.dumps([sorted(install), options, here])
    folder = cache / "npm" / hashlib.sha256(told.encode()).hexdigest()[:24]
    if folder.is_dir():
        return folder / NODE
    npm = find_npm(environ)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        (temporary / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        if own := npmrc(root):
            shutil.copy(own, temporary / ".npmrc")
        with progress.task("install", f"npm: {', '.join(install)}"):
            command = [*npm, "install", *options, *_OPTIONS, "--", *sorted(install)]
            _run(command, temporary, {**_kept(environ), **variables(root, environ)})
        (temporary / ".npmrc").unlink(missing_ok=True)  # it may have a token
        _refuse_scripts(temporary / NODE)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder / NODE


_OPTIONS: Final = (
    *("--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"),
    *(
        "--no-save",
        "--no-update-notifier",
        "--loglevel=error",
        "--no-progress",
        "--include=optional",
    ),
)


def _kept(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: text
        for name, text in environ.items()
        if name in _KEPT or name.lower() in _PROXIES or name.lower().startswith("npm_config_")
    }


def _run(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise BuildError(
            f"npm cannot install what `install` names: {_cause(done.stderr)}",
            where=", ".join(command[command.index("--") + 1 :]),
            remedy="correct `install` in app.py; names and versions are those of npm's registry",
        )


def _cause(stderr: str) -> str:
    lines = [
        line.partition(" error ")[2].strip() for line in stderr.splitlines() if " error " in line
    ]
    said = [line for line in lines if line and not line.startswith(("code ", "A complete log"))]
    return said[0] if said else (stderr.strip().splitlines() or ["npm failed"])[-1]


def _refuse_scripts(modules: Path) -> None:
    """Raise if a package builds itself when it is installed, and has nothing built in it."""
    for manifest in sorted(modules.rglob("package.json")):
        if manifest.parent.parent.name != NODE and not manifest.parent.parent.name.startswith("@"):
            continue
        package = manifest.parent
        if (package / "binding.gyp").is_file() and not any(package.rglob("*.node")):
            raise BuildError(
                f"`install`: {manifests.text(package, 'name')} builds itself when it is installed:"
                " it cannot be had for another machine",
                where=manifests.text(package, "version"),
                remedy="use a package that is published built, for each platform; or a container",
            )


def beside(asked: Asked, bundles: Bundles, install: Sequence[str]) -> dict[str, Path]:
    """What lies beside a bundle of `devbridge dev`: packages that are not in it -> their folders.

    The project's own, else what npm installs for this machine.

    Raises:
        BuildError: npm cannot install it.
    """
    source = asked.source().parent
    links: dict[str, Path] = {}
    lacking: list[str] = []
    for requirement, name in zip(install, names(install), strict=True):
        if found := found_above(source, name):
            links[name] = found.resolve()
        else:
            lacking.append(requirement)
    if lacking:
        folder = installed(lacking, asked.root, None, bundles.environ, bundles.cache)
        links |= {name: (folder / name).resolve() for name in names(lacking)}
    for name in asked.options.get("external", ()):
        if "*" not in name and (found := found_above(source, name)):
            links.setdefault(name, found.resolve())
    return links
