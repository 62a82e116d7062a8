from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import pytest

from devbridge.packing import zips
from devbridge.packing.zips import Asset, Content, Parts, make_zip, write_zip, zip_asset


def test_the_same_files_make_the_same_bytes_whatever_their_order_time_and_mode(
    tmp_path: Path,
) -> None:
    a, b = tmp_path / "a.py", tmp_path / "b.py"
    a.write_text("a")
    b.write_text("b")
    first = make_zip({"x/a.py": a, "b.py": b})
    os.utime(a, (1_000_000_000, 1_000_000_000))
    b.chmod(0o600)
    assert make_zip({"b.py": b, "x/a.py": a}) == first
    assert Asset.of("x", first).key == Asset.of("y", first).key


def test_other_content_makes_another_key(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("a")
    first = Asset.of("a", make_zip({"a.py": file})).key
    file.write_text("b")
    assert Asset.of("a", make_zip({"a.py": file})).key != first


def test_packed_files_are_readable_by_everyone(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.touch(mode=0o600)
    with zipfile.ZipFile(io.BytesIO(make_zip({"a.py": file}))) as archive:
        assert archive.infolist()[0].external_attr >> 16 == 0o100644


def test_what_can_be_executed_still_can(tmp_path: Path) -> None:
    file = tmp_path / "tool"
    file.touch(mode=0o700)
    with zipfile.ZipFile(io.BytesIO(make_zip({"tool": file}))) as archive:
        assert archive.infolist()[0].external_attr >> 16 == 0o100755


def content(asset: Asset) -> bytes:
    with asset.open() as file:
        return file.read()


def test_how_far_it_is_is_told_within_a_large_file_too(tmp_path: Path) -> None:
    library = tmp_path / "library.so"
    library.write_bytes(b"x" * 2_500_000)
    told: list[int] = []
    write_zip(io.BytesIO(), {"library.so": library, "a.py": b"x = 1"}, told.append)
    assert len(told) == 4
    assert sum(told) == 2_500_005


def test_what_was_packed_before_is_not_packed_to_know_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, own = tmp_path / "library.so", tmp_path / "own.py"
    library.write_bytes(os.urandom(2_000_000))
    own.write_text("x = 1")
    parts = Parts({"library.so": library}, {"own.py": own, "more.json": b"{}"})
    first = zip_asset("x", parts, tmp_path / "cache")
    body = content(first)
    assert Asset.of("x", body).key == first.key
    assert len(body) == first.size

    packed: list[object] = []

    def write(file: IO[bytes], files: Mapping[str, Content], told: Callable[[int], None]) -> None:
        packed.append(file)
        write_zip(file, files, told)

    monkeypatch.setattr(zips, "write_zip", write)
    again = zip_asset("y", parts, tmp_path / "cache")
    assert (again.key, again.size, packed) == (first.key, first.size, [])
    assert content(again) == body
    assert len(packed) == 1


def test_a_change_of_any_file_is_noticed(tmp_path: Path) -> None:
    library, own = tmp_path / "library.so", tmp_path / "own.py"
    library.write_text("1")
    own.write_text("x = 1")
    parts = Parts({"library.so": library}, {"own.py": own})
    keys = {zip_asset("x", parts, tmp_path / "cache").key}
    times = own.stat()
    own.write_text("x = 2")
    os.utime(own, ns=(times.st_atime_ns, times.st_mtime_ns))
    keys.add(zip_asset("x", parts, tmp_path / "cache").key)
    library.write_text("2 ")
    keys.add(zip_asset("x", parts, tmp_path / "cache").key)
    own.chmod(0o755)
    keys.add(zip_asset("x", parts, tmp_path / "cache").key)
    assert len(keys) == 4
