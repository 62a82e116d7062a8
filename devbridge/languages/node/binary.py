"""Which esbuild bundles a project: its own, or the one that is pinned here and fetched once."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge import progress
from devbridge.errors import ToolMissing
from devbridge.languages.node import manifests
from devbridge.languages.node.esbuild import TESTED
from devbridge.languages.node.registry import Registry, registry, shown

VERSION: Final = "0.28.2"
"""The version that is fetched."""
SHA512: Final[Mapping[str, str]] = {
    "darwin-arm64": "n4KqkOQrraxHJcgjM1RvwbigfQKIKJVpM7xp+KsxiyU"
    "SrRdIXnt73VhrPAx0fV44hgfmIVKjxMN9J1t5jySVkw==",
    "darwin-x64": "uq6suIWYP37qzGddBKPw5QEQPi6HiLGsO7UmkpfyaYN"
    "Q3D+rN6w6WfwH+nuqcGXWvawGwxOEroO4YGnFh95azw==",
    "freebsd-arm64": "n+I0BTSRIoy+d6RPKnEVwql5UwBJolytvY4mAOIEJor"
    "KlqgPII8ix6slVVrfZ5Tnj7glIZvloylbB/EJPMWEXw==",
    "freebsd-x64": "78XJTJkvPs0kz2w61301PJjXl4g7q3JqiYMZ/M/yVI7"
    "3EHBrCRTgkhu9oqG7vPqq+a/yadEW8aD+agKlk5xrmg==",
    "linux-arm": "XlDnu2q5yoqems+xay6wSAcg9DDD7K9RLKZEBOMZm3c"
    "kNpJBvOX20tSfby8KfrrhINDyv9V2YVZKY/SpoGJI8w==",
    "linux-arm64": "pW4AC0P3it8c7do9MVM4p51FzHzdM/TZrerurgRcHJ2"
    "WTa1VQ1CIq18xncfpBJw4ojkiZZrKW2yIBWBP92j6Ug==",
    "linux-ia32": "CYbnj78HsIeA+DhgUKgFCfvNsTHFhMMrinUrMZpDXJX"
    "KN8T3XViTZ/+wtHeVxEWY8ewSzTFN+nRmSwO2tZaLUQ==",
    "linux-loong64": "buwkd8nsph4R+ajRvw0qM5Hja/TXQow3ptzWO2EbG/c"
    "qcIkHloRrdlBtQlshyYGTNFvfkfJ5tpPLVkY4DtsPfQ==",
    "linux-ppc64": "CAXl+Dtd9UUuJd8pKKdwh6MLm3MUMiqMPmhZ3tTSXPq"
    "fyQ3vDl6R5hZdZ/kYojK4ofXtdfSv1tFq8XzWx3heNQ==",
    "linux-riscv64": "GeXCej4IQtU1B+QlDV8W/RRvbzI3O/Stss+/bCXv4lZ"
    "ls5WGRtu2a+3JkA3i4qIUlMXpcHebWpF8AkJhATowuA==",
    "linux-s390x": "3H1weTYZPxt/WOhByszQZybS9w5lKzUn1FDMsgEChbH"
    "WQwHYQQRfBxgCcZvPhjHfKyJjIievvMmEUawJrdY9Dg==",
    "linux-x64": "4xTZr1FUmSoQW4XIWmit3tzQrUTZM+N3P0XV8xROKYF"
    "50XfI7xeO90+1bZvNwxIufQ9hDQVRJH5YhgPVF8A/HQ==",
}
"""Of each platform's package, ``@esbuild/NAME``, as npm's registry has it (``dist.integrity``)."""
_MACHINES: Final = {
    **{"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"},
    **{"armv7l": "arm", "armv6l": "arm", "i686": "ia32", "i386": "ia32", "loongarch64": "loong64"},
    **{"ppc64le": "ppc64", "riscv64": "riscv64", "s390x": "s390x"},
}
_LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a package."""
_PATIENCE: Final = 30.0
"""Seconds in which a registry must say something."""


@dataclass(frozen=True, slots=True)
class Esbuild:
    """An esbuild that is there."""

    version: str
    binary: Path | None
    """Its executable; None: the project's own package has none for this platform."""
    package: Path | None = None
    """The folder of the npm package ``esbuild``, if it is the project's own."""

    @property
    def served(self) -> bool:
        """Whether its service is spoken to: else node runs its JavaScript API, more slowly."""
        return self.version in TESTED and self.binary is not None

    def text(self) -> str:
        """For people: which it is, and from where."""
        if self.package is None:
            return f"esbuild {self.version}, fetched by devbridge"
        how = "" if self.served else "; run by node: slower than the versions that devbridge knows"
        return f"esbuild {self.version}, the project's own{how}"


def find_esbuild(root: Path, environ: Mapping[str, str], cache: Path) -> Esbuild:
    """The esbuild of a project: its own, or else the pinned one, which is fetched if need be.

    Args:
        root: the app's folder.
        cache: the folder that keeps what is fetched.

    Raises:
        ToolMissing: there is none, with what to do.
    """
    return own_esbuild(root) or fetched(root, environ, cache)


def own_esbuild(root: Path) -> Esbuild | None:
    """The esbuild that the project names in a ``package.json``, of its folder or of one above.

    One that is only there because another package needs it is not the project's choice.

    Raises:
        ToolMissing: it is named and not installed, or installed where it cannot be run from.
    """
    for folder in (root, *root.parents):
        if not manifests.names(folder, "esbuild"):
            continue
        for place in (folder, *folder.parents):
            package = place / "node_modules" / "esbuild"
            if version := manifests.text(package, "version"):
                package = package.resolve()
                return Esbuild(version, _binary_of(package), package)
        if (folder / ".pnp.cjs").exists():
            raise ToolMissing(
                "Yarn's Plug'n'Play keeps esbuild in a zip, where it cannot be run from",
                where=str(folder / "package.json"),
                remedy="set nodeLinker: node-modules in .yarnrc.yml, then yarn install",
            )
        raise ToolMissing(
            "the project's esbuild is not installed",
            where=str(folder / "package.json"),
            remedy="npm install (or pnpm install, yarn install), or take esbuild out of it",
        )
    return None


def _binary_of(package: Path) -> Path | None:
    """The executable beside a package: hoisted, or as pnpm links it."""
    name = system()
    for folder in (package, *package.parents):
        binary = folder / "node_modules" / "@esbuild" / name / "bin" / "esbuild"
        if os.access(binary, os.X_OK):
            return binary.resolve()
    return None


def system() -> str:
    """This machine, as npm names it: ``linux-x64``."""
    machine = platform.machine().lower()
    return f"{sys.platform}-{_MACHINES.get(machine, machine)}"


def fetched(root: Path, environ: Mapping[str, str], cache: Path) -> Esbuild:
    """The pinned esbuild, from the cache or from the project's npm registry.

    Raises:
        ToolMissing: it cannot be fetched, or is not what it should be; then nothing is kept.
    """
    name = system()
    if name not in SHA512:
        raise ToolMissing(
            f"there is no esbuild for {name}", remedy="npm install --save-dev esbuild"
        )
    folder = cache / f"esbuild-{VERSION}-{name}"
    binary = folder / "esbuild"
    if not os.access(binary, os.X_OK):
        package = f"@esbuild/{name}"
        source = registry(root, environ, "@esbuild")
        body = _download(source, package)
        _check(body, name, source.tarball(package, VERSION))
        _unpack(body, folder)
    return Esbuild(VERSION, binary)


def _download(source: Registry, package: str) -> bytes:
    url = source.tarball(package, VERSION)
    try:
        if not url.startswith(("https://", "http://")):
            raise ValueError("it is no URL of a registry")
        request = urllib.request.Request(url)  # noqa: S310
        for name, value in source.headers.items():
            request.add_unredirected_header(name, value)  # a token is for that host alone
        with (
            progress.task("fetch", f"esbuild {VERSION}", unit="bytes") as task,
            urllib.request.urlopen(request, timeout=_PATIENCE) as answer,  # noqa: S310
        ):
            return b"".join(_chunks(answer, task))
    except (OSError, ValueError) as error:
        raise ToolMissing(
            f"esbuild {VERSION} cannot be fetched: {_reason(error)}",
            where=shown(url),
            remedy="go online, or set npm's registry (npm_config_registry, .npmrc); or have the"
            " project's own: npm install --save-dev esbuild",
        ) from error


def _chunks(answer: io.BufferedIOBase, task: progress.Task) -> Iterator[bytes]:
    size = 0
    while chunk := answer.read(1 << 16):
        size += len(chunk)
        if size > _LARGEST:
            raise ValueError(f"more than {_LARGEST:,} bytes")
        task.add(len(chunk))
        yield chunk


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the registry says {error.code} {error.reason}"
    return str(getattr(error, "reason", None) or error)


def _check(body: bytes, name: str, url: str) -> None:
    found = base64.b64encode(hashlib.sha512(body).digest()).decode()
    if found != SHA512[name]:
        raise ToolMissing(
            f"what the registry has for esbuild {VERSION} is not esbuild {VERSION}: its SHA-512"
            f" is {found[:12]}..., not {SHA512[name][:12]}...",
            where=shown(url),
            remedy="do not use that registry; nothing was kept",
        )


def _unpack(body: bytes, folder: Path) -> None:
    """Put the executable into the folder, all of it or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
        content = archive.extractfile("package/bin/esbuild")
        assert content is not None  # noqa: S101 - what it has is known by its SHA-512
        descriptor, name = tempfile.mkstemp(dir=folder.parent)
        try:
            with open(descriptor, "wb") as binary:  # noqa: PTH123
                shutil.copyfileobj(content, binary)
            Path(name).chmod(0o755)
            folder.mkdir(exist_ok=True)
            Path(name).replace(folder / "esbuild")
        finally:
            Path(name).unlink(missing_ok=True)
