"""Reproducible zips: the same files make the same bytes, whenever and wherever they are packed."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from devbridge import progress

_UNIX: Final = 3
_LEVEL: Final = 4
"""Of compression: twice as fast as zlib's default of 6, for 4 % more bytes."""
_IN_MEMORY: Final = 1024 * 1024
"""Bytes of a zip that is not written to a file before it is uploaded."""
_CHUNK: Final = 1024 * 1024
_LARGE: Final = 2 * 1000**3
"""Bytes of a file from which on a zip must say its size in another way."""
_MODE: Final = 0o100644
_EXECUTABLE: Final = 0o100755

Content = Path | bytes


@dataclass(frozen=True, slots=True)
class Asset:
    """A zip, named by its content."""

    label: str
    """What it is for, e.g. ``Function 'api-start'``."""
    key: str
    """The SHA-256 of the zip, and ``.zip``: the file's name in the asset bucket."""
    size: int
    """Bytes."""
    open: Callable[[], IO[bytes]] = field(repr=False, compare=False)
    """Its content, for the caller to close; packed again where it is not at hand."""

    @property
    def checksum(self) -> str:
        """The SHA-256 as S3 writes it, which computes it from what it stores."""
        return base64.b64encode(bytes.fromhex(self.key.removesuffix(".zip"))).decode()

    @staticmethod
    def of(label: str, body: bytes) -> Asset:
        """A zip that is in memory."""
        key = f"{hashlib.sha256(body).hexdigest()}.zip"
        return Asset(label, key, len(body), lambda: io.BytesIO(body))


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of a zip by their names inside it, the later ones of the same name winning."""

    installed: Mapping[str, Path] = field(default_factory=dict)
    """Known by their size and times: of installed distributions, and other large ones."""
    own: Mapping[str, Content] = field(default_factory=dict)
    """Known by their content."""

    @property
    def files(self) -> dict[str, Content]:
        """All of them, by their names in the zip."""
        return {**self.installed, **self.own}

    @property
    def size(self) -> int:
        """Bytes, unpacked."""
        return sum(map(content_size, self.files.values()))

    def signature(self) -> str:
        """The same for the same files; far cheaper than to pack them."""
        digest = hashlib.sha256(f"{_LEVEL} {zlib.ZLIB_RUNTIME_VERSION}\n".encode())
        for name, item in sorted(self.files.items()):
            if name in self.own:
                data = item if isinstance(item, bytes) else item.read_bytes()
                mark = f"{hashlib.sha256(data).hexdigest()} {_mode(item)}"
            else:
                assert isinstance(item, Path)  # noqa: S101
                found = item.stat()
                # The time of change cannot be set back, as that of modification can.
                mark = f"{item} {found.st_ino} {found.st_size} {found.st_mtime_ns}"
                mark += f" {found.st_ctime_ns} {found.st_mode}"
            digest.update(f"{name}\0{mark}\n".encode())
        return digest.hexdigest()


def zip_asset(label: str, parts: Parts, cache: Path) -> Asset:
    """The zip of these files; packed only if that is not known to have been done before.

    Args:
        cache: folder that remembers the keys of zips by what they were made from; not the zips.
    """
    memory = cache / parts.signature()[:40]
    held: list[IO[bytes]] = []

    def packed() -> tempfile.SpooledTemporaryFile[bytes]:
        file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        with progress.task("pack", label, parts.size, "bytes") as task:
            write_zip(file, parts.files, task.add)
        file.seek(0)
        return file

    def opened() -> IO[bytes]:
        return held.pop() if held else packed()

    try:
        key, size = memory.read_text().split()
        return Asset(label, key, int(size), opened)
    except (OSError, ValueError):
        pass
    file = packed()
    key, size = f"{hashlib.file_digest(file, 'sha256').hexdigest()}.zip", str(file.tell())
    file.seek(0)
    held.append(file)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=cache, delete=False) as new:
        new.write(f"{key} {size}")
    os.replace(new.name, memory)  # noqa: PTH105
    return Asset(label, key, int(size), opened)


def make_zip(files: Mapping[str, Content]) -> bytes:
    """A zip of files, by their names inside it: sorted, with fixed times and modes."""
    buffer = io.BytesIO()
    write_zip(buffer, files)
    return buffer.getvalue()


def write_zip(
    file: IO[bytes], files: Mapping[str, Content], told: Callable[[int], None] = lambda _: None
) -> None:
    """Write such a zip.

    Args:
        told: is told how many more bytes of the files are in it.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in sorted(files):
            item = files[name]
            large = content_size(item) > _LARGE
            # Opened by its name, an entry has the earliest time that a zip can hold.
            with (
                archive.open(name, "w", force_zip64=large) as entry,
                _opened(item) as content,
            ):
                while chunk := content.read(_CHUNK):
                    entry.write(chunk)
                    told(len(chunk))
            written = archive.getinfo(name)
            written.create_system = _UNIX
            written.external_attr = _mode(item) << 16


def content_size(item: Content) -> int:
    """Bytes of one file."""
    return len(item) if isinstance(item, bytes) else item.stat().st_size


def _opened(item: Content) -> IO[bytes]:
    return io.BytesIO(item) if isinstance(item, bytes) else item.open("rb")


def _mode(item: Content) -> int:
    executable = isinstance(item, Path) and os.access(item, os.X_OK)
    return _EXECUTABLE if executable else _MODE
